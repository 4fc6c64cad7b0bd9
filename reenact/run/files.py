"""A video or a picture in, the same with other action units out: the whole frame loop, wired up."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from calib.estimator import load_estimator
from engines.threads import thread_count
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
from reenact.track import Tracker, TrackerOptions

_BUSY = 4
"""Threads that a file keeps busy beside the network's: those of decoder, tracker, generator and encoder."""


@dataclass(frozen=True)
class EditOptions:
    generator: str = "live"
    """One of reenact.generate.GENERATORS."""
    model: Path | None = None
    """A network of it, an ONNX file; by default those that ship, which only "live" may have."""
    engine: str = "auto"
    """What runs it; see engines.load_engine."""
    own_mouth: bool = True
    """Whether a person's own teeth are drawn where an asked mouth shows more than the frame, once seen."""
    occlusion: bool = True
    """Whether the lower face is left as it is while something in front of it hides the mouth."""
    compare: bool = False
    """Input and output side by side."""
    keep_partial: bool = False
    """A run that breaks off leaves what it made under the output's name with .partial in it."""
    aus_csv: Path | None = None
    """Where to write the action units measured in the input, as OpenFace does."""
    retarget: RetargetOptions = field(default_factory=RetargetOptions)
    tracker: TrackerOptions = field(default_factory=TrackerOptions)
    encoding: Encoding = field(default_factory=Encoding)


@dataclass(frozen=True, eq=False)
class VideoEdit:
    """A video that is open at both ends, ready to run once."""

    capture: FileCapture
    tracker: Tracker
    beginning: tuple[Stage, ...]
    """The stages that follow the tracker, in its thread."""
    finishing: tuple[Stage, ...]
    """Those that lead to the new frame, in a thread of their own."""
    sink: FileSink
    meter: Meter
    notes: tuple[str, ...]
    """What will not arrive as it was, one plain line each."""
    left: LeftThreads
    """The threads that the end of the run did not wait for."""

    def run(self, watch: Watch = unwatched, written: Callable[[int], None] = unwatched) -> Report:
        """Carries every frame through. `watch` is called from another thread; `written` is called in the
        caller's with the number of frames that are written, and what it raises ends the run."""
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
    recorder: Callable[[Retargeted], Retargeted] | None = None,
    correction: Correction = uncorrected,
) -> Iterator[VideoEdit]:
    """Opens everything that an edit needs. The output appears when the block ends well, or not at all.

    `finish` is called last with every frame before it is written, and must keep the size. `recorder` receives
    what is asked of every frame and returns it unchanged. `correction`: see Retargeter.

    Raises CaptureError, SinkError, CsvError, TrackerError or EngineError where something cannot be opened.
    """
    meter, left = Meter(), LeftThreads()
    with closed_after_stages(left) as used, ExitStack() as opened:
        capture = used.enter_context(open_capture(source))
        sink = opened.enter_context(
            _open_sink(output, capture, edited_with(targets, options.retarget), options)
        )
        table = opened.enter_context(open_csv(options.aus_csv)) if options.aus_csv else None
        tracker = used.enter_context(Tracker(options.tracker))
        threads = thread_count(busy=_BUSY)
        memory = _memory(capture, options) if options.own_mouth else None
        generator = used.enter_context(
            open_generator(options.generator, options.model, options.engine, threads=threads, memory=memory)
        )
        *first_steps, last_step = (Stage(name, step) for name, step in generator.steps.items())
        beginning = (
            *measuring_stages(
                Retargeter(targets, options.retarget, correction=correction), table, meter, options.occlusion
            ),
            *([Stage("verify", recorder)] if recorder else []),
            *first_steps,
        )
        finishing = (
            last_step,
            Stage("paste", side_by_side if options.compare else paste),
            *([Stage("finish", finish)] if finish else []),
        )
        notes = (*capture.notes, *sink.notes, *generator.notes)
        yield VideoEdit(capture, tracker, beginning, finishing, sink, meter, notes, left)


def _memory(capture: FileCapture, options: EditOptions) -> MouthMemory:
    return film_memory(capture, options.tracker, mouth_of(options.retarget.profile))


def _open_sink(output: Path, capture: FileCapture, comment: str, options: EditOptions) -> FileSink:
    height, width = capture.size
    size = (height, 2 * width) if options.compare else None
    return FileSink(output, capture, options.encoding, size, options.keep_partial, comment)


@dataclass(frozen=True, eq=False)
class StillEdit:
    """A picture whose faces are found and read, ready to be changed in one way or many."""

    still: Still
    measured: Measured
    """Faces have the ids 0, 1, ..."""
    generator: Generator
    options: EditOptions

    def __call__(
        self,
        targets: Programme,
        recorder: Callable[[Retargeted], Retargeted] = lambda retargeted: retargeted,
    ) -> Still:
        """The picture with other action units. `recorder` receives what is asked and returns it."""
        # A still has no time to fade in, and who asks for a face means it, however sure the tracker is.
        retarget = replace(self.options.retarget, fade_s=0, confidence_in=0, confidence_out=0)
        generated = self.generator(recorder(Retargeter(targets, retarget)(self.measured)))
        finished = side_by_side(generated) if self.options.compare else paste(generated)
        alpha = self.still.alpha
        if alpha is not None and self.options.compare:
            alpha = np.hstack([alpha, alpha])
        return replace(self.still, image=finished.image, alpha=alpha)


@dataclass(frozen=True, eq=False)
class StillEditor:
    """Finds and reads the faces of pictures, one after another, with one tracker and one generator."""

    tracker: Tracker
    generator: Generator
    options: EditOptions

    def __call__(self, still: Still) -> StillEdit:
        """The picture with its faces found and read."""
        measured = measured_still(still, self.tracker)
        if self.options.occlusion:
            measured = OcclusionWatch()(measured)
        return StillEdit(still, measured, self.generator, self.options)


@contextmanager
def open_still_editor(options: EditOptions = EditOptions()) -> Iterator[StillEditor]:
    """Opens what pictures are edited with. Raises TrackerError or EngineError where that cannot be opened."""
    sharp = WarpOptions(sharp=True)
    with (
        open_still_tracker(options.tracker) as tracker,
        open_generator(options.generator, options.model, options.engine, sharp) as generator,
    ):
        yield StillEditor(tracker, generator, options)


@contextmanager
def open_still_edit(still: Still, options: EditOptions = EditOptions()) -> Iterator[StillEdit]:
    """Finds and reads the faces. Raises TrackerError or EngineError where something cannot be opened."""
    with open_still_editor(options) as editor:
        yield editor(still)


def edited_with(targets: Programme, options: RetargetOptions) -> str:
    """What an output says about itself: that it was edited, with what, and the recipe."""
    strength = "" if options.strength == 1 else f" at strength {options.strength:g}"
    turned = f", {len(options.inverted)} action units inverted" if options.inverted else ""
    return f"Edited with reenact {__version__}: {targets}{turned}{strength}"


def side_by_side(generated: Generated) -> Frame:
    """The frame as it was on the left, as it is now on the right."""
    frame = paste(generated)
    return replace(frame, image=np.hstack([generated.frame.image, frame.image]))


def measuring_stages(
    retarget: Callable[[Measured], Retargeted], table: AUCsvSink | None, meter: Meter, occlusion: bool
) -> tuple[Stage, ...]:
    """What follows the tracker: which action units the faces show, whether their mouths are hidden if
    `occlusion` says so, which changes that asks for, and both into the table if there is one.

    The meter counts the frames with a hidden mouth."""
    return (
        Stage("measure", Measurer(load_estimator())),
        *([Stage("occlusion", _watching(OcclusionWatch(), meter))] if occlusion else []),
        Stage("retarget", retarget),
        *([Stage("table", _noted_in(table))] if table else []),
    )


def _watching(watch: OcclusionWatch, meter: Meter) -> Callable[[Measured], Measured]:
    """The watch as a stage that also counts what it finds."""
    return lambda measured: meter.count_hidden_mouths(watch(measured))


def _noted_in(table: AUCsvSink) -> Callable[[Measured], Measured]:
    """A stage that writes every record into the table and hands it on."""

    def note(measured: Measured) -> Measured:
        table.write(measured)
        return measured

    return note
