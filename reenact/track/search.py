"""Where to look for faces that are not tracked yet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import cycle

import numpy as np

from reenact.track.region import Region

LOOKS_PER_S = 30
"""While no face is tracked."""
MOST_LOOKS = 4
"""In one frame."""
_JITTER = 0.25
"""Share of the time between two looks by which a camera's frame may come too early for the next."""


_SMALLEST_PX = 16
"""No face can be made out in a square whose side is shorter."""


class Search:
    """The order in which one scene's pictures are searched.

    One look costs about 2 ms and sees upright faces wider than a tenth of its square. So every second look
    goes to the whole picture, where most faces are found, and those between take their turns over the rest.
    """

    def __init__(self, height: int, width: int) -> None:
        self._searched_s = float("-inf")
        self._upright = cycle(_alternated(upright_looks(height, width)))
        self._any = cycle(_alternated([*upright_looks(height, width), *turned_looks(height, width)]))

    def looks(self, time_s: float, wait_s: float | None) -> list[Region]:
        """The places to look at in this frame; none when the last look was a moment ago.

        `wait_s`: the least time between two looks while faces are tracked; None: none are, and there are
        LOOKS_PER_S, whatever the frame rate.
        """
        passed_s = time_s - self._searched_s
        if wait_s is None:
            due = min(int(passed_s * LOOKS_PER_S + _JITTER), MOST_LOOKS) if np.isfinite(passed_s) else 1
        else:
            due = int(passed_s >= wait_s)
        if due:
            self._searched_s = time_s
        return [next(self._any if wait_s is None else self._upright) for _ in range(due)]


def upright_looks(height: int, width: int) -> list[Region]:
    """The whole picture, then overlapping tiles of its shorter side and of two thirds of that.

    In 1280x720 twelve looks, which find 60 px faces.
    """
    short = min(height, width)
    return [_whole(height, width), *_tiles(height, width, short), *_tiles(height, width, 2 * short / 3)]


def turned_looks(height: int, width: int) -> list[Region]:
    """The picture and tiles of its shorter side, lying on either side and on their heads.

    Detectors know faces up to some 45 degrees.
    """
    places = [_whole(height, width), *_tiles(height, width, min(height, width))]
    return [place.turned(quarters) for place in places for quarters in (1, 3, 2)]


def _alternated(looks: Sequence[Region]) -> Iterator[Region]:
    first, *rest = looks
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
    """Of the fewest squares that cover `length` and overlap by a quarter of their side or more."""
    count = max(1, int(np.ceil((length - side) / (0.75 * side))) + 1)
    return [float(x) for x in np.linspace((side - 1) / 2, length - 1 - (side - 1) / 2, count)]
