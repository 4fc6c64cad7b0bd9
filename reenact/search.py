"""Where to look for faces that are not tracked yet."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from reenact.region import Region


def looks(height: int, width: int) -> Iterator[Region]:
    """Squares to look into, in the order in which they are likely to pay; together they cover every case.

    First the whole picture, which shows faces wider than about a tenth of it; then overlapping tiles of the
    shorter side and of half of it, for small faces; then the whole picture lying on its sides and on its head.
    """
    short, long = sorted((height, width))
    whole = Region((width - 1) / 2, (height - 1) / 2, float(long))
    yield whole
    yield from _tiles(height, width, short)
    for quarter in (1, 3, 2):
        yield Region(whole.x, whole.y, whole.width, quarter * np.pi / 2)
    yield from _tiles(height, width, short // 2)


def _tiles(height: int, width: int, side: int) -> Iterator[Region]:
    """Squares of `side` pixels over the picture, each overlapping the next by a quarter or more."""
    for y in _centres(height, side):
        for x in _centres(width, side):
            yield Region(x, y, float(side))


def _centres(length: int, side: int) -> list[float]:
    count = max(1, int(np.ceil((length - side) / (0.75 * side))) + 1)
    return [float(x) for x in np.linspace((side - 1) / 2, length - 1 - (side - 1) / 2, count)]
