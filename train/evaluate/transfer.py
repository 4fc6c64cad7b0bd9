"""Measures how well faces follow drivers: what a driver shows against what the driven face then shows.

Every face is driven by every driver, through the run-time's own frame loop. The output is tracked and read
again, frame by frame, before it is encoded.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import takewhile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from calib.au import AU_CODES, READ, au_index, both
from calib.estimator import load_estimator
from reenact.generate import open_generator
from reenact.generate.painters.mouth import MouthMemory
from reenact.generate.paste import paste
from reenact.measure.measurer import Measurer
from reenact.measure.read_aus import is_still
from reenact.media.image_file import load_still
from reenact.media.read import open_capture
from reenact.programme.au_recording import AURecording
from reenact.programme.driver import Driver
from reenact.records import Frame
from reenact.retarget import Retargeter
from reenact.run.lookahead import film_memory
from reenact.track import Tracker, TrackerOptions
from reenact.verify.agreement import LEAST_VARIED, correlation, lag_s
from reenact.verify.closed_loop import Corrections
from reenact.verify.face_comparison import FaceComparison, OutputFrame, compare_faces
from reenact.verify.request_recorder import RequestRecorder, face_readings
from train.evaluate.result_table import Cell, ResultTable
from train.evaluate.statistics import mean, slope

BEST_READ = ("AU01", "AU02", "AU04", "AU06", "AU12", "AU25", "AU26", "AU45")
"""The action units that are read best, over which means are taken."""
_PICTURE_RATE = Fraction(25)
"""Frames per second of a picture that is driven."""
_LEAST_FRAMES = 25
"""The number of frames below which no correlation is computed."""


@dataclass(frozen=True)
class TransferOptions:
    """The options of a comparison of drivers and faces."""

    passes: int = 1
    """How often the film is made; each further pass corrects the errors of the one before, as with
    `reenact video --passes`."""
    seconds: float = 8.0
    """The part of each driver that is used, from its beginning."""
    generator: str = "live"
    """The generator."""
    own_mouth: bool = True
    """Whether a film's own teeth are drawn, as at run time."""


@dataclass(frozen=True, eq=False)
class Drive:
    """One driver and one face that it drives."""

    driver: str
    """The driver's name."""
    recording: AURecording
    """The driver's expressions over time."""
    face: Path
    """A film, whose face also moves by itself, or a picture."""


@dataclass(frozen=True)
class Follow:
    """How one action unit of a face follows the driver's."""

    code: str
    """The action unit, such as AU12."""
    r: float
    """Pearson's correlation over time."""
    gain: float
    """The change of the face per unit of the driver's, by least squares of the deviations from the means."""
    lag_s: float
    """The delay of the face; NaN where no shift makes the two agree."""


@dataclass(frozen=True)
class Driven:
    """The results of one driver on one face."""

    driver: str
    """The driver's name."""
    face: str
    """The face's name."""
    frames: int
    """The number of frames compared."""
    moving: bool
    """Whether the face also moves by itself, as in a film."""
    follows: tuple[Follow, ...]
    """The action units that the driver moves by a standard deviation of LEAST_VARIED or more."""

    @property
    def r(self) -> float:
        """The mean correlation over those of BEST_READ that the driver moves; NaN where it moves none."""
        return mean([follow.r for follow in self.follows if follow.code in BEST_READ])


def drive(work: Drive, options: TransferOptions = TransferOptions()) -> Driven:
    """Drives a face. Raises CaptureError, StillError or EngineError for a face that cannot be opened."""
    comparison = _driven_face(work, options)
    moving = not is_still(work.face)
    if comparison is None:
        return Driven(work.driver, work.face.name, 0, moving, ())
    shown, after, times_s = _side_by_side(work.recording, comparison)
    return Driven(work.driver, work.face.name, len(times_s), moving, follow(shown, after, times_s))


def follow(
    shown: NDArray[np.float64], after: NDArray[np.float64], times_s: NDArray[np.float64]
) -> tuple[Follow, ...]:
    """Compares (n, AU_COUNT) what driver and driven face show at increasing times (n,), in seconds."""
    if len(times_s) < _LEAST_FRAMES:
        return ()
    found = []
    for index in np.flatnonzero(READ):
        code = AU_CODES[index]
        driver, face = shown[:, index], after[:, index]
        if driver.std() >= LEAST_VARIED:
            gain = slope(driver - driver.mean(), face - face.mean())
            found.append(Follow(code, correlation(driver, face), gain, lag_s(times_s, driver, face)))
    return tuple(found)


def _driven_face(work: Drive, options: TransferOptions) -> FaceComparison | None:
    """Returns the comparison of the face that is changed most. None: the film shows no face."""
    until_s = min(options.seconds, float(work.recording.times_s[-1]))
    targets, corrections = Driver(work.recording), Corrections()
    comparisons: list[FaceComparison] = []
    for _ in range(options.passes):
        retarget = Retargeter(targets, correction=corrections)
        comparisons = _run(work.face, until_s, retarget, options)
        corrections = corrections.after(comparisons)
    return comparisons[0] if comparisons else None


def _run(face: Path, until_s: float, retarget: Retargeter, options: TransferOptions) -> list[FaceComparison]:
    """Runs the frame loop over the face once and reads its output."""
    measure, recorder, readings = Measurer(load_estimator()), RequestRecorder(), list[OutputFrame]()
    with (
        open_generator(options.generator, memory=_memory(face, options)) as generate,
        Tracker(TrackerOptions()) as track,
        Tracker(TrackerOptions()) as track_again,
    ):
        for frame in _frames(face, until_s):
            edited = paste(generate(recorder(retarget(measure(track(frame))))))
            faces = face_readings(measure(track_again(edited)))
            readings.append(OutputFrame(frame.index, float(frame.pts), faces))
    return compare_faces(recorder.faces, readings)


def _memory(face: Path, options: TransferOptions) -> MouthMemory | None:
    if not options.own_mouth or is_still(face):
        return None
    with open_capture(face) as capture:
        return film_memory(capture, TrackerOptions())


def _frames(face: Path, until_s: float) -> Iterator[Frame]:
    """Yields a film's frames until a time, or a picture as many times as a film of that length has frames."""
    if not is_still(face):
        with open_capture(face) as capture:
            yield from takewhile(lambda frame: float(frame.pts) <= until_s, capture)
        return
    image = load_still(face).image
    for index in range(int(until_s * _PICTURE_RATE) + 1):
        yield Frame(image, index=index, pts=index / _PICTURE_RATE)


def _side_by_side(
    recording: AURecording, comparison: FaceComparison
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Returns the readings of driver and face (n, AU_COUNT each), and the times (n,) at which both exist."""
    driver = [recording.at(time_s) for time_s in comparison.times_s]
    there = np.array([level == 1 for _, level in driver]) & np.isfinite(comparison.after).all(axis=1)
    shown = np.array([both(sides) for sides, _ in driver], np.float64)
    return shown[there], comparison.after[there].astype(np.float64), comparison.times_s[there]


def transfer_tables(found: Sequence[Driven], options: TransferOptions) -> list[ResultTable]:
    """Returns a table by action unit, and one by driver and face."""
    note = (
        f"{len(found)} pairs of a driver and a face, at most {options.seconds:g} s each, made "
        f"in {options.passes} pass{'es' if options.passes > 1 else ''}; generator {options.generator}. "
        "r: Pearson's correlation over time between what the run-time's estimator reads of the driver and of "
        f"the output, tracked again, where the driver's standard deviation is {LEAST_VARIED:g} or more. The "
        f"estimator also controls the edit, so it is not independent. Means are over {', '.join(BEST_READ)}."
    )
    kinds = (("films", True), ("pictures", False))
    columns = ["action unit", *(f"{what}, {name}" for name, _ in kinds for what in ("r", "gain", "pairs"))]
    rows: list[tuple[Cell, ...]] = []
    for code in sorted({each.code for driven in found for each in driven.follows}, key=au_index):
        cells: list[Cell] = [code]
        for _, moving in kinds:
            cells += _of_unit([driven for driven in found if driven.moving == moving], code)
        rows.append(tuple(cells))
    whole: list[Cell] = ["mean"]
    for _, moving in kinds:
        pairs = [driven.r for driven in found if driven.moving == moving and not np.isnan(driven.r)]
        whole += [mean(pairs), None, len(pairs)]
    return [
        ResultTable("transfer", "Transfer, by action unit", note, tuple(columns), (*rows, tuple(whole)), 2),
        _pairs_table(found),
    ]


def _of_unit(found: Iterable[Driven], code: str) -> list[Cell]:
    follows = [each for driven in found for each in driven.follows if each.code == code]
    return [mean([each.r for each in follows]), mean([each.gain for each in follows]), len(follows)]


def _pairs_table(found: Sequence[Driven]) -> ResultTable:
    columns = ("driver", "face", "frames", "mean r", "action units", "late by s")
    rows = tuple(
        (
            each.driver,
            each.face,
            each.frames,
            each.r,
            len([one for one in each.follows if one.code in BEST_READ]),
            mean([one.lag_s for one in each.follows if one.code in BEST_READ]),
        )
        for each in sorted(found, key=lambda each: (each.driver, each.face))
    )
    return ResultTable("transfer_pairs", "Transfer, by driver and face", spread_line(found), columns, rows, 2)


def spread_line(found: Sequence[Driven]) -> str:
    """Returns a line with the mean of the pairs and their spread."""
    values = np.array([each.r for each in found if not np.isnan(each.r)])
    if not len(values):
        return "No pair can be compared: no face was found, or the drivers do not move."
    low, high = np.quantile(values, (0.1, 0.9))
    return (
        f"Mean r {values.mean():.2f} over {len(values)} pairs; the lowest {values.min():.2f}, the highest "
        f"{values.max():.2f}, eight in ten between {low:.2f} and {high:.2f}."
    )
