"""A camera in, the same with other action units out while it happens: the live frame loop, wired up."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2

from calib.profile import Profile, ProfileError
from reenact.generate import FaceGenerator, open_generator
from reenact.generate.painters.mouth import MouthMemory, MouthViews
from reenact.generate.paste import paste
from reenact.measure.profiles import mouth_of, profile_to_renew, renewed, save_profile, with_mouth
from reenact.media.read import Camera, CameraOptions, open_camera
from reenact.media.read.devices import USUAL_RATE, Size
from reenact.media.write.au_csv import open_csv
from reenact.media.write.encoding import SinkError
from reenact.media.write.virtual_camera import VirtualCamera, open_virtual_camera
from reenact.pipeline.meter import LiveStatus, Meter, Report
from reenact.pipeline.runner import LeftThreads, LiveSink, Stage, closed_after_stages, live_records
from reenact.programme import Programme
from reenact.records import Finished, Generated
from reenact.retarget.controls import Controls, Settings
from reenact.retarget.live_retargeter import LiveRetargeter
from reenact.run.files import EditOptions, edited_with, measuring_stages
from reenact.run.freeze_frame import Freeze
from reenact.run.load_shedding import STEPS, Ladder, LadderOptions
from reenact.run.preview import Preview
from reenact.run.preview_window import Window, why_no_preview
from reenact.run.recording.recorder import Recorder, RecordOptions, open_recorder
from reenact.track import Tracker


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
    budget_ms: float = LadderOptions.budget_ms
    """Budget of the 95th percentile of the latency. Above it less is done (see reenact.run.load_shedding)."""
    preview: bool | None = None
    """Whether a window shows the result; None: where one can open."""
    record: RecordOptions | None = None
    """What to record, from the first frame on."""
    save_profile: Path | None = None
    """Where a neutral is written whenever one is taken; what the file says of the rest stays."""
    with_mouth: bool = False
    """Whether that profile also keeps pictures of the inside of the person's mouth."""


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
    recorder: Recorder | None
    """One of the sinks; it can be stopped and started in the thread that runs."""
    controls: Controls
    """What may be changed while it runs, from any thread."""
    retargeter: LiveRetargeter
    meter: Meter
    ladder: Ladder
    person: Profile
    """What was known of the person when the run began."""
    save_profile: Path | None
    """Where a neutral is written when it is taken."""
    views: Callable[[], MouthViews]
    """Called to have what the profile is to keep of the largest face's mouth."""
    window: Window | None
    """Where the result is shown, with figures and keys."""
    notes: tuple[str, ...]
    """Where the result goes, and what is not as it was asked for, one plain line each."""
    warnings: tuple[str, ...]
    """What is missing, and what to do about it, one plain line each."""
    left: LeftThreads
    """The threads that the end of the run did not wait for."""

    def run(self, going: Callable[[], bool]) -> Report:
        """Goes on while the window is open and `going`, asked many times a second in this thread, says so."""
        end = object()
        with closing(self.records()) as records:
            while going() and next(records, end) is not end:
                pass
        return self.meter.report()

    def records(self) -> Generator[Finished | None, None, None]:
        """The frames, each when it has been written, and None now and then between; closing ends the run."""
        preview = self._preview()
        shown = [preview] if preview else []
        frozen = Freeze([*self.sinks, *shown], lambda: self.camera.signal)
        sinks: list[LiveSink] = [FaceCount(self.meter), frozen, Latencies(self.ladder)]
        # One group: with the next frame tracked in a thread of its own, frames came as often, but later
        # (720p30, two cores of which one was busy, warp: p50 20 ms, not 18, p95 31, not 26).
        stages = [Stage("track", self.tracker), *self.measuring, *self.making]
        records_of_run = live_records(self.camera, [stages], sinks, meter=self.meter, left=self.left)
        with closing(records_of_run) as records:
            for record in records:
                yield record
                if preview and preview.closed:
                    return

    def take_neutral(self) -> bool:
        """What the largest face has shown in the last second is its neutral from now on; False: no face was
        there. Any thread may ask for it. Raises ProfileError where it cannot be saved; it holds all the same.
        """
        neutral = self.retargeter.at_rest()
        if neutral is None:
            return False
        self.controls.set(neutral=neutral)
        if self.save_profile is not None:
            person = renewed(self.person, "neutral taken in a live run", neutral)
            save_profile(with_mouth(person, self.views()), self.save_profile)
        return True

    def keep_mouth(self) -> int:
        """Writes what the run has seen of the inside of the largest face's mouth into the profile; the number
        of pictures that it then holds, 0 where nothing was to be written. Raises ProfileError."""
        views = self.views()
        if self.save_profile is None or not len(views):
            return 0
        person = with_mouth(profile_to_renew(self.save_profile), views)
        save_profile(person, self.save_profile)
        return len(person.mouth)

    def neutral_key(self) -> str:
        """Takes the neutral; says in one line what came of it."""
        try:
            taken = self.take_neutral()
        except ProfileError as error:
            return f"this is the neutral face now; {error}"
        if not taken:
            return "no face: the neutral stays as it was"
        saved = f", saved as {self.save_profile.name}" if self.save_profile is not None else ""
        return f"this is the neutral face now{saved}"

    def status(self) -> LiveStatus:
        """How it goes now; any thread may ask."""
        return replace(self.meter.live_status(self.camera.signal), step=self.ladder.line)

    def _preview(self) -> Preview | None:
        if self.window is None:
            return None
        return Preview(self.window, self.controls, self.status, self.neutral_key, self.recorder)


@contextmanager
def open_live(
    where: int | str, targets: Programme, options: LiveOptions = LiveOptions()
) -> Iterator[LiveEdit]:
    """Opens everything that a live run needs; `where` is as `open_camera` takes it.

    The table of action units is complete when the block ends well. A tracker and a generator that a stage
    still uses then are closed when the stage has ended. Raises CaptureError, SinkError, CsvError,
    TrackerError or EngineError where something cannot be opened, ProfileError for what cannot be saved to.
    """
    edit, person = options.edit, options.edit.retarget.profile
    neutral = None if person is None else person.neutral
    settings = Settings(targets, edit.retarget.strength, neutral=neutral, mirror=options.mirror)
    controls = Controls(settings)
    if options.save_profile is not None:
        known = profile_to_renew(options.save_profile)
        person = person or known
    left = LeftThreads()
    with closed_after_stages(left) as used, ExitStack() as opened:
        camera = opened.enter_context(open_camera(where, options.camera))
        meter = Meter()
        window, why_no_window = _window(options.preview, camera.size, opened)
        seen = window is not None or options.record is not None
        sink, why_no_sink = _virtual_camera(camera, options, opened, needed=not seen)
        recorder = _recorder(options, camera, meter, edited_with(targets, edit.retarget))
        table = opened.enter_context(open_csv(edit.aus_csv, asked=True)) if edit.aus_csv else None
        tracker = used.enter_context(Tracker(edit.tracker))
        memory = _memory(person) if edit.own_mouth else None
        generator, ladder = _generator(options, memory, used)
        retargeter = LiveRetargeter(controls, edit.retarget)
        if recorder is not None:
            opened.enter_context(recorder)
            recorder.start()
        named = [f"other programs see the result as the camera {sink.name}"] if sink else []
        yield LiveEdit(
            camera=camera,
            tracker=tracker,
            measuring=measuring_stages(retargeter, table, meter, edit.occlusion),
            making=(*_steps(generator), Stage("paste", Finish(controls))),
            sinks=tuple(filter(None, (sink, recorder))),
            recorder=recorder,
            controls=controls,
            retargeter=retargeter,
            meter=meter,
            ladder=ladder,
            person=person or Profile(),
            save_profile=options.save_profile,
            views=_views(memory, retargeter) if options.with_mouth else MouthViews,
            window=window,
            notes=(*camera.notes, *named, *why_no_window, *generator.notes),
            warnings=why_no_sink,
            left=left,
        )


def _window(wanted: bool | None, size: Size, opened: ExitStack) -> tuple[Window | None, tuple[str, ...]]:
    """(the window, why there is none although nobody has said that there shall be none)."""
    if wanted is False:
        return None, ()
    why = why_no_preview()
    if why is None:
        return opened.enter_context(Window("reenact", size)), ()
    if wanted:
        raise SinkError(f"no preview: {why}")
    return None, (f"no preview: {why}",)


def _virtual_camera(
    camera: Camera, options: LiveOptions, opened: ExitStack, *, needed: bool
) -> tuple[VirtualCamera | None, tuple[str, ...]]:
    """(the virtual camera, why there is none although it was asked for); SinkError if it is `needed`."""
    if not options.virtual_camera:
        return None, ()
    rate = float(camera.rate or options.camera.fps or USUAL_RATE)
    try:
        return opened.enter_context(open_virtual_camera(camera.size, rate, options.virtual_device)), ()
    except SinkError as error:
        if needed:
            raise
        return None, (str(error),)


def _recorder(options: LiveOptions, camera: Camera, meter: Meter, comment: str) -> Recorder | None:
    if options.record is None:
        return None
    return open_recorder(options.record, camera.rate, comment, meter.recent_latency_ms)


def _memory(person: Profile | None) -> MouthMemory:
    known = mouth_of(person)
    return MouthMemory(lambda frame, face: known)


def _views(memory: MouthMemory | None, retargeter: LiveRetargeter) -> Callable[[], MouthViews]:
    """Gives what is remembered of the largest face."""

    def views() -> MouthViews:
        track_id = retargeter.largest_id()
        return MouthViews() if memory is None or track_id is None else memory.views(track_id)

    return views


def _generator(
    options: LiveOptions, memory: MouthMemory | None, used: ExitStack
) -> tuple[FaceGenerator, Ladder]:
    """(the generator, what decides with how much effort it works)."""
    edit, budget = options.edit, LadderOptions(options.budget_ms)
    ladder = Ladder(options=budget)
    generator = open_generator(
        edit.generator,
        edit.model,
        edit.engine,
        effort=lambda: ladder.step.effort,
        memory=memory,
    )
    used.enter_context(generator)
    # One that leaves nothing for later does not heed the steps.
    return generator, ladder if generator.afterwards else Ladder(STEPS[:1], budget)


def _steps(generator: FaceGenerator) -> tuple[Stage, ...]:
    """The generator's; what it leaves for later is left by the last."""
    *before, (name, last) = generator.steps.items()
    return *(Stage(each, step) for each, step in before), Stage(name, last, generator.afterwards)


class Latencies:
    """A sink that tells the ladder how late every frame was; the last of all."""

    def __init__(self, ladder: Ladder) -> None:
        self._ladder = ladder

    def write(self, record: Finished) -> None:
        captured_ns = record.frame.captured_ns
        if captured_ns is not None:
            self._ladder.note((time.perf_counter_ns() - captured_ns) / 1e6)

    def idle(self) -> None:
        """Nothing is late."""


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
