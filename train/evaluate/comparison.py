"""Compares results with the truth by region, paired with the baselines on the same pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from train.evaluate.likeness import Likeness
from train.evaluate.result_table import Cell, ResultTable
from train.evaluate.statistics import mean

BASELINES = ("copy", "warp")


@dataclass(frozen=True, eq=False)
class Compared:
    """One method's results; all methods have the same pictures in the same order."""

    regions: Mapping[str, tuple[Likeness | None, ...]]
    """The likeness to the truth, by region and picture. None: the picture does not show the region."""
    landmark_errors: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    """By group of landmarks: mean distance in percent of that between the pupils; NaN without a face."""
    landmark_gains: Mapping[str, float] = field(default_factory=dict)
    """By group of landmarks, over all pictures: their motion as a share of the true motion."""


def comparison_table(name: str, title: str, note: str, results: Mapping[str, Compared]) -> ResultTable:
    """Returns a table with a row for every region and method."""
    first = next(iter(results.values()))
    baselines = [baseline for baseline in BASELINES if baseline in results]
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        _row(region, method, results, baselines)
        for region in first.regions
        if any(first.regions[region])
        for method in results
    )
    beats = tuple(f"L1 below {baseline}'s" for baseline in baselines)
    return ResultTable(name, title, note, ("region", "method", "n", "L1", "PSNR dB", "SSIM", *beats), rows)


def _row(
    region: str, method: str, results: Mapping[str, Compared], baselines: Sequence[str]
) -> tuple[Cell, ...]:
    known = [each for each in results[method].regions[region] if each is not None]
    return (
        region,
        method,
        len(known),
        mean([each.l1 for each in known]),
        mean([each.psnr for each in known]),
        mean([each.ssim for each in known]),
        *(_wins(results[method], results[baseline], region) for baseline in baselines),
    )


def _wins(ours: Compared, theirs: Compared, region: str) -> float | None:
    """Returns the share of pictures on which the first is nearer to the truth; ties count half."""
    if ours is theirs:
        return None
    pairs = zip(ours.regions[region], theirs.regions[region], strict=True)
    gains = [them.l1 - us.l1 for us, them in pairs if us is not None and them is not None]
    return float(np.mean(np.sign(gains) / 2 + 0.5)) if gains else None


def landmark_table(name: str, title: str, note: str, results: Mapping[str, Compared]) -> ResultTable:
    """Returns a table of the landmarks' errors and gains by method."""
    groups = tuple(next(iter(results.values())).landmark_errors)
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (
            method,
            int(np.sum(~np.isnan(found.landmark_errors[groups[0]]))),
            *(mean(found.landmark_errors[group]) for group in groups),
            *(found.landmark_gains.get(group) for group in groups),
        )
        for method, found in results.items()
    )
    columns = [f"NME {group} %" for group in groups] + [f"gain {group}" for group in groups]
    return ResultTable(name, title, note, ("method", "n", *columns), rows, 2)
