"""Edits a video file or a picture: opens all stages and runs the frame loop."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from calib.estimator import load_estimator
from engines.threads import core_count, thread_count
from reenact import __version__
from reenact.generate import Generator, open_generator
from reenact.generate.geometry.warp import WarpOptions
from reenact.generate.painters.mouth import MouthMemory
from reenact.generate.paste import paste
from reenact.measure.measurer import Measurer
from reenact.measure.profiles import mouth_of
from reenact.measure.read_aus import Watch, measured_still, open_still_tracker, tracking, unwatched
from reenact.media.image_file import Still
from reenact.media.read import FileCapture, open_capture
from reenact.media.read.spool import Source
from reenact.media.write import Encoding, FileSink
from reenact.media.write.au_csv import AUCsvSink, open_csv
from reenact.occlusion import OcclusionWatch
from reenact.pipeline.meter import Meter, Report
from reenact.pipeline.runner import LeftThreads, Stage, closed_after_stages, run
from reenact.programme import Programme
from reenact.records import Frame, Generated, Measured, Retargeted
from reenact.retarget import Retargeter
from reenact.retarget.options import RetargetOptions
from reenact.retarget.retargeter import Correction, uncorrected
from reenact.run.lookahead import film_memory
from reenact.run.remote.generator_process import GeneratorProcess
from reenact.run.remote.messages import GeneratorProcessError, GeneratorRequest
from reenact.track import Tracker, TrackerOptions

log = logging.getLogger(__name__)

LEAST_FRAMES = 90
"""Number of frames from which on a film is worth a process for the generator, whose start takes as long as
some 30 frames."""
_BUSY = 4
"""Threads that are busy beside the network's: those of decoder, tracker, generator and encoder."""


@dataclass(frozen=True)
class EditOptions:
    """The options of an edit of a video, a picture or a live run."""

    generator: str = "live"
    """The generator's name, one of reenact.generate.GENERATORS."""
    model: Path | None = None
    """An ONNX file with a network for the generator. None: the networks installed with reenact, which exist
    for the generator "live" only."""
    engine: str = "auto"
    """The engine that runs the network; see engines.load_engine."""
    own_mouth: bool = True
    """Whether a person's own teeth, once seen, are drawn where the mouth opens further than in the input."""
    occlusion: bool = True
    """Whether the lower face is left unchanged while an object in front of it hides the mouth."""
    compare: bool = False
    """Whether the output shows input and result side by side."""
    keep_partial: bool = False
    """Whether a run that breaks off leaves its unfinished output, with .partial in the name."""
    aus_csv: Path | None = None
    """The CSV file for the action units measured in the input, in OpenFace's layout. None: there is none."""
    retarget: RetargetOptions = field(default_factory=RetargetOptions)
    """The options of the change of action units."""
    tracker: TrackerOptions = field(default_factory=TrackerOptions)
    """The options of the face tracker."""
    encoding: Encoding = field(default_factory=Encoding)
    """The compression of an output video."""


@dataclass(frozen=True, eq=False)
class VideoEdit:
    """An edit of a video whose input, output and models are open; it can be run once."""

    capture: FileCapture
    """The input."""
    tracker: Tracker
    """The first stage."""
    beginning: tuple[Stage, ...]
    """The stages after the tracker, in the same thread."""
    finishing: tuple[Stage, ...]
    """The last stages, which make the new frame, in a thread of their own."""
    sink: FileSink
    """The output."""
    meter: Meter
    """Measures the stages."""
    notes: tuple[str, ...]
    """What is changed or lost in the output, one line each."""
    left: LeftThreads
    """The threads that were still running when the run ended."""

    def run(self, watch: Watch = unwatched, written: Callable[[int], None] = unwatched) -> Report:
        """Edits all frames.

        watch: called in the tracker's thread after each frame with the number of its faces. written: called
        in the caller's thread with the number of frames written; an exception from it ends the run.
        """
        track = tracking(self.tracker, self.meter, watch)
        groups = [[track, *self.beginning], self.finishing]

        def write(frame: Frame) -> None:
            self.sink.write(frame)
            written(frame.index + 1)

        run(self.capture, groups, write, meter=self.meter, left=self.left)
        return self.meter.report()


@contextmanager
def open_edit(
    source: Source,
    output: Path,
    targets: Programme,
    options: EditOptions = EditOptions(),
    *,
    finish: Callable[[Frame], Frame] | None = None,
    observer: Callable[[Retargeted], Retargeted] | None = None,
    correction: Correction = uncorrected,
) -> Iterator[VideoEdit]:
    """Opens input, output and models of an edit. The output appears only when the block ends well.

    finish: applied to every frame before it is written; it must keep the size. None: frames are written as
    they are. observer: called with every retargeted record, which it returns unchanged. None: there is none.
    correction: see Retargeter.

    Raises CaptureError, SinkError, CsvError, TrackerError or EngineError where something cannot be opened.
    """
    meter, left = Meter(), LeftThreads()
    with closed_after_stages(left) as used, ExitStack() as opened:
        capture = used.enter_context(open_capture(source))
        process = _started_process(capture, used)
        sink = opened.enter_context(
            _open_sink(output, capture, edited_with(targets, options.retarget), options)
        )
        table = opened.enter_context(open_csv(options.aus_csv)) if options.aus_csv else None
        tracker = used.enter_context(Tracker(options.tracker))
        threads = thread_count(busy=_BUSY)
        memory = _memory(capture, options) if options.own_mouth else None
        request = GeneratorRequest(options.generator, options.model, options.engine, threads, memory)
        generator = used.enter_context(_generator(request, process, capture, meter))
        *first_steps, last_step = (Stage(name, step) for name, step in generator.steps.items())
        beginning = (
            *measuring_stages(
                Retargeter(targets, options.retarget, correction=correction), table, meter, options.occlusion
            ),
            *([Stage("verify", observer)] if observer else []),
            *first_steps,
        )
        finishing = (
            last_step,
            Stage("paste", side_by_side if options.compare else paste),
            *([Stage("finish", finish)] if finish else []),
        )
        notes = (*capture.notes, *sink.notes, *generator.notes)
        yield VideoEdit(capture, tracker, beginning, finishing, sink, meter, notes, left)


def _started_process(capture: FileCapture, used: ExitStack) -> GeneratorProcess | None:
    """A process for the generator. None: the film is short, or there is nothing to gain.

    It starts first, so that it is ready when the film has been searched for teeth.
    """
    is_short = capture.frame_count is not None and capture.frame_count < LEAST_FRAMES
    if is_short or core_count() < 2:
        return None
    try:
        return used.enter_context(GeneratorProcess())
    except GeneratorProcessError as error:
        log.info("faces are made in this process: %s", error)
        return None


def _generator(
    request: GeneratorRequest, process: GeneratorProcess | None, capture: FileCapture, meter: Meter
) -> Generator:
    """The generator, in the process if there is one. Raises what open_generator raises."""
    if process is not None:
        try:
            generator = process.open(request, 3 * capture.size[0] * capture.size[1], meter.note_time)
        except GeneratorProcessError as error:
            log.info("faces are made in this process: %s", error)
        else:
            meter.count_memory_of(process.pid)
            return generator
    return open_generator(**vars(request))


def _memory(capture: FileCapture, options: EditOptions) -> MouthMemory:
    return film_memory(capture, options.tracker, mouth_of(options.retarget.profile))


def _open_sink(output: Path, capture: FileCapture, comment: str, options: EditOptions) -> FileSink:
    height, width = capture.size
    size = (height, 2 * width) if options.compare else None
    return FileSink(output, capture, options.encoding, size, options.keep_partial, comment)


@dataclass(frozen=True, eq=False)
class StillEdit:
    """A picture whose faces have been detected and measured; it can be edited several times."""

    still: Still
    """The unchanged picture."""
    measured: Measured
    """The faces with their action units; their ids are 0, 1, ..."""
    generator: Generator
    """Makes the new pixels."""
    options: EditOptions
    """The options of the edit."""

    def __call__(
        self,
        targets: Programme,
        observer: Callable[[Retargeted], Retargeted] = lambda retargeted: retargeted,
    ) -> Still:
        """The picture with other action units. observer: called with the retargeted record."""
        # A still has no time to fade in, and its faces are edited at any confidence of the tracker.
        retarget = replace(self.options.retarget, fade_s=0, confidence_in=0, confidence_out=0)
        generated = self.generator(observer(Retargeter(targets, retarget)(self.measured)))
        finished = side_by_side(generated) if self.options.compare else paste(generated)
        alpha = self.still.alpha
        if alpha is not None and self.options.compare:
            alpha = np.hstack([alpha, alpha])
        return replace(self.still, image=finished.image, alpha=alpha)


@dataclass(frozen=True, eq=False)
class StillEditor:
    """Detects and measures the faces of pictures, one after another, with one tracker and one generator."""

    tracker: Tracker
    """A tracker for stills."""
    generator: Generator
    """Makes the new pixels."""
    options: EditOptions
    """The options of the edits."""

    def __call__(self, still: Still) -> StillEdit:
        """Detects and measures the faces of the picture."""
        measured = measured_still(still, self.tracker)
        if self.options.occlusion:
            measured = OcclusionWatch()(measured)
        return StillEdit(still, measured, self.generator, self.options)


@contextmanager
def open_still_editor(options: EditOptions = EditOptions()) -> Iterator[StillEditor]:
    """Opens tracker and generator for pictures. Raises TrackerError or EngineError."""
    sharp = WarpOptions(sharp=True)
    with (
        open_still_tracker(options.tracker) as tracker,
        open_generator(options.generator, options.model, options.engine, sharp) as generator,
    ):
        yield StillEditor(tracker, generator, options)


@contextmanager
def open_still_edit(still: Still, options: EditOptions = EditOptions()) -> Iterator[StillEdit]:
    """Detects and measures the faces of one picture. Raises TrackerError or EngineError."""
    with open_still_editor(options) as editor:
        yield editor(still)


def edited_with(targets: Programme, options: RetargetOptions) -> str:
    """The comment stored in an output: that it was edited, by which version, and the requested change."""
    strength = "" if options.strength == 1 else f" at strength {options.strength:g}"
    turned = f", {len(options.inverted)} action units inverted" if options.inverted else ""
    return f"Edited with reenact {__version__}: {targets}{turned}{strength}"


def side_by_side(generated: Generated) -> Frame:
    """The original frame on the left and the edited one on the right."""
    frame = paste(generated)
    return replace(frame, image=np.hstack([generated.frame.image, frame.image]))


def measuring_stages(
    retarget: Callable[[Measured], Retargeted], table: AUCsvSink | None, meter: Meter, occlusion: bool
) -> tuple[Stage, ...]:
    """The stages after the tracker: measurement, detection of hidden mouths, retargeting and the table.

    retarget: adds the requested change to a measured record. table: gets every record. None: there is none.
    meter: counts the frames with a hidden mouth. occlusion: whether hidden mouths are detected.
    """
    return (
        Stage("measure", Measurer(load_estimator())),
        *([Stage("occlusion", _counting(OcclusionWatch(), meter))] if occlusion else []),
        Stage("retarget", retarget),
        *([Stage("table", _writing_to(table))] if table else []),
    )


def _counting(watch: OcclusionWatch, meter: Meter) -> Callable[[Measured], Measured]:
    """A stage that detects hidden mouths and counts their frames."""
    return lambda measured: meter.count_hidden_mouths(watch(measured))


def _writing_to(table: AUCsvSink) -> Callable[[Measured], Measured]:
    """A stage that writes every record to the table and returns it."""

    def note(measured: Measured) -> Measured:
        table.write(measured)
        return measured

    return note
