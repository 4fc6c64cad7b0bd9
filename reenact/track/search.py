"""Chooses the regions in which faces that are not tracked yet are searched."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import cycle

import numpy as np

from reenact.track.region import Region

SEARCHES_PER_S = 30
"""Searched regions per second while no face is tracked."""
MOST_SEARCHES_PER_FRAME = 4
"""Most regions that are searched in one frame."""
_JITTER = 0.25
"""The share of the time between two searches by which a camera's frame may come early."""
_SMALLEST_PX = 16
"""Smallest side of a searched square, in pixels: in a smaller one no face can be detected."""


class Search:
    """Chooses which regions of one scene's frames are searched, and when.

    The search of one region takes about 2 ms and finds upright faces wider than a tenth of its side.
    Therefore every second search covers the whole picture, where most faces are found, and those between
    cycle through the tiles.
    """

    def __init__(self, height: int, width: int) -> None:
        self._searched_s = float("-inf")
        self._upright = cycle(_alternated(upright_regions(height, width)))
        self._any = cycle(_alternated([*upright_regions(height, width), *turned_regions(height, width)]))

    def regions(self, time_s: float, wait_s: float | None) -> list[Region]:
        """The regions to search in the frame at `time_s`; none while the last search is recent.

        wait_s: the least time between two searches, in seconds, while faces are tracked. None: no face is
        tracked, and SEARCHES_PER_S regions are searched at any frame rate.
        """
        passed_s = time_s - self._searched_s
        if wait_s is None:
            due = (
                min(int(passed_s * SEARCHES_PER_S + _JITTER), MOST_SEARCHES_PER_FRAME)
                if np.isfinite(passed_s)
                else 1
            )
        else:
            due = int(passed_s >= wait_s)
        if due:
            self._searched_s = time_s
        return [next(self._any if wait_s is None else self._upright) for _ in range(due)]


def upright_regions(height: int, width: int) -> list[Region]:
    """The whole picture, then overlapping tiles as large as its shorter side and as two thirds of that.

    In 1280x720 these are twelve regions, in which faces of 60 px are found.
    """
    short = min(height, width)
    return [_whole(height, width), *_tiles(height, width, short), *_tiles(height, width, 2 * short / 3)]


def turned_regions(height: int, width: int) -> list[Region]:
    """The whole picture and tiles as large as its shorter side, rotated by one, three and two quarter turns.

    Detectors find faces rolled by up to about 45 degrees.
    """
    upright = [_whole(height, width), *_tiles(height, width, min(height, width))]
    return [region.turned(quarters) for region in upright for quarters in (1, 3, 2)]


def _alternated(regions: Sequence[Region]) -> Iterator[Region]:
    """The first region before each of the others."""
    first, *rest = regions
    for other in rest:
        yield first
        yield other


def _whole(height: int, width: int) -> Region:
    return Region((width - 1) / 2, (height - 1) / 2, float(max(height, width)))


def _tiles(height: int, width: int, side: float) -> Iterator[Region]:
    if side < _SMALLEST_PX:
        return
    for y in _centres(height, side):
        for x in _centres(width, side):
            yield Region(x, y, side)


def _centres(length: int, side: float) -> list[float]:
    """Centres of the fewest squares that cover `length` and overlap by a quarter of their side or more."""
    count = max(1, int(np.ceil((length - side) / (0.75 * side))) + 1)
    return [float(x) for x in np.linspace((side - 1) / 2, length - 1 - (side - 1) / 2, count)]
