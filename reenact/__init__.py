"""Write facial action units: change a face's expression in a video or a live camera picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

    from reenact.live import LiveOptions
    from reenact.retarget import Programme
    from reenact.retarget.programme import TargetsAt
    from reenact.session import Session

__version__ = "0.1.0"


def open(
    camera: int | str | Path = 0,
    targets: str | Programme | TargetsAt = "none",
    *,
    strength: float = 1.0,
    mirror: bool = False,
    virtual_camera: bool = False,
    generator: str = "live",
    options: LiveOptions | None = None,
) -> AbstractContextManager[Session]:
    """A live run to loop over; see reenact.session.

        with reenact.open(0, targets="smile") as session:
            for frame in session:
                frame.image  # (height, width, 3) RGB uint8

    camera: an index, a path as /dev/video0, a URL, or a video file that stands in for one, over and over.
    targets: as --target-aus takes them, or a function of time and face. Relative ones (AU12=+2) add to what
    the face does, absolute ones (AU12=3) replace it, and presets (smile) lead it to an expression.
    strength: how far to go from the face's present expression (0) to the targets (1) and beyond (1.5).
    virtual_camera: whether other programs shall see the result as a camera, too.
    options: everything that can be chosen, in place of the four before it.

    Raises CaptureError, SinkError (both OSErrors), TrackerError or EngineError (both RuntimeErrors) where
    something cannot be opened, TargetError or ControlError (both ValueErrors) for what cannot be asked for.
    """
    # Here, so that `import reenact` stays cheap.
    from reenact.session import live_options, open_session

    chosen = options or live_options(strength, mirror, virtual_camera, generator)
    return open_session(str(camera), targets, chosen)
