"""A camera in, the same with other action units out while it happens: the live frame loop, wired up."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from reenact.capture import Camera, CameraOptions, open_camera
from reenact.capture.devices import USUAL_RATE
from reenact.edit import EditOptions, measuring_stages
from reenact.generate import open_generator
from reenact.meter import LiveStatus, Meter, Report
from reenact.paste import paste
from reenact.pipeline import LiveSink, Stage, run_live
from reenact.retarget import Programme
from reenact.retarget.targets import Targets
from reenact.sinks.csv import open_csv
from reenact.sinks.virtualcam import open_virtual_camera
from reenact.track import Tracker
from reenact.types import Finished, Frame, Generated


@dataclass(frozen=True)
class LiveOptions:
    camera: CameraOptions = field(default_factory=CameraOptions)
    edit: EditOptions = field(default_factory=EditOptions)
    """What changes the faces; what is about files in it does not matter here, but for `aus_csv`."""
    virtual_camera: bool = True
    """Whether other programs shall see the result as a camera."""
    virtual_device: str | None = None
    """Which virtual camera; None takes the first that is free."""


@dataclass(frozen=True, eq=False)
class LiveEdit:
    """A camera and all that its frames go through and into, open and ready to run once."""

    camera: Camera
    tracker: Tracker
    measuring: tuple[Stage, ...]
    """The stages that follow the tracker."""
    making: tuple[Stage, ...]
    """Those that make the new frame; the last leaves a Finished."""
    sinks: tuple[LiveSink, ...]
    meter: Meter
    notes: tuple[str, ...]
    """Where the result goes, and what is not as it was asked for, one plain line each."""

    def run(self, going: Callable[[], bool]) -> Report:
        """Goes on while `going`, asked many times a second in this thread, says so."""
        stages = [Stage("track", self.tracker), *self.measuring, *self.making]
        sinks = [FaceCount(self.meter), *self.sinks]
        run_live(self.camera, [stages], sinks, meter=self.meter, going=going)
        return self.meter.report()

    def status(self) -> LiveStatus:
        """How it goes now; any thread may ask."""
        return self.meter.live_status(self.camera.signal)


@contextmanager
def open_live(
    where: int | str, targets: Targets | Programme, options: LiveOptions = LiveOptions()
) -> Iterator[LiveEdit]:
    """Opens everything that a live run needs; `where` is as `open_camera` takes it.

    The table of action units is complete when the block ends well. Raises CaptureError, SinkError, CsvError,
    TrackerError or EngineError where something cannot be opened.
    """
    edit = options.edit
    with ExitStack() as opened:
        camera = opened.enter_context(open_camera(where, options.camera))
        sinks, named = [], []
        if options.virtual_camera:
            rate = float(camera.rate or options.camera.fps or USUAL_RATE)
            sink = opened.enter_context(open_virtual_camera(camera.size, rate, options.virtual_device))
            sinks.append(sink)
            named.append(f"other programs see the result as the camera {sink.name}")
        table = opened.enter_context(open_csv(edit.aus_csv)) if edit.aus_csv else None
        tracker = opened.enter_context(Tracker(edit.tracker))
        generator = opened.enter_context(open_generator(edit.generator, edit.model, edit.engine))
        measuring = measuring_stages(targets, edit.retarget, table)
        making = [
            *(Stage(name, step) for name, step in generator.steps.items()),
            Stage("paste", finished_by(paste)),
        ]
        notes = (*camera.notes, *named, *generator.notes)
        yield LiveEdit(camera, tracker, measuring, tuple(making), tuple(sinks), Meter(), notes)


class FaceCount:
    """A sink that only counts: of the frames that are written, those with a face."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter

    def write(self, record: Finished) -> None:
        self._meter.count_faces(record)

    def idle(self) -> None:
        """Nothing to count."""


def finished_by(make: Callable[[Generated], Frame]) -> Callable[[Generated], Finished]:
    """A stage that makes the frame to be shown, and hands on all that is known of it."""

    def finish(generated: Generated) -> Finished:
        return Finished(**vars(generated), output=make(generated))

    return finish
