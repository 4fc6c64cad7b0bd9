"""Write facial action units: change a face's expression in a video or a live camera picture."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

    from reenact.programme import Programme
    from reenact.programme.programme import TargetsAt
    from reenact.run.live import LiveOptions
    from reenact.run.session import Session

__version__ = "0.1.0"

logging.getLogger(__name__).addHandler(logging.NullHandler())  # who uses the package decides what is shown


def open(
    camera: int | str | Path = 0,
    targets: str | Programme | TargetsAt = "none",
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
    targets: as --target-aus takes them, or a function of time and face. Relative ones (AU12=+2) add to what
    the face does, absolute ones (AU12=3) replace it, and presets (smile) lead it to an expression.
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
    something cannot be opened, TargetError or ControlError (both ValueErrors) for what cannot be asked for.
    """
    # Here, so that `import reenact` stays cheap.
    from reenact.process.shadowing import refuse_shadows

    refuse_shadows("engines", "calib")
    from reenact.run.session import live_options, open_session

    chosen = live_options(options, strength, mirror, virtual_camera, generator)
    return open_session(str(camera), targets, chosen)
