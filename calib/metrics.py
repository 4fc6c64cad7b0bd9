"""How well readings agree with labels, per action unit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from calib.au import AU_CODES

LEAST_SPREAD = 0.05
"""Intensity: where labels vary less than this (standard deviation), correlation only measures noise."""
LEAST_SHOWN = 0.03
"""Share of labels above 0 that correlation needs to mean something."""


@dataclass(frozen=True, eq=False)
class Agreement:
    """Each (17,), NaN where the labels do not vary enough to tell."""

    r: NDArray[np.float64]
    """Pearson correlation."""
    icc: NDArray[np.float64]
    """ICC(3,1), consistency of two raters (Shrout & Fleiss, Psychological Bulletin 86(2), 1979)."""
    mae: NDArray[np.float64]
    """Mean absolute error in intensity, 0..5."""
    count: int
    """Faces compared."""

    @cached_property
    def mean_r(self) -> float:
        return _mean(self.r)

    @cached_property
    def mean_icc(self) -> float:
        return _mean(self.icc)

    @cached_property
    def mean_mae(self) -> float:
        return _mean(self.mae)


def mean_of(parts: Iterable[Agreement]) -> Agreement:
    """The mean over parts of what is found within each."""
    known = list(parts)
    r, icc = (np.ma.masked_invalid([getattr(part, name) for part in known]) for name in ("r", "icc"))
    mae = np.mean([part.mae for part in known], axis=0)
    count = sum(part.count for part in known)
    return Agreement(r.mean(axis=0).filled(np.nan), icc.mean(axis=0).filled(np.nan), mae, count)


def agreement(readings: NDArray[np.floating], labels: NDArray[np.floating]) -> Agreement:
    """Of (n, 17) readings with (n, 17) labels."""
    readings, labels = readings.astype(np.float64), labels.astype(np.float64)
    if len(labels) < 3:
        unknown = np.full(len(AU_CODES), np.nan)
        return Agreement(unknown, unknown, unknown, len(labels))
    telling = (labels.std(axis=0) >= LEAST_SPREAD) & ((labels > 0).mean(axis=0) >= LEAST_SHOWN)
    covariance = ((readings - readings.mean(axis=0)) * (labels - labels.mean(axis=0))).mean(axis=0)
    variances = readings.var(axis=0), labels.var(axis=0)
    # A reading that never moves agrees with nothing: 0, not 0/0.
    r = covariance / np.maximum(np.sqrt(variances[0] * variances[1]), 1e-12)
    icc = 2 * covariance / np.maximum(variances[0] + variances[1], 1e-12)
    mae = np.abs(readings - labels).mean(axis=0)
    return Agreement(np.where(telling, r, np.nan), np.where(telling, icc, np.nan), mae, len(labels))


@dataclass(frozen=True, eq=False)
class MetricsReport:
    """Readings of people whom the estimator has not seen."""

    pooled: Agreement
    parts: Mapping[str, Agreement]
    """Of parts of the faces: each collection, turned heads, each clip."""

    def to_json(self) -> dict[str, object]:
        return {
            "pooled": to_json(self.pooled),
            "parts": {name: to_json(part) for name, part in self.parts.items()},
        }

    def to_markdown(self) -> str:
        """One table of the action units, pooled, and one of the means of each part."""
        rows = (
            f"| {name} | {part.count} | {_cells(part.mean_r, part.mean_icc, part.mean_mae)} |"
            for name, part in {"all": self.pooled, **self.parts}.items()
        )
        parts = ["| part | faces | mean r | mean ICC(3,1) | mean MAE |", "|---|---|---|---|---|", *rows]
        return "\n\n".join([to_markdown(self.pooled), "\n".join(parts)]) + "\n"


@dataclass(frozen=True, eq=False)
class ReadingComparison:
    """The same readings as they are, and beyond each person's neutral, with labels normalised per person."""

    before: Agreement
    after: Agreement

    def to_json(self) -> dict[str, object]:
        return {"before": to_json(self.before), "after": to_json(self.after)}

    def to_markdown(self) -> str:
        """A table with a row for every action unit and one for the mean."""
        lines = [
            f"All {self.before.count} frames together, before > after each person's neutral is taken off",
            "",
            "| AU | r | ICC(3,1) | MAE |",
            "|---|---|---|---|",
        ]
        for before, after in zip(_rows(self.before), _rows(self.after), strict=True):
            pairs = (
                f"{_cells(one)} > {_cells(other)}" for one, other in zip(before[1:], after[1:], strict=True)
            )
            lines.append(f"| {before[0]} | {' | '.join(pairs)} |")
        return "\n".join(lines) + "\n"


def to_json(found: Agreement) -> dict[str, object]:
    """Numbers rounded to 3 digits, by AU and in the mean; None where undefined."""
    per_au = {
        code: {"r": _rounded(r), "icc": _rounded(icc), "mae": _rounded(mae)}
        for code, r, icc, mae in zip(AU_CODES, found.r, found.icc, found.mae, strict=True)
    }
    means = {"r": _rounded(found.mean_r), "icc": _rounded(found.mean_icc), "mae": _rounded(found.mean_mae)}
    return {"count": found.count, "mean": means, "aus": per_au}


def to_markdown(found: Agreement) -> str:
    """A table with a row for every action unit and one for the mean."""
    lines = (f"| {name} | {_cells(r, icc, mae)} |" for name, r, icc, mae in _rows(found))
    return "\n".join(["| AU | r | ICC(3,1) | MAE |", "|---|---|---|---|", *lines])


def _rows(found: Agreement) -> list[tuple[str, float, float, float]]:
    """(name, r, ICC, MAE) of every action unit and of the mean."""
    units = zip(AU_CODES, found.r.tolist(), found.icc.tolist(), found.mae.tolist(), strict=True)
    return [*units, ("mean", found.mean_r, found.mean_icc, found.mean_mae)]


def _mean(values: NDArray[np.float64]) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")


def _rounded(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), 3)


def _cells(*values: float) -> str:
    return " | ".join("-" if np.isnan(value) else f"{value:.2f}" for value in values)
