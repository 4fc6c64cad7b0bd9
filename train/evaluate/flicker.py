"""Measures whether a changed film is as steady as before, and whether a change comes in even steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from calib.ramp import smoothstep
from train.evaluate import comparison_masks
from train.evaluate.films import Film, Shot
from train.evaluate.methods import Method, Picture
from train.evaluate.result_table import Cell, ResultTable
from train.evaluate.sheet_expressions import BY_NAME
from train.evaluate.statistics import mean
from train.evaluate.subjects import Subject

FLOW_PX = 224
"""The height at which films are compared: fine enough for any visible flicker, and fast."""
TRUSTED = 12.0
"""The input's own warping error, in grey levels, above which the flow is wrong or something was uncovered."""
STEPS = 24
"""The steps of a ramp from no change to the whole change."""
POPPING = ("smile with teeth", "blink")


@dataclass(frozen=True)
class Steadiness:
    """The warping errors of a film, in grey levels, as means over the face."""

    film: str
    """The film's name."""
    frames: int
    """The number of frames."""
    input_error: float
    """The error of the input."""
    constant: float
    """The error of the output under a constant change."""
    ramp: float
    """The error of the output while the change comes and goes."""
    worst_ramp: float
    """The largest excess of one frame on the ramp over the input's error."""


@dataclass(frozen=True)
class Onset:
    """The evenness of a change that comes in equal steps, on a still picture."""

    first: float
    """The first step's effect divided by the second's."""
    largest: float
    """The largest ratio of a step's effect to its neighbours'."""


def measure_flicker(method: Method, films: Sequence[Film]) -> tuple[Steadiness, ...]:
    """Measures the steadiness of every film."""
    return tuple(_steadiness(method, film) for film in films)


def _steadiness(method: Method, film: Film) -> Steadiness:
    """Measures the excess of the warping error (Lai et al., ECCV 2018) over the input's."""
    levels = ramp_levels(len(film.shots))
    inputs = [shot.frame.image for shot in film.shots]
    constant = [_shown(method, shot, 1.0) for shot in film.shots]
    ramp = [_shown(method, shot, level) for shot, level in zip(film.shots, levels, strict=True)]
    errors = np.array(
        [
            _errors(
                [sequence[index - 1 : index + 1] for sequence in (inputs, constant, ramp)], film.shots[index]
            )
            for index in range(1, len(inputs))
        ]
    )
    excess = errors[:, 2] - errors[:, 0]
    own, held, ramped = errors.mean(axis=0).tolist()
    return Steadiness(film.name, len(inputs), own, held, ramped, float(excess.max()))


def ramp_levels(frames: int) -> NDArray[np.float64]:
    """Returns (frames,) levels: 0, up during a quarter of the film, 1, down during a quarter, 0."""
    place = np.linspace(0, 1, frames)
    return smoothstep((place - 0.1) / 0.25) * (1 - smoothstep((place - 0.6) / 0.25))


def _shown(method: Method, shot: Shot, level: float) -> Picture:
    return method(shot.frame, shot.face, (level * shot.change).astype(np.float32), shot.measured)


def _errors(pairs: Sequence[Sequence[Picture]], shot: Shot) -> list[float]:
    """Returns the warping error of each pair (before, now) of pictures, by the flow of the first pair."""
    scale = FLOW_PX / pairs[0][0].shape[0]
    small = [[_resized(image, scale) for image in pair] for pair in pairs]
    before, now = (cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in small[0])
    flow = cv2.calcOpticalFlowFarneback(now, before, None, 0.5, 4, 15, 3, 5, 1.1, 0)
    grid = np.indices(now.shape, np.float32)[::-1]
    x, y = grid[0] + flow[..., 0], grid[1] + flow[..., 1]
    differences = [
        np.abs(
            pair[1].astype(np.float32)
            - cv2.remap(pair[0], x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        ).mean(axis=2)
        for pair in small
    ]
    inside = comparison_masks.face_in(shot.face.landmarks * scale, now.shape) & (differences[0] < TRUSTED)
    return [mean(difference[inside]) for difference in differences]


def _resized(image: Picture, scale: float) -> Picture:
    return cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)


def measure_onset(method: Method, subjects: Sequence[Subject]) -> tuple[Onset, ...]:
    """Measures every subject, for expressions that open mouths and shut eyes."""
    return tuple(
        onset
        for subject in subjects
        for name in POPPING
        if (onset := _onset(method, subject, name)) is not None
    )


def _onset(method: Method, subject: Subject, name: str) -> Onset | None:
    """Measures one expression. None: nothing changes."""
    full = BY_NAME[name].change(subject.measured)
    inside = comparison_masks.face(subject.face.landmarks, subject.frame.size[0])
    pictures = [
        method(subject.frame, subject.face, (level * full).astype(np.float32), subject.measured)[inside]
        for level in np.linspace(0, 1, STEPS + 1)
    ]
    steps = [np.abs(now.astype(np.float32) - before).mean() for before, now in pairwise(pictures)]
    return evenness(np.array(steps)) if any(steps) else None


def evenness(steps: NDArray[np.floating]) -> Onset:
    """Computes the evenness of a ramp's steps. Small steps are ignored: where lids meet, motion ends."""
    least = 0.1 * steps.max()
    jumps = steps[1:-1] / np.maximum((steps[:-2] + steps[2:]) / 2, least)
    return Onset(float(steps[0] / max(steps[1], least)), float(jumps.max()))


def flicker_tables(
    films: Mapping[str, Sequence[Steadiness]], onsets: Mapping[str, Sequence[Onset]]
) -> list[ResultTable]:
    """Returns the table of films, if there are any, and the table of onsets."""
    tables = [_onset_table(onsets)]
    if any(films.values()):
        tables.insert(0, _film_table(films))
    return tables


def _film_table(results: Mapping[str, Sequence[Steadiness]]) -> ResultTable:
    rows: list[tuple[Cell, ...]] = []
    for method, found in results.items():
        for each in found:
            rows.append((method, each.film, each.frames, *_figures([each]), None))
        over = _over(found, results["warp"]) if "warp" in results else None
        rows.append((method, "all", sum(each.frames for each in found), *_figures(found), over))
    note = (
        "Warping error in grey levels inside the face: a frame against the one before it, moved along the "
        f"input's optical flow (Farneback, {FLOW_PX} px high), where the input's own error is below "
        f"{TRUSTED:g}. Tracked, smoothed and limited as at run time. Asked for: a broad smile with "
        "raised brows, once constant and once on a ramp up and down. Excess: beyond the input's error; worst "
        "frame: the largest excess on the ramp, in grey levels."
    )
    columns = (
        "method", "clip", "frames", "input", "constant", "excess %", "ramp", "ramp excess %", "worst frame",
        "constant over warp %",
    )  # fmt: skip
    return ResultTable("flicker", "Flicker", note, columns, tuple(rows), 2)


def _figures(found: Sequence[Steadiness]) -> tuple[float, ...]:
    own = mean([each.input_error for each in found])
    constant, ramp = mean([each.constant for each in found]), mean([each.ramp for each in found])
    worst = max(each.worst_ramp for each in found)
    return own, constant, 100 * (constant / own - 1), ramp, 100 * (ramp / own - 1), worst


def _over(found: Sequence[Steadiness], reference: Sequence[Steadiness]) -> float:
    """Returns the error under a constant change minus the reference's, in percent of the latter."""
    return 100 * (mean([each.constant for each in found]) / mean([each.constant for each in reference]) - 1)


def _onset_table(results: Mapping[str, Sequence[Onset]]) -> ResultTable:
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (
            method,
            len(found),
            mean([each.first for each in found]),
            max((each.first for each in found), default=float("nan")),
            mean([each.largest for each in found]),
            max((each.largest for each in found), default=float("nan")),
        )
        for method, found in results.items()
    )
    note = (
        f"A still picture is asked for {' and for '.join(POPPING)} in {STEPS} even steps. The figures are "
        "the first step's effect inside the face divided by the second's, and the largest ratio of a step's "
        "effect to the mean of its neighbours; 1 is even, more is a visible jump. Methods have no state, so "
        "an offset is a reversed onset."
    )
    columns = ("method", "ramps", "first step", "worst", "largest step", "worst largest")
    return ResultTable("onset", "Evenness of onsets", note, columns, rows, 2)
