"""Fits the limits to labelled faces, and their rates to labelled films."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from calib.au import AU_INDEX, HIGHEST, MAX_INTENSITY, OPENFACE_CODES, OPENFACE_COUNT, openface
from calib.limits import OTHER_RATES, Limits, PairLimit, with_others

REGIONS = ((1, 2, 4), (5, 6, 7), (9, 10, 12, 14, 15, 17, 20, 23, 25, 26))
"""Action units that move the same part of the face. Those of different parts can be shown together, however
rarely people do it; only within a part can one exclude another. AU45 is not among them: lids can always
shut."""
DIRECTIONS = ((1.0, 1.0), (2.0, 1.0), (1.0, 2.0))
"""The weights of the two shares in the constraints of a pair."""
LEAST_LARGEST = 4.0
"""The lowest limit of an intensity: FACS D, severe, and the most that a preset asks for. Labels that end at
1.5, as those of AU23 do, show how weakly OpenFace reads an action unit, not how far faces go."""
UNLIMITED = (45,)
"""The action units without a limit: closed lids go no further at any intensity."""
_PERCENTILE = 99.9


@dataclass(frozen=True)
class LimitsFitOptions:
    """The criteria by which two action units count as antagonists."""

    shown: float = 0.35
    """Share of its largest intensity from which an action unit counts as shown."""
    rarer: float = 0.7
    """Antagonists are shown together in less than this share of the cases that chance would give."""
    nearer: float = 0.12
    """The bound of antagonists lies at least this far, in shares, below the bound that chance would give."""
    draws: int = 20
    """The number of random permutations of labels that stand for chance."""
    seed: int = 0


@dataclass(frozen=True)
class Antagonists:
    """Two action units that exclude each other, and the evidence for it."""

    first: int
    """The index of one action unit."""
    second: int
    """The index of the other."""
    together: int
    """The number of faces that show both."""
    by_chance: float
    """The number of faces that would show both if they were independent."""
    bounds: tuple[float, ...]
    """The bound in each of DIRECTIONS."""


def fit_limits(
    aus: NDArray[np.float32], rates: NDArray[np.float32], options: LimitsFitOptions = LimitsFitOptions()
) -> tuple[Limits, list[Antagonists]]:
    """Fits limits to the labels (n, 17) of many faces; rates: (17,) as `fastest` finds them."""
    farthest = np.percentile(aus, _PERCENTILE, axis=0)
    shares = aus / np.maximum(farthest, 1e-6)
    largest = np.maximum(farthest, LEAST_LARGEST).astype(np.float32)
    largest[[AU_INDEX[number] for number in UNLIMITED]] = MAX_INTENSITY
    antagonists = list(find_antagonists(shares, options))
    pairs = tuple(
        PairLimit(each.first, each.second, *weights, bound)
        for each in antagonists
        for weights, bound in zip(DIRECTIONS, each.bounds, strict=True)
    )
    return Limits(with_others(largest, HIGHEST), pairs, with_others(rates, OTHER_RATES)), antagonists


def find_antagonists(shares: NDArray[np.floating], options: LimitsFitOptions) -> Iterator[Antagonists]:
    """Finds antagonists in `shares` (n, 17), intensities as shares of the largest.

    A pair that was never seen is no evidence where chance would not show it either, so what was seen is
    compared with what chance would show.
    """
    generator = np.random.default_rng(options.seed)
    for region in REGIONS:
        for first, second in combinations([AU_INDEX[number] for number in region], 2):
            a, b = shares[:, first], shares[:, second]
            both = int(((a >= options.shown) & (b >= options.shown)).sum())
            chance = float((a >= options.shown).mean() * (b >= options.shown).mean() * len(a))
            dealt = [_bounds(a, generator.permutation(b))[0] for _ in range(options.draws)]
            bounds = _bounds(a, b)
            if both < options.rarer * chance and bounds[0] < np.mean(dealt) - options.nearer:
                yield Antagonists(first, second, both, chance, bounds)


def _bounds(first: NDArray[np.floating], second: NDArray[np.floating]) -> tuple[float, ...]:
    """Returns the farthest percentile of faces in each direction; either AU alone may reach its largest."""
    return tuple(max(float(np.percentile(a * first + b * second, _PERCENTILE)), a, b) for a, b in DIRECTIONS)


def fastest(films: Sequence[tuple[NDArray[np.float64], NDArray[np.float64]]]) -> NDArray[np.float32]:
    """Returns the fastest change (17,), intensity per second, in films of (times (n,) s, labels (n, 17)).

    It is the 99.9th percentile of the slope over two frames, after a median of three has removed single
    outliers.
    """
    steepness = np.concatenate([_steepness(times_s, aus) for times_s, aus in films])
    return np.percentile(steepness, _PERCENTILE, axis=0).astype(np.float32)


def _steepness(times_s: NDArray[np.float64], aus: NDArray[np.float64]) -> NDArray[np.float64]:
    if len(times_s) < 5:
        return np.zeros((0, OPENFACE_COUNT))
    steady, times_s = np.median([aus[:-2], aus[1:-1], aus[2:]], axis=0), times_s[1:-1]
    elapsed_s = times_s[2:] - times_s[:-2]
    # Where frames are missing, the duration of a change is unknown.
    whole = elapsed_s < 1.5 * np.median(elapsed_s)
    return np.abs(steady[2:] - steady[:-2])[whole] / elapsed_s[whole, None]


def to_markdown(limits: Limits, antagonists: Sequence[Antagonists]) -> str:
    """Returns two Markdown tables: one of action units and one of pairs."""
    lines = ["| AU | at most | AU/s |", "|---|---|---|"]
    known = openface(limits.largest), openface(limits.rates)
    for code, largest, rate in zip(OPENFACE_CODES, *known, strict=True):
        lines.append(f"| {code} | {largest:.1f} | {rate:.0f} |")
    directions = " | ".join(f"{a:g}a + {b:g}b" for a, b in DIRECTIONS)
    lines += [
        "",
        f"| a, b | faces with both | by chance | {directions} |",
        "|---" * (3 + len(DIRECTIONS)) + "|",
    ]
    for pair in antagonists:
        bounds = " | ".join(f"{bound:.2f}" for bound in pair.bounds)
        names = f"{OPENFACE_CODES[pair.first]}, {OPENFACE_CODES[pair.second]}"
        lines.append(f"| {names} | {pair.together} | {pair.by_chance:.0f} | {bounds} |")
    return "\n".join(lines) + "\n"
