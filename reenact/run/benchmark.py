"""Measures how fast this machine edits a video, and the upper limit set by decoding and encoding."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import av
import cv2

from engines.threads import core_count
from reenact.media.read import open_capture
from reenact.media.write import FileSink
from reenact.pipeline.meter import Meter, Report, StageTimes, forget_peak_rss, rounded
from reenact.pipeline.runner import LeftThreads, Stage, closed_after_stages, run
from reenact.programme.target_syntax import parse_targets
from reenact.programme.targets import Targets
from reenact.records import Frame
from reenact.retarget.options import RetargetOptions
from reenact.run.demo import make_clip
from reenact.run.files import EditOptions, open_edit
from reenact.track import TrackerOptions

SIZES = {"480p": (480, 854), "720p": (720, 1280), "1080p": (1080, 1920)}
"""The (height, width) in pixels of each size of the built-in clip."""
FACES = (1, 3)
"""The numbers of faces in the built-in clips."""
EXPRESSION = "smile-open"
"""A preset that moves the cheeks and parts the lips, so that the network paints teeth."""


@dataclass(frozen=True)
class BenchmarkOptions:
    """The options of a benchmark."""

    rounds: int = 3
    """The number of times that each clip is edited and passed through; the figures are medians."""
    seconds: float = 5.0
    """The duration of the built-in clip, in seconds."""
    generator: str = EditOptions.generator
    """One of reenact.generate.GENERATORS."""
    landmarker: Path | None = TrackerOptions.model_path
    """The `.task` file of face_landmarker. None: see TrackerOptions."""


@dataclass(frozen=True)
class Case:
    """One clip to measure."""

    name: str
    """The case's name in the table of results."""
    clip: Path
    """The video file."""
    max_faces: int | None = TrackerOptions.max_faces
    """The number of faces that are tracked at most. None: see TrackerOptions."""


@dataclass(frozen=True)
class Round:
    """The same clip edited and passed through, one directly after the other."""

    fps: float
    """Frames per second of the edit, from the first frame read until the file is complete."""
    ceiling_fps: float
    """Frames per second without stages: decoded to RGB and encoded again."""
    report: Report
    """The figures of the edit's pipeline."""


@dataclass(frozen=True)
class Measurement:
    """The medians of some rounds."""

    name: str
    """The name of the case."""
    height: int
    """The height of the frames in pixels."""
    width: int
    """The width of the frames in pixels."""
    frames: int
    """The number of frames in the clip."""
    frames_with_face: int
    """The number of frames in which a face was found."""
    fps: float
    """Frames per second of the edit."""
    ceiling_fps: float
    """Frames per second without stages, which the edit cannot exceed."""
    share: float
    """The median of `fps` over `ceiling_fps` of the same round, because a busy machine slows both."""
    first_frame_s: float
    """The time from the start of opening models and files to the first encoded frame, in seconds."""
    peak_rss_mb: float | None
    """The highest memory use of all rounds, in megabytes. None: the system does not report it."""
    stages: dict[str, StageTimes]
    """The wall time of each stage for a frame, while the other stages work on other frames."""


def measure(
    case: Case, options: BenchmarkOptions, progress: Callable[[str], None] = lambda line: None
) -> Measurement:
    """Measures the case. progress: called with one line before each round."""
    targets = parse_targets(EXPRESSION)
    edit = EditOptions(
        generator=options.generator,
        retarget=RetargetOptions(faces="all"),
        tracker=TrackerOptions(max_faces=case.max_faces, model_path=options.landmarker),
    )
    forget_peak_rss()
    rounds = []
    for number in range(1, options.rounds + 1):
        progress(f"{case.name}: round {number} of {options.rounds}")
        rounds.append(one_round(case.clip, targets, edit, edit_first=number % 2 == 0))
    with open_capture(case.clip) as capture:
        return summarise(case.name, capture.size, rounds)


def one_round(clip: Path, targets: Targets, options: EditOptions, *, edit_first: bool) -> Round:
    """One edit and one pass through; callers alternate the order, because the machine warms up."""
    with TemporaryDirectory() as folder:
        output = Path(folder) / "out.mp4"
        if edit_first:
            fps, report = timed_edit(clip, output, targets, options)
        ceiling_fps = timed_pass_through(clip, output)
        if not edit_first:
            fps, report = timed_edit(clip, output, targets, options)
    return Round(fps, ceiling_fps, report)


def timed_edit(clip: Path, output: Path, targets: Targets, options: EditOptions) -> tuple[float, Report]:
    """The frames per second of `reenact video`, and the meter's report."""
    with open_edit(clip, output, targets, options) as edit:
        start_s = time.perf_counter()
        report = edit.run()
    return report.frames / (time.perf_counter() - start_s), report


def timed_pass_through(clip: Path, output: Path) -> float:
    """The frames per second of the same capture and sink without stages between them, encoded from RGB."""
    meter, left = Meter(), LeftThreads()
    with closed_after_stages(left) as used:
        capture = used.enter_context(open_capture(clip))
        with FileSink(output, capture) as sink:
            start_s = time.perf_counter()
            run(capture, [[Stage("pass through", without_decoded)]], sink.write, meter=meter, left=left)
    return meter.report().frames / (time.perf_counter() - start_s)


def without_decoded(frame: Frame) -> Frame:
    """The same frame without its decoded picture, so that the encoder converts all of it."""
    return replace(frame)


def summarise(name: str, size: tuple[int, int], rounds: Sequence[Round]) -> Measurement:
    """The medians of the rounds. size: the frames' (height, width)."""
    reports = [each.report for each in rounds]
    peaks = [report.peak_rss_mb for report in reports if report.peak_rss_mb is not None]
    return Measurement(
        name=name,
        height=size[0],
        width=size[1],
        frames=reports[0].frames,
        frames_with_face=reports[0].frames_with_face,
        fps=median(each.fps for each in rounds),
        ceiling_fps=median(each.ceiling_fps for each in rounds),
        share=median(each.fps / each.ceiling_fps for each in rounds),
        first_frame_s=median(report.first_frame_s or 0.0 for report in reports),
        peak_rss_mb=max(peaks, default=None),
        stages={
            stage: _median_times([report.stages[stage] for report in reports]) for stage in reports[0].stages
        },
    )


def _median_times(times: Sequence[StageTimes]) -> StageTimes:
    return StageTimes(
        **{column.name: median(getattr(each, column.name) for each in times) for column in fields(StageTimes)}
    )


@contextmanager
def built_in_cases(
    sizes: Sequence[str], faces: Sequence[int], seconds: float, progress: Callable[[str], None]
) -> Iterator[list[Case]]:
    """Makes a clip for each size and number of faces; the clips are deleted when the block ends.

    sizes: keys of SIZES. progress: called with one line before each clip."""
    with TemporaryDirectory() as folder:
        cases = []
        for size in sizes:
            for count in faces:
                name = f"{size}, {count} face{'s' if count > 1 else ''}"
                progress(f"{name}: making the clip")
                clip = Path(folder) / f"{size}-{count}.mp4"
                make_clip(clip, SIZES[size], seconds, count)
                cases.append(Case(name, clip, max_faces=count))
        yield cases


def this_machine() -> dict[str, Any]:
    """The properties of the machine and of the libraries on which the figures depend."""
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cores": core_count(),
        "python": platform.python_version(),
        "av": av.__version__,
        "cv2": cv2.__version__,
    }


def _processor() -> str:
    """The processor's name; empty where the system does not report it."""
    known = Path("/proc/cpuinfo")
    lines = known.read_text().splitlines() if known.exists() else []
    names = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor())


def to_json(machine: dict[str, Any], generator: str, measurements: Sequence[Measurement]) -> dict[str, Any]:
    """All figures as plain dictionaries with rounded numbers."""
    cases = [rounded(asdict(each)) for each in measurements]
    return {"machine": machine, "generator": generator, "cases": cases}
