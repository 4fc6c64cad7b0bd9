"""Agreement of readings with labels, per action unit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from calib.au import OPENFACE_CODES

LEAST_SPREAD = 0.05
"""Standard deviation of labels, in intensity, below which correlation only measures noise."""
LEAST_SHOWN = 0.03
"""Share of labels above 0 below which correlation is not meaningful."""


@dataclass(frozen=True, eq=False)
class Agreement:
    """Agreement of each action unit, (17,); NaN where the labels vary too little."""

    r: NDArray[np.float64]
    """Pearson correlation."""
    icc: NDArray[np.float64]
    """ICC(3,1), consistency of two raters (Shrout & Fleiss, Psychological Bulletin 86(2), 1979)."""
    mae: NDArray[np.float64]
    """Mean absolute error in intensity, 0..5."""
    count: int
    """The number of faces compared."""

    @cached_property
    def mean_r(self) -> float:
        """The mean of `r` over the action units that have one."""
        return _mean(self.r)

    @cached_property
    def mean_icc(self) -> float:
        """The mean of `icc` over the action units that have one."""
        return _mean(self.icc)

    @cached_property
    def mean_mae(self) -> float:
        """The mean of `mae` over the action units that have one."""
        return _mean(self.mae)


def mean_of(parts: Iterable[Agreement]) -> Agreement:
    """Returns the mean of the agreements within each part."""
    known = list(parts)
    r, icc = (np.ma.masked_invalid([getattr(part, name) for part in known]) for name in ("r", "icc"))
    mae = np.mean([part.mae for part in known], axis=0)
    count = sum(part.count for part in known)
    return Agreement(r.mean(axis=0).filled(np.nan), icc.mean(axis=0).filled(np.nan), mae, count)


def agreement(readings: NDArray[np.floating], labels: NDArray[np.floating]) -> Agreement:
    """Compares (n, 17) readings with (n, 17) labels, both in intensity."""
    readings, labels = readings.astype(np.float64), labels.astype(np.float64)
    if len(labels) < 3:
        unknown = np.full(len(OPENFACE_CODES), np.nan)
        return Agreement(unknown, unknown, unknown, len(labels))
    telling = (labels.std(axis=0) >= LEAST_SPREAD) & ((labels > 0).mean(axis=0) >= LEAST_SHOWN)
    covariance = ((readings - readings.mean(axis=0)) * (labels - labels.mean(axis=0))).mean(axis=0)
    variances = readings.var(axis=0), labels.var(axis=0)
    # A constant reading has a correlation of 0, not 0/0.
    r = covariance / np.maximum(np.sqrt(variances[0] * variances[1]), 1e-12)
    icc = 2 * covariance / np.maximum(variances[0] + variances[1], 1e-12)
    mae = np.abs(readings - labels).mean(axis=0)
    return Agreement(np.where(telling, r, np.nan), np.where(telling, icc, np.nan), mae, len(labels))


@dataclass(frozen=True, eq=False)
class MetricsReport:
    """Agreement for people of the held-out split."""

    pooled: Agreement
    """The agreement over all faces."""
    parts: Mapping[str, Agreement]
    """The agreement within parts of the faces: each collection, turned heads, each clip."""

    def to_json(self) -> dict[str, object]:
        """Returns the figures as JSON holds them."""
        return {
            "pooled": to_json(self.pooled),
            "parts": {name: to_json(part) for name, part in self.parts.items()},
        }

    def to_markdown(self) -> str:
        """Returns one table of the pooled action units and one of the means of each part."""
        rows = (
            f"| {name} | {part.count} | {_cells(part.mean_r, part.mean_icc, part.mean_mae)} |"
            for name, part in {"all": self.pooled, **self.parts}.items()
        )
        parts = ["| part | faces | mean r | mean ICC(3,1) | mean MAE |", "|---|---|---|---|---|", *rows]
        return "\n\n".join([to_markdown(self.pooled), "\n".join(parts)]) + "\n"


@dataclass(frozen=True, eq=False)
class ReadingComparison:
    """Agreement of the same readings before and after each person's neutral is subtracted.

    The labels are normalised per person.
    """

    before: Agreement
    after: Agreement

    def to_json(self) -> dict[str, object]:
        """Returns the figures as JSON holds them."""
        return {"before": to_json(self.before), "after": to_json(self.after)}

    def to_markdown(self) -> str:
        """Returns a table with a row for every action unit and one for the mean."""
        lines = [
            f"All {self.before.count} frames together, before > after each person's neutral is subtracted",
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
    """Returns numbers rounded to 3 digits, by AU and in the mean. None: the number is undefined."""
    per_au = {
        code: {"r": _rounded(r), "icc": _rounded(icc), "mae": _rounded(mae)}
        for code, r, icc, mae in zip(OPENFACE_CODES, found.r, found.icc, found.mae, strict=True)
    }
    means = {"r": _rounded(found.mean_r), "icc": _rounded(found.mean_icc), "mae": _rounded(found.mean_mae)}
    return {"count": found.count, "mean": means, "aus": per_au}


def to_markdown(found: Agreement) -> str:
    """Returns a table with a row for every action unit and one for the mean."""
    lines = (f"| {name} | {_cells(r, icc, mae)} |" for name, r, icc, mae in _rows(found))
    return "\n".join(["| AU | r | ICC(3,1) | MAE |", "|---|---|---|---|", *lines])


def _rows(found: Agreement) -> list[tuple[str, float, float, float]]:
    """Returns (name, r, ICC, MAE) of every action unit and of the mean."""
    units = zip(OPENFACE_CODES, found.r.tolist(), found.icc.tolist(), found.mae.tolist(), strict=True)
    return [*units, ("mean", found.mean_r, found.mean_icc, found.mean_mae)]


def _mean(values: NDArray[np.float64]) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")


def _rounded(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), 3)


def _cells(*values: float) -> str:
    return " | ".join("-" if np.isnan(value) else f"{value:.2f}" for value in values)
