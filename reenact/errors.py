"""The errors and warnings that the Python interface raises. Each is a subclass of one of Python's own.

| error | of | raised for |
|---|---|---|
| `ImageError` | `ValueError` | an array that is no RGB picture |
| `ImageWarning` | `UserWarning` | a picture without a face, or with red and blue exchanged |
| `StillError` | `OSError` | a picture that cannot be read or written |
| `CaptureError` | `OSError` | a film or a camera that cannot be read |
| `SinkError` | `OSError` | a film or a virtual camera that cannot be written |
| `CsvError` | `OSError` | a table that cannot be written |
| `MicrophoneError` | `OSError` | a microphone that cannot be opened |
| `TargetError` | `ValueError` | targets that cannot be understood |
| `UnknownAUError` | `ValueError` | an action unit that there is not |
| `ControlError` | `ValueError` | a strength, or a setting of a driver, that is out of range |
| `FaceChoiceError` | `ValueError` | a choice of faces that cannot be understood |
| `FaceRequestError` | `ValueError` | a request for one face that cannot be understood |
| `ProgrammeError` | `ValueError` | a programme file that cannot be understood |
| `KeyframesError` | `ValueError` | a time line that cannot be understood |
| `InversionError` | `ValueError` | action units that cannot be inverted |
| `AURecordingError` | `ValueError` | a driver that cannot be read, or has no such face |
| `RegionError` | `ValueError` | regions of a driver that there are not |
| `SweepError` | `ValueError` | a sweep that cannot be understood |
| `DriverFolderError` | `ValueError` | a folder of drivers without a face, or with too many pictures |
| `ReferencePictureError` | `ValueError` | a picture of a person that shows no face, or several |
| `ProfileError` | `ValueError` | a person's profile that cannot be read or written |
| `MouthPictureError` | `ValueError` | a picture of a mouth, in a profile, that is damaged |
| `SizeError` | `ValueError` | a face or a picture of a size that nothing can be made of |
| `ModelError` | `ValueError` | a network that is missing, or another one's |
| `TrackerError` | `RuntimeError` | a face tracker that cannot be opened |
| `PanelError` | `RuntimeError` | a panel for which no port can be had |
| `ProtocolError` | `ValueError` | a message that is no command of the control protocol |
| `RefusalError` | `ValueError` | a command that a panel refuses |
| `EngineError` | `RuntimeError` | a runtime or a network that cannot be opened |
| `ChoiceError` | `EngineError` | an engine's name that cannot be understood |
| `GeneratorProcessError` | `RuntimeError` | a process of the generator that has ended unexpectedly |
| `VerifyError` | `OSError` | an output that cannot be read again |
| `ShadowedPackageError` | `ImportError` | a file or folder of the user's that hides a package of reenact |
| `Stopped` | `RuntimeError` | a run that its progress function has stopped |
"""

from __future__ import annotations

from calib.au import UnknownAUError
from calib.mouth_picture import MouthPictureError
from calib.profile import ProfileError
from engines.choice import ChoiceError
from engines.engine import EngineError
from reenact.alignment import SizeError
from reenact.figures.driver_folder import DriverFolderError
from reenact.generate.network.contract import ModelError
from reenact.measure.measurements import Stopped
from reenact.media.image_array import ImageError, ImageWarning
from reenact.media.image_file import StillError
from reenact.media.read.microphone import MicrophoneError
from reenact.media.read.spool import CaptureError
from reenact.media.write.au_csv import CsvError
from reenact.media.write.encoding import SinkError
from reenact.panel.client import RefusalError
from reenact.panel.options import PanelError
from reenact.panel.protocol import ProtocolError
from reenact.process.shadowing import ShadowedPackageError
from reenact.programme.au_recording import AURecordingError
from reenact.programme.driver import RegionError
from reenact.programme.face_choice import FaceChoiceError
from reenact.programme.face_request import FaceRequestError
from reenact.programme.inversion import InversionError
from reenact.programme.keyframes_file import KeyframesError
from reenact.programme.programme_file import ProgrammeError
from reenact.programme.sweeps import SweepError
from reenact.programme.target_syntax import TargetError
from reenact.recognise.recogniser import ReferencePictureError
from reenact.retarget.controls import ControlError
from reenact.run.remote.messages import GeneratorProcessError
from reenact.track.landmarkers import TrackerError
from reenact.verify.write_report import VerifyError

__all__ = [
    "AURecordingError",
    "CaptureError",
    "ChoiceError",
    "ControlError",
    "CsvError",
    "DriverFolderError",
    "EngineError",
    "FaceChoiceError",
    "FaceRequestError",
    "GeneratorProcessError",
    "ImageError",
    "ImageWarning",
    "InversionError",
    "KeyframesError",
    "MicrophoneError",
    "ModelError",
    "MouthPictureError",
    "PanelError",
    "ProfileError",
    "ProgrammeError",
    "ProtocolError",
    "ReferencePictureError",
    "RefusalError",
    "RegionError",
    "ShadowedPackageError",
    "SinkError",
    "SizeError",
    "StillError",
    "Stopped",
    "SweepError",
    "TargetError",
    "TrackerError",
    "UnknownAUError",
    "VerifyError",
]
