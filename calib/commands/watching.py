"""One face, as a camera, a film or a picture shows it: its readings over time."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import click

from calib.au import AUVector
from calib.estimator import load_estimator
from reenact.capture import Camera, FileCapture, open_camera, open_capture
from reenact.capture.devices import shown
from reenact.cli.errors import note, unusable_input
from reenact.cli.parameters import FILE, CommandT
from reenact.measure import Measurer
from reenact.meter import Meter
from reenact.pipeline import Stage, live_records
from reenact.retarget import RetargetOptions
from reenact.retarget.choose import Largest
from reenact.track import Tracker, TrackerOptions
from reenact.types import Measured


class CalibrationError(ValueError):
    """A face that cannot be calibrated; the message is one line for the user."""


@dataclass(frozen=True, eq=False)
class Reading:
    """What the face shows at a time."""

    time_s: float
    aus: AUVector | None
    """(17,) 0..5; None where there is no face."""


def source_options(command: CommandT) -> CommandT:
    """--camera and --video; `watching` understands them."""
    film = click.option("--video", type=FILE, metavar="FILE", help="A film of the face.")
    camera = click.option(
        "--camera", metavar="INDEX|PATH|URL", help="The camera before which you sit: 0, /dev/video2."
    )
    return camera(film(command))


def check_source(**sources: object) -> None:
    """A usage error unless one of them is given."""
    if sum(source is not None for source in sources.values()) != 1:
        names = " or ".join(f"--{name}" for name in sources)
        raise click.UsageError(f"give either {names}", click.get_current_context())


def shown_source(camera: str | None, video: Path | None) -> str:
    """For a line, and for a profile that others may see: files without their folders."""
    if camera is None or Path(camera).is_file():
        return f"film {Path(video or camera or '').name}"
    return f"camera {shown(camera)}"


@contextmanager
def watching(camera: str | None, video: Path | None) -> Iterator[Generator[Reading, None, None]]:
    """The readings of the largest face: in every frame of a film, or in the newest ones of a camera."""
    with ExitStack() as opened:
        with unusable_input():
            source: FileCapture | Camera
            if video is not None:
                source = opened.enter_context(open_capture(video))
            else:
                source = opened.enter_context(open_camera(camera or "0"))
            tracker = opened.enter_context(Tracker(TrackerOptions()))
        for line in source.notes:
            note(line)
        records = opened.enter_context(closing(_records(source, tracker)))
        yield opened.enter_context(closing(_readings(records)))


def _records(source: FileCapture | Camera, tracker: Tracker) -> Generator[Measured, None, None]:
    measure = Measurer(load_estimator())
    if isinstance(source, Camera):
        stages = Stage("track", tracker), Stage("measure", measure)
        with closing(live_records(source, [stages], [], meter=Meter())) as records:
            yield from filter(None, records)
    else:
        yield from (measure(tracker(frame)) for frame in source)


def _readings(records: Iterable[Measured]) -> Generator[Reading, None, None]:
    largest = Largest(RetargetOptions.larger, RetargetOptions.patience_s)
    for measured in records:
        chosen = largest(measured)
        faces = zip(measured.faces, measured.aus, strict=True)
        aus = next((aus for face, aus in faces if face.track_id == chosen), None)
        yield Reading(float(measured.frame.pts), aus)
