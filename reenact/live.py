"""A camera in, the same with other action units out while it happens: the live frame loop, wired up."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace

import cv2

from reenact.capture import Camera, CameraOptions, open_camera
from reenact.capture.devices import USUAL_RATE
from reenact.controls import Controls, Settings
from reenact.edit import EditOptions, measuring_stages
from reenact.generate import open_generator
from reenact.meter import LiveStatus, Meter, Report
from reenact.paste import paste
from reenact.pipeline import LiveSink, Stage, live_records, run_live
from reenact.retarget import Programme
from reenact.retarget.targets import Targets
from reenact.sinks.csv import open_csv
from reenact.sinks.virtualcam import open_virtual_camera
from reenact.steer import Steer
from reenact.track import Tracker
from reenact.types import Finished, Generated


@dataclass(frozen=True)
class LiveOptions:
    camera: CameraOptions = field(default_factory=CameraOptions)
    mirror: bool = Settings.mirror
    """Left and right exchanged in what is shown, at first; the controls can change it."""
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
    controls: Controls
    """What may be changed while it runs, from any thread."""
    steer: Steer
    meter: Meter
    notes: tuple[str, ...]
    """Where the result goes, and what is not as it was asked for, one plain line each."""

    def run(self, going: Callable[[], bool]) -> Report:
        """Goes on while `going`, asked many times a second in this thread, says so."""
        run_live(self.camera, self._groups(), self._sinks(), meter=self.meter, going=going)
        return self.meter.report()

    def records(self) -> Generator[Finished | None, None, None]:
        """The same for whoever wants the frames: each when it has been written, None now and then between.

        Closing the generator ends the run.
        """
        return live_records(self.camera, self._groups(), self._sinks(), meter=self.meter)

    def take_neutral(self) -> bool:
        """What the largest face has shown in the last second is its neutral from now on; False: no face was
        there. Any thread may ask for it."""
        neutral = self.steer.at_rest()
        if neutral is not None:
            self.controls.set(neutral=neutral)
        return neutral is not None

    def status(self) -> LiveStatus:
        """How it goes now; any thread may ask."""
        return self.meter.live_status(self.camera.signal)

    def _groups(self) -> list[list[Stage]]:
        return [[Stage("track", self.tracker), *self.measuring, *self.making]]

    def _sinks(self) -> list[LiveSink]:
        return [FaceCount(self.meter), *self.sinks]


@contextmanager
def open_live(
    where: int | str, targets: Targets | Programme, options: LiveOptions = LiveOptions()
) -> Iterator[LiveEdit]:
    """Opens everything that a live run needs; `where` is as `open_camera` takes it.

    The table of action units is complete when the block ends well. Raises CaptureError, SinkError, CsvError,
    TrackerError or EngineError where something cannot be opened.
    """
    edit = options.edit
    controls = Controls(Settings(targets, edit.retarget.strength, mirror=options.mirror))
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
        steer = Steer(controls, edit.retarget)
        measuring = measuring_stages(steer, table)
        making = Stage("generate", generator), Stage("paste", Finish(controls))
        notes = (*camera.notes, *named, *generator.notes)
        yield LiveEdit(camera, tracker, measuring, making, tuple(sinks), controls, steer, Meter(), notes)


class FaceCount:
    """A sink that only counts: of the frames that are written, those with a face."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter

    def write(self, record: Finished) -> None:
        self._meter.count_faces(record)

    def idle(self) -> None:
        """Nothing to count."""


class Finish:
    """Pastes, and mirrors where that is wanted; hands on all that is known of the frame."""

    def __init__(self, controls: Controls) -> None:
        self._controls = controls

    def __call__(self, generated: Generated) -> Finished:
        # Last of all, not in the camera: the tracker would lose the face, and left would mean right.
        mirror = self._controls.now.mirror
        frame = paste(generated)
        output = replace(frame, image=cv2.flip(frame.image, 1)) if mirror else frame
        return Finished(**vars(generated), output=output, mirrored=mirror)
