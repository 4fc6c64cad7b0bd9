"""The agreement of asked and achieved, in figures; the page prints their `DEFINITIONS`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calib.au import AU_CODES, OPENFACE_CODES, READ
from reenact.verify.face_comparison import FaceComparison

LEAST_ASKED = 0.05
"""Intensity below which a change in every frame counts as not asked."""
LEAST_VARIED = 0.1
"""Standard deviation in intensity below which no correlation is given: it would be one with noise."""
LONGEST_LAG_S = 0.5
"""The longest lag in seconds that is looked for."""
LEAST_R = 0.3
"""Correlation that curves must reach at some lag for a lag to be given."""

DEFINITIONS = {
    "before": "the action unit (AU) measured in the input, 0..5.",
    "wanted": "the intensity that the targets name: before + the change that they ask for, cut off at 0 and "
    "5, ahead of limits, rate caps and fades.",
    "asked": "before + the change that was asked of the face, cut off at 0 and 5, after limits, rate caps "
    "and fades.",
    "after": "the AU measured in the output file, decoded again, in the frame of the same time and the face "
    "that is nearest.",
    "wanted, asked, achieved change": "mean over frames of wanted, asked or after, each less before.",
    "slope": "achieved change for one unit of asked change: the sum over frames of asked change times "
    "achieved change, divided by the sum of squares of asked change (least squares through the origin). "
    "1 is ideal.",
    "error": "mean over frames of |after - asked|.",
    "sd after": "standard deviation of after over the frames: how steadily a value is held.",
    "r": "Pearson's correlation over time of asked with after. Not given where the standard deviation of "
    f"asked is below {LEAST_VARIED:g}: a constant has none.",
    "lag": "the shift in time at which asked and after agree best: the maximum of their normalised "
    f"cross-correlation within {LONGEST_LAG_S:g} s, between frames by a parabola; positive where the output "
    f"is late. Not given without r, or where no shift reaches a correlation of {LEAST_R:g}.",
    "asked AU": f"an AU whose asked change reaches {LEAST_ASKED:g} in any frame. All others were not asked.",
    "leakage": "of an AU that was not asked, its achieved change. Of a face: the mean over those AUs of "
    "|achieved change|, divided by the mean over asked AUs of |asked change|: what one unit asked moves "
    "elsewhere.",
}
"""The figures and terms of a report by name, with their definitions."""


@dataclass(frozen=True)
class AUFigures:
    """The figures of one action unit of one face; see DEFINITIONS. NaN: the figure is not defined."""

    code: str
    """The code of the action unit, such as AU12."""
    is_asked: bool
    """Whether a change of it was asked in any frame."""
    wanted_change: float
    """The mean change that the targets ask for, in intensity."""
    asked_change: float
    """The mean change that was asked after limits and fades, in intensity."""
    achieved_change: float
    """The mean change from input to output, in intensity."""
    slope: float
    """The achieved change for one unit of asked change."""
    error: float
    """The mean absolute difference between asked and output, in intensity."""
    sd_after: float
    """The standard deviation of the output over frames, in intensity."""
    r: float
    """Pearson's correlation over time of asked and output."""
    lag_s: float
    """The time in seconds by which the output is late."""


@dataclass(frozen=True)
class FaceFigures:
    """The figures of one face."""

    track_id: int
    """The track id of the face in the input."""
    frames: int
    """The number of frames in which the input shows the face."""
    found: int
    """The number of these in which the output shows it, too; all figures are over these."""
    aus: tuple[AUFigures, ...]
    """The figures of all 17 action units."""

    @property
    def asked(self) -> tuple[AUFigures, ...]:
        """The figures of the action units that were asked."""
        return tuple(each for each in self.aus if each.is_asked)

    @property
    def leaked(self) -> tuple[AUFigures, ...]:
        """The figures of the action units that were not asked."""
        return tuple(each for each in self.aus if not each.is_asked)

    @property
    def leakage(self) -> float:
        """The change of other action units for one unit asked; see DEFINITIONS. NaN: it is not defined."""
        moved = np.mean([abs(each.asked_change) for each in self.asked]) if self.asked else 0.0
        if not self.leaked or moved == 0:
            return float("nan")
        return float(np.mean([abs(each.achieved_change) for each in self.leaked]) / moved)


def figures_of(comparison: FaceComparison) -> FaceFigures:
    """The figures of one face."""
    found = np.isfinite(comparison.after).all(axis=1)
    figures = [_au_figures(comparison, int(index), found) for index in np.flatnonzero(READ)]
    # Gaze and openings follow from others, so what they do unasked is no leak.
    aus = tuple(each for each in figures if each.is_asked or each.code in OPENFACE_CODES)
    return FaceFigures(comparison.track_id, len(found), int(found.sum()), aus)


def _au_figures(comparison: FaceComparison, index: int, found: NDArray[np.bool_]) -> AUFigures:
    before, wanted, asked, after = (
        each[found, index].astype(np.float64)
        for each in (comparison.before, comparison.wanted, comparison.asked, comparison.after)
    )
    change, achieved = asked - before, after - before
    square = float(change @ change)
    is_asked = bool((np.abs(comparison.asked - comparison.before)[:, index] >= LEAST_ASKED).any())
    varies = len(asked) > 2 and asked.std() >= LEAST_VARIED
    return AUFigures(
        AU_CODES[index],
        is_asked,
        _mean(wanted - before),
        _mean(change),
        _mean(achieved),
        float(change @ achieved) / square if is_asked and square > 0 else float("nan"),
        _mean(np.abs(after - asked)),
        float(after.std()) if len(after) > 1 else float("nan"),
        correlation(asked, after) if varies else float("nan"),
        lag_s(comparison.times_s[found], asked, after) if varies else float("nan"),
    )


def correlation(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Pearson's correlation of two curves (n,); 0 where one of them is constant."""
    first, second = first - first.mean(), second - second.mean()
    norm = float(np.sqrt((first @ first) * (second @ second)))
    return float(first @ second) / norm if norm > 1e-12 else 0.0


def lag_s(times_s: NDArray[np.float64], asked: NDArray[np.float64], after: NDArray[np.float64]) -> float:
    """Seconds by which the curve `after` (n,) is later than `asked` (n,). NaN: they correlate too little."""
    interval_s = float(np.median(np.diff(times_s)))
    even_s = np.arange(times_s[0], times_s[-1] + interval_s / 2, interval_s)
    asked, after = np.interp(even_s, times_s, asked), np.interp(even_s, times_s, after)
    most = min(round(LONGEST_LAG_S / interval_s), len(even_s) // 3)
    agreement = np.array([_shifted_correlation(asked, after, shift) for shift in range(-most, most + 1)])
    best = int(agreement.argmax())
    if agreement[best] < LEAST_R:
        return float("nan")
    return (best - most + _peak(agreement, best)) * interval_s


def _shifted_correlation(asked: NDArray[np.float64], after: NDArray[np.float64], shift: int) -> float:
    """The correlation of `asked` with `after` from `shift` frames later on."""
    overlap = len(asked) - abs(shift)
    return correlation(asked[max(-shift, 0) :][:overlap], after[max(shift, 0) :][:overlap])


def _peak(values: NDArray[np.float64], at: int) -> float:
    """The offset, -0.5..0.5, of the top of a parabola through the largest value and its neighbours."""
    if not 0 < at < len(values) - 1:
        return 0.0
    before, top, after = values[at - 1 : at + 2]
    bend = before - 2 * top + after
    return float(np.clip((before - after) / (2 * bend), -0.5, 0.5)) if bend < 0 else 0.0


def _mean(values: NDArray[np.float64]) -> float:
    return float(values.mean()) if len(values) else float("nan")
