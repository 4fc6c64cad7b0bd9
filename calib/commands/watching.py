"""The readings of one face over time, from a camera or a film."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import click

from calib.estimator import load_estimator
from reenact.cli.errors import note, unusable_input
from reenact.cli.grouped import CommandT, option
from reenact.cli.parameters import FILE
from reenact.measure.measurer import Measurer
from reenact.media.read import Camera, FileCapture, open_camera, open_capture
from reenact.media.read.spool import without_password
from reenact.programme.face_choice import FaceChoiceOptions, LargestFace
from reenact.programme.live_driver import DriverReading
from reenact.run.read_driver import live_readings, reading_of
from reenact.track import Tracker, TrackerOptions


class CalibrationError(ValueError):
    """Raised if a face cannot be calibrated; the message is one line for the user."""


def source_options(command: CommandT) -> CommandT:
    """--camera and --video, whose values `watching` takes."""
    film = option("--video", type=FILE, metavar="FILE", help="A film of the face.")
    camera = option("--camera", metavar="CAMERA", help="The camera before which you sit: 0, /dev/video2.")
    return camera(film(command))


def check_source(**sources: object) -> None:
    """Raises a usage error unless exactly one of the sources is given."""
    if sum(source is not None for source in sources.values()) != 1:
        names = " or ".join(f"--{name}" for name in sources)
        raise click.UsageError(f"give either {names}", click.get_current_context())


def shown_source(camera: str | None, video: Path | None) -> str:
    """The source in words, for messages and profiles. A file is named without its folder."""
    if camera is None or Path(camera).is_file():
        return f"film {Path(video or camera or '').name}"
    return f"camera {without_password(camera)}"


@contextmanager
def watching(
    camera: str | None, video: Path | None, landmarker: Path | None = None
) -> Iterator[Generator[DriverReading, None, None]]:
    """The readings of the largest face: in every frame of a film, or in the newest ones of a camera."""
    with ExitStack() as opened:
        with unusable_input():
            source: FileCapture | Camera
            if video is not None:
                source = opened.enter_context(open_capture(video))
            else:
                source = opened.enter_context(open_camera(camera or "0"))
            tracker = opened.enter_context(Tracker(TrackerOptions(model_path=landmarker)))
        for line in source.notes:
            note(line)
        yield opened.enter_context(closing(_readings(source, tracker)))


def _readings(source: FileCapture | Camera, tracker: Tracker) -> Generator[DriverReading, None, None]:
    if isinstance(source, Camera):
        with closing(live_readings(source, tracker)) as readings:
            yield from filter(None, readings)
        return
    measure, largest = (
        Measurer(load_estimator()),
        LargestFace(FaceChoiceOptions.larger, FaceChoiceOptions.patience_s),
    )
    for frame in source:
        yield reading_of(measure(tracker(frame)), largest)
