"""Edits a camera's frames live: opens all stages and sinks and runs the frame loop."""

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
from reenact.run.deadline import Deadline
from reenact.run.desk import Desk
from reenact.run.files import EditOptions, edited_with, measuring_stages
from reenact.run.freeze_frame import Freeze
from reenact.run.load_shedding import STEPS, LoadShedder, LoadSheddingOptions
from reenact.run.preview import Preview
from reenact.run.preview_window import Window, why_no_preview
from reenact.run.recording.recorder import Recorder, RecordOptions, open_recorder
from reenact.run.warm_up import warm_up
from reenact.track import Tracker


@dataclass(frozen=True)
class LiveOptions:
    """The options of a live run."""

    camera: CameraOptions = field(default_factory=CameraOptions)
    """The requested size and rate of the camera, and its time limits."""
    mirror: bool = Settings.mirror
    """Whether the output is mirrored at the start; the controls can change it."""
    edit: EditOptions = field(default_factory=EditOptions)
    """The options of the edit; of those about files only `aus_csv` applies."""
    virtual_camera: bool = True
    """Whether the output is sent to a virtual camera."""
    virtual_device: str | None = None
    """The name of the virtual camera. None: the first one that is free."""
    budget_ms: float = LoadSheddingOptions.budget_ms
    """The budget of the 95th percentile of the latency, in milliseconds. Above it the effort is reduced; see
    reenact.run.load_shedding."""
    preview: bool | None = None
    """Whether a window shows the output. None: if one can be opened."""
    record: RecordOptions | None = None
    """The recording from the first frame on. None: nothing is recorded."""
    save_profile: Path | None = None
    """The profile file to which a neutral is written when it is taken; the rest stays. None: no file."""
    with_mouth: bool = False
    """Whether that profile also contains pictures of the inside of the person's mouth."""


@dataclass(frozen=True, eq=False)
class LiveEdit:
    """A live run whose camera, models and sinks are open; it can be run once."""

    camera: Camera
    """The input."""
    tracker: Tracker
    """The first stage."""
    measuring: tuple[Stage, ...]
    """The stages after the tracker: measurement and retargeting."""
    making: tuple[Stage, ...]
    """The stages that make the new frame; the last one returns a Finished."""
    sinks: tuple[LiveSink, ...]
    """The virtual camera, the recorder and the desk, if there are any."""
    recorder: Recorder | None
    """The recorder, which may be started and stopped in the thread that runs. None: nothing is recorded."""
    controls: Controls
    """The settings, which any thread may change during the run."""
    retargeter: LiveRetargeter
    """Computes the requested change of each face."""
    meter: Meter
    """Measures stages and latency."""
    load_shedder: LoadShedder
    """Chooses the generator's effort from the latency."""
    deadline: Deadline
    """Spares a frame the networks' work that would make it late."""
    person: Profile
    """The person's profile at the start of the run; empty where there was none."""
    save_profile: Path | None
    """The profile file to which a neutral is written when it is taken. None: no file."""
    views: Callable[[], MouthViews]
    """Gives the pictures of the largest face's mouth for the profile."""
    window: Window | None
    """The preview window. None: there is no preview."""
    notes: tuple[str, ...]
    """The output's destinations and the differences from the request, one line each."""
    warnings: tuple[str, ...]
    """The sinks that could not be opened and the remedies, one line each."""
    left: LeftThreads
    """The threads that were still running when the run ended."""

    def run(self, keep_going: Callable[[], bool]) -> Report:
        """Runs until the window is closed or `keep_going`, called many times a second here, gives False."""
        end = object()
        with closing(self.records()) as records:
            while keep_going() and next(records, end) is not end:
                pass
        return self.meter.report()

    def records(self) -> Generator[Finished | None, None, None]:
        """The frames, each after it has been written, and None between them; closing it ends the run."""
        preview = self._preview()
        shown = [preview] if preview else []
        frozen = Freeze([*self.sinks, *shown], lambda: self.camera.signal)
        sinks: list[LiveSink] = [
            FaceCountSink(self.meter),
            frozen,
            LatencySink(self.load_shedder, self.deadline),
        ]
        # All stages run in one thread. With a second thread for the tracker the frame rate was the same and
        # the latency higher (720p30, two cores, one of them busy, warp: p50 20 ms, not 18, p95 31, not 26).
        stages = [Stage("track", self.tracker), *self.measuring, *self.making]
        records_of_run = live_records(self.camera, [stages], sinks, meter=self.meter, left=self.left)
        with closing(records_of_run) as records:
            for record in records:
                yield record
                if preview and preview.closed:
                    return

    def take_neutral(self) -> bool:
        """Makes the largest face's action units of the last second its neutral. False: there was no face.

        Any thread may call it. Raises ProfileError where the neutral cannot be saved; it is in use even then.
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
        """Writes the pictures of the inside of the largest face's mouth to the profile file.

        Returns the number of pictures in the file; 0: nothing was written. Raises ProfileError.
        """
        views = self.views()
        if self.save_profile is None or not len(views):
            return 0
        person = with_mouth(profile_to_renew(self.save_profile), views)
        save_profile(person, self.save_profile)
        return len(person.mouth)

    def neutral_key(self) -> str:
        """Takes the neutral and returns the result as one line for the user."""
        try:
            taken = self.take_neutral()
        except ProfileError as error:
            return f"this is the neutral face now; {error}"
        if not taken:
            return "no face: the neutral stays as it was"
        saved = f", saved as {self.save_profile.name}" if self.save_profile is not None else ""
        return f"this is the neutral face now{saved}"

    def status(self) -> LiveStatus:
        """The state of the run now. Any thread may call it."""
        return replace(self.meter.live_status(self.camera.signal), step=self.load_shedder.line)

    def _preview(self) -> Preview | None:
        if self.window is None:
            return None
        return Preview(self.window, self.controls, self.status, self.neutral_key, self.recorder)


def settings_at_start(targets: Programme, options: LiveOptions) -> Settings:
    """The settings with which a run begins."""
    retarget = options.edit.retarget
    neutral = None if retarget.profile is None else retarget.profile.neutral
    return Settings(targets, retarget.strength, neutral=neutral, mirror=options.mirror)


@contextmanager
def open_live(
    where: int | str,
    targets: Programme,
    options: LiveOptions = LiveOptions(),
    *,
    desk: Desk | None = None,
) -> Iterator[LiveEdit]:
    """Opens camera, models and sinks of a live run. where: as `open_camera` takes it. desk: shows the run to
    the panel. None: there is no panel.

    The table of action units is complete when the block ends well. Tracker and generator are closed when no
    stage uses them any more. Raises CaptureError, SinkError, CsvError, TrackerError or EngineError where
    something cannot be opened, and ProfileError where the profile file cannot be updated.
    """
    edit, person = options.edit, options.edit.retarget.profile
    controls = Controls(settings_at_start(targets, options)) if desk is None else desk.controls
    if options.save_profile is not None:
        known = profile_to_renew(options.save_profile)
        person = person or known
    left = LeftThreads()
    with closed_after_stages(left) as used, ExitStack() as opened:
        camera = opened.enter_context(open_camera(where, options.camera))
        meter = Meter()
        window, why_no_window = _window(options.preview, camera.size, opened)
        seen = window is not None or options.record is not None
        needed = not seen and desk is None
        sink, why_no_sink = _virtual_camera(camera, options, opened, needed=needed)
        recorder = _recorder(options, camera, meter, edited_with(targets, edit.retarget))
        table = opened.enter_context(open_csv(edit.aus_csv, asked=True)) if edit.aus_csv else None
        tracker = used.enter_context(Tracker(edit.tracker))
        memory = _memory(person) if edit.own_mouth else None
        generator, load_shedder, deadline = _generator(options, memory, used)
        retargeter = LiveRetargeter(controls, edit.retarget)
        tracker.warm_up()
        warm_up(generator)
        if recorder is not None:
            opened.enter_context(recorder)
            recorder.start()
        named = [f"other programs see the result as the camera {sink.name}"] if sink else []
        yield LiveEdit(
            camera=camera,
            tracker=tracker,
            measuring=measuring_stages(retargeter, table, meter, edit.occlusion),
            making=(*_steps(generator), Stage("paste", PasteAndMirror(controls))),
            sinks=tuple(filter(None, (sink, recorder, desk))),
            recorder=recorder,
            controls=controls,
            retargeter=retargeter,
            meter=meter,
            load_shedder=load_shedder,
            deadline=deadline,
            person=person or Profile(),
            save_profile=options.save_profile,
            views=_views(memory, retargeter) if options.with_mouth else MouthViews,
            window=window,
            notes=(*camera.notes, *named, *why_no_window, *generator.notes),
            warnings=why_no_sink,
            left=left,
        )


def _window(wanted: bool | None, size: Size, opened: ExitStack) -> tuple[Window | None, tuple[str, ...]]:
    """The window, and a line for the user where none can be opened.

    wanted: None opens one if possible; True raises SinkError where that is not possible.
    """
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
    """The virtual camera, and a line for the user where none can be opened; SinkError if it is `needed`."""
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
    """A function that gives the pictures of the largest face's mouth seen so far."""

    def views() -> MouthViews:
        track_id = retargeter.largest_id()
        return MouthViews() if memory is None or track_id is None else memory.views(track_id)

    return views


def _generator(
    options: LiveOptions, memory: MouthMemory | None, used: ExitStack
) -> tuple[FaceGenerator, LoadShedder, Deadline]:
    """The generator, and the load shedder and the deadline that choose its effort."""
    edit, budget = options.edit, LoadSheddingOptions(options.budget_ms)
    deadline = Deadline(options.budget_ms)
    load_shedder = LoadShedder(options=budget, more_ms=lambda: deadline.networks_ms)
    generator = open_generator(
        edit.generator,
        edit.model,
        edit.engine,
        effort=lambda frame: deadline.effort(frame, load_shedder.step.effort),
        memory=memory,
        timed=deadline.note_painted,
    )
    used.enter_context(generator)
    # A generator without deferred work has only one step.
    return generator, load_shedder if generator.afterwards else LoadShedder(STEPS[:1], budget), deadline


def _steps(generator: FaceGenerator) -> tuple[Stage, ...]:
    """The generator's stages; the last one also has its deferred work."""
    *before, (name, last) = generator.steps.items()
    return *(Stage(each, step) for each, step in before), Stage(name, last, generator.afterwards)


class LatencySink:
    """The last sink: gives the latency of every frame to the load shedder, and its end to the deadline."""

    def __init__(self, load_shedder: LoadShedder, deadline: Deadline) -> None:
        self._load_shedder = load_shedder
        self._deadline = deadline

    def write(self, record: Finished) -> None:
        """Measures the latency of the frame."""
        captured_ns = record.frame.captured_ns
        if captured_ns is not None:
            self._load_shedder.add_latency((time.perf_counter_ns() - captured_ns) / 1e6)
            self._deadline.note_written(captured_ns)

    def idle(self) -> None:
        """Does nothing."""


class FaceCountSink:
    """A sink that counts the written frames with a face."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter

    def write(self, record: Finished) -> None:
        """Counts the frame if it has a face."""
        self._meter.count_faces(record)

    def idle(self) -> None:
        """Does nothing."""


class PasteAndMirror:
    """The last stage: pastes the new face into the frame and mirrors it if the settings say so."""

    def __init__(self, controls: Controls) -> None:
        self._controls = controls

    def __call__(self, generated: Generated) -> Finished:
        # Mirrored last and not at the camera, where the tracker would lose the face whenever it is switched,
        # and left and right would be exchanged.
        mirror = self._controls.now.mirror
        frame = paste(generated)
        output = replace(frame, image=cv2.flip(frame.image, 1)) if mirror else frame
        return Finished(**vars(generated), output=output, mirrored=mirror)
