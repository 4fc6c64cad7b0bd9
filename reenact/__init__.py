"""Write facial action units: change a face's expression in a video or a live camera picture.

`edit_image`, `edit_video` and `read_aus` are for pictures and films, `ImageEditor` is for many pictures, and
`open` is for cameras. `load_driver` and `load_timeline` make programmes of files, which all of them take as
targets. Importing this module is cheap: what a function needs is imported when it is first called.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from contextlib import AbstractContextManager
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from calib.profile import Profile
    from reenact import errors
    from reenact.measure.measurements import AUMeasurements, Progress
    from reenact.measure.read_aus import ReadOptions
    from reenact.media.image_array import Picture
    from reenact.pipeline.meter import Report
    from reenact.programme.driver import Driver, Transfer
    from reenact.programme.keyframes import Keyframes
    from reenact.programme.steps import Steps
    from reenact.retarget.controls import Asked
    from reenact.run.files import EditOptions
    from reenact.run.image_editor import Faces, ImageEditor
    from reenact.run.live import LiveOptions
    from reenact.run.session import Session
    from reenact.track import TrackerOptions
else:

    def __getattr__(name: str) -> object:
        """The classes and modules of the interface, imported when they are first asked for."""
        from importlib import import_module

        if name == "errors":
            _refuse_shadows()
            return import_module("reenact.errors")
        if name in _CLASSES:
            _refuse_shadows()
            return getattr(import_module(_CLASSES[name]), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__version__ = "0.1.0"
__all__ = [
    "AUMeasurements",
    "ImageEditor",
    "__version__",
    "edit_image",
    "edit_video",
    "errors",
    "load_driver",
    "load_timeline",
    "open",
    "read_aus",
]
_CLASSES = {"AUMeasurements": "reenact.measure.measurements", "ImageEditor": "reenact.run.image_editor"}
"""The modules of the interface's classes."""


def edit_image(
    image: Picture,
    targets: Asked,
    *,
    strength: float | None = None,
    faces: Faces | None = None,
    generator: str | None = None,
    options: EditOptions | None = None,
) -> NDArray[np.uint8]:
    """The picture with another expression: a (height, width, 3) RGB uint8 array of the same size.

        edited = reenact.edit_image("anna.png", "smile", strength=0.7)

    image: a (height, width, 3) RGB uint8 array, which is not changed, or the path of a picture. OpenCV's
    arrays are BGR: image[..., ::-1] makes RGB of them.
    targets: as --target-aus takes them: "AU12=+2,AU4=-1", "smile", "smile,AU12L=+1"; the path of a .json
    file of targets; a programme or the path of a time line, of which the picture shows the time 0; or a
    function of time and face id.
    strength: how far to go from the face's present expression (0) to the targets (1, the default) and beyond
    (1.5).
    faces: which faces change: "largest", the default, "all", or a list of ids, which are those of `read_aus`.
    generator: what makes the new pixels: "live", the default, or "warp".
    options: everything that can be chosen. Of the three before it, those that are given replace what the
    options say.

    Models are opened for each call; for many pictures an ImageEditor opens them once. Any thread may call it.
    Where no face is found the picture comes back unchanged, with an ImageWarning.

    Raises ImageError, TargetError, KeyframesError, ControlError or FaceChoiceError (all ValueErrors) for
    arguments that cannot be used, StillError (an OSError) for a file that cannot be read, and TrackerError or
    EngineError (both RuntimeErrors) where a model cannot be opened.
    """
    _refuse_shadows()
    from reenact.media.image_array import as_still
    from reenact.retarget.controls import as_programme
    from reenact.run.image_editor import ImageEditor, chosen_options

    # What is wrong with the arguments is said before any model is opened.
    still, programme = as_still(image), as_programme(targets)
    chosen = chosen_options(options, strength=strength, faces=faces, generator=generator)
    with ImageEditor(options=chosen) as editor:
        return editor.edit(still.image, programme)


def edit_video(
    source: str | Path,
    output: str | Path,
    targets: Asked,
    *,
    strength: float | None = None,
    faces: Faces | None = None,
    generator: str | None = None,
    options: EditOptions | None = None,
    progress: Progress | None = None,
) -> Report:
    """Writes the film `source` as `output`, with other expressions; returns counts and speeds.

        report = reenact.edit_video("in.mp4", "out.mp4", "smile")

    source: the path or address of a film. Its sound, subtitles and times are kept.
    output: the path of the new film, whose ending chooses the kind: .mp4, .mov, .mkv or .webm. It appears
    when it is complete, and then replaces a file of that name.
    targets: as `edit_image` takes them. What a driver, a time line (or its path) and a function ask for
    changes over the time of the film.
    strength, faces, generator: as `edit_image` takes them. Faces have the ids of `read_aus`.
    options: everything that can be chosen, codec and quality among it. Of the three before it, those that
    are given replace what the options say.
    progress: called in the caller's thread after each frame that is written, with the number of frames so far
    and the number of all, None where that is not known. When it returns False, or raises, the run ends and
    leaves no file; False raises Stopped.

    Any thread may call it, and several films may be edited at the same time. What does not arrive as it was
    is logged by the logger "reenact.run.edit_video".

    Raises TargetError, KeyframesError, AURecordingError, ControlError or FaceChoiceError (all ValueErrors)
    for arguments that cannot be used, CaptureError or SinkError (both OSErrors) for a film that cannot be
    read or written, TrackerError or EngineError (both RuntimeErrors) where a model cannot be opened, and
    Stopped (a RuntimeError).
    """
    _refuse_shadows()
    from reenact.run import edit_video as module

    return module.edit_video(
        source,
        output,
        targets,
        strength=strength,
        faces=faces,
        generator=generator,
        options=options,
        progress=progress,
    )


def read_aus(
    source: Picture,
    *,
    max_faces: int | None = None,
    options: ReadOptions | None = None,
    progress: Progress | None = None,
) -> AUMeasurements:
    """The action units of all faces in a picture, a film or a folder of pictures, as arrays with names.

        table = reenact.read_aus("in.mp4")
        smile = table["AU12"]  # (rows,) intensities 0..5, at table.times_s

    source: a (height, width, 3) RGB uint8 array, which is not changed, or the path of a picture, of a film or
    of a folder of pictures.
    max_faces: look for at most this many faces; by default all in a picture and four in a film.
    options: everything that can be chosen, a person's profile among it; `max_faces` replaces what it says.
    progress: called in the caller's thread after each frame, with the number of frames so far and the number
    of all, None where that is not known. False ends the run and raises Stopped. It is not called for arrays.

    For many arrays, `ImageEditor.read` opens the models once. Any thread may call it. An array without a face
    gives no rows, and an ImageWarning.

    Raises ImageError (a ValueError) for an array that is no picture, StillError or CaptureError (both
    OSErrors) for a file that cannot be read, TrackerError (a RuntimeError), and Stopped (a RuntimeError).
    """
    _refuse_shadows()
    from reenact.measure.measurements import read_aus as read

    return read(source, max_faces=max_faces, options=options, progress=progress)


def load_driver(
    source: str | Path,
    *,
    face: int | str | None = None,
    fps: float | None = None,
    profile: Profile | str | Path | None = None,
    driven_profile: Profile | str | Path | None = None,
    transfer: Transfer | None = None,
    regions: str | Iterable[str] | None = None,
    gain: float | None = None,
    start_s: float | None = None,
    loop: bool | None = None,
    tracker: TrackerOptions | None = None,
    progress: Progress | None = None,
) -> Driver:
    """A programme that gives faces the expression of another face: what `--driver` does.

        driver = reenact.load_driver("actor.mp4", regions="mouth")
        reenact.edit_video("in.mp4", "out.mp4", driver)

    source: the path or address of a film or a picture of the other face, or the path of a table of its action
    units (.csv, .tsv or .txt) by OpenFace, py-feat, LibreFace, FaceReader or `reenact aus`.
    face: which face of the source is followed: an id of `read_aus`, or a name in the table's column face_id
    or Identity, where "0,2" joins two names of one face. None: the only face of a table, the face that is in
    most frames of a film, or the largest face of a picture.
    fps: the frame rate of a table without times, in frames per second. None: the table has times.
    profile: the profile of the other person, or its path; intensities count from its neutral. None: the
    neutral is estimated from the source.
    driven_profile: the profile of the person whose face changes, or its path. With both profiles the driver's
    range of each action unit is scaled to that person's. None: it is not scaled.
    transfer: "absolute", the default, replaces the face's own expression; "relative" adds to it.
    regions: which of brows, eyes and mouth follow the driver, as "mouth", "brows,eyes" or a list of names.
    None: all of them.
    gain: the factor on the driver's intensities, 0..3; 1 by default.
    start_s: the time in the source, in seconds, at which the driver begins; 0 by default.
    loop: whether the driver begins again at its end; not, by default.
    tracker: how faces are found in a film or a picture. None: the defaults.
    progress: called in the caller's thread after each frame of a film, with the number of frames so far and
    the number of all, None where that is not known. False ends the run and raises Stopped.

    A driver may be used several times, and in several threads at once. Remarks on how a table was read are
    logged by the logger "reenact.run.load_driver".

    Raises AURecordingError, ProfileError, RegionError or ControlError (all ValueErrors) for arguments that
    cannot be used, StillError or CaptureError (both OSErrors) for a picture or film that cannot be read,
    TrackerError (a RuntimeError), and Stopped (a RuntimeError).
    """
    _refuse_shadows()
    from reenact.run import load_driver as module

    return module.load_driver(
        source,
        face=face,
        fps=fps,
        profile=profile,
        driven_profile=driven_profile,
        transfer=transfer,
        regions=regions,
        gain=gain,
        start_s=start_s,
        loop=loop,
        tracker=tracker,
        progress=progress,
    )


def load_timeline(
    path: str | Path, *, face: int | str | None = None, fps: float | None = None
) -> Keyframes | Steps | Driver:
    """A programme that follows the keyframes in a file: what `--timeline` does.

        timeline = reenact.load_timeline("smile.csv")
        reenact.edit_video("in.mp4", "out.mp4", timeline)

    path: a .csv with the columns time, au, value and, if wanted, kind, easing and face; a .json of keyframes
    or of the steps that somebody took in the panel; or a table of measured action units, which is followed
    like a driver.
    face: which face of a table of measured action units is followed, as `load_driver` takes it.
    fps: the frame rate of a table of measured action units without times. None: the table has times.

    Values above 0 that look as if a spreadsheet had dropped their plus signs give a warning by the logger
    "reenact.programme.timeline_file".

    Raises KeyframesError or AURecordingError (both ValueErrors), which name the file and the place in it.
    """
    _refuse_shadows()
    from pathlib import Path

    from reenact.programme.timeline_file import load_timeline as load
    from reenact.programme.timeline_file import log_notes

    timeline = load(Path(path), None if face is None else str(face), fps)
    log_notes(Path(path), timeline)
    return timeline


def open(
    camera: int | str | Path = 0,
    targets: Asked = "none",
    *,
    strength: float | None = None,
    mirror: bool | None = None,
    virtual_camera: bool | None = None,
    generator: str | None = None,
    options: LiveOptions | None = None,
) -> AbstractContextManager[Session]:
    """A live run to loop over; see reenact.run.session.

        with reenact.open(0, targets="smile") as session:
            for frame in session:
                frame.image  # (height, width, 3) RGB uint8

    camera: an index, a path as /dev/video0, a URL, or a video file that stands in for one, over and over.
    targets: as `edit_image` takes them. Relative ones (AU12=+2) add to what the face shows, absolute ones
    (AU12=3) replace it, and presets (smile) lead it to an expression. Drivers and time lines begin with the
    first frame.
    strength: how far to go from the face's present expression (0) to the targets (1, the default) and beyond
    (1.5).
    mirror: whether left and right are exchanged in `frame.image`; not, by default.
    virtual_camera: whether other programs shall see the result as a camera, too; not, by default.
    generator: what makes the new pixels: "live", the default, or "warp".
    options: everything that can be chosen. Of the four before it, those that are given replace what the
    options say; without options the four have the defaults above, and no preview window opens.

    A session changes a few settings of the whole process, and all of them are as before when it has ended:
    numpy's BLAS keeps to one thread; standard streams that are closed lead nowhere; while a camera or a URL
    is open, OpenCV says nothing, and OPENCV_FFMPEG_LOGLEVEL and OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT are set in
    the environment unless they are already; and standard error is diverted, and signals are held back, for
    the moment in which MediaPipe opens. What stays is what other libraries do when they are imported: OpenCV
    sets QT_QPA_PLATFORM_PLUGIN_PATH, QT_QPA_FONTDIR and LD_LIBRARY_PATH, threadpoolctl KMP_DUPLICATE_LIB_OK,
    and numpy adds filters for warnings. Import them first to see to that yourself.

    Raises CaptureError, SinkError (both OSErrors), TrackerError or EngineError (both RuntimeErrors) where
    something cannot be opened, and TargetError, KeyframesError or ControlError (all ValueErrors) for
    arguments that cannot be used.
    """
    _refuse_shadows()
    from reenact.run.session import live_options, open_session

    chosen = live_options(options, strength, mirror, virtual_camera, generator)
    return open_session(str(camera), targets, chosen)


def _refuse_shadows() -> None:
    """Raises ShadowedPackageError where a file of the user's hides a package that the run-time needs.

    It runs ahead of the imports in each function, which are there so that `import reenact` stays cheap.
    """
    from reenact.process.shadowing import refuse_shadows

    refuse_shadows("engines", "calib")
