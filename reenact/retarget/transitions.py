"""How fast a change may come: fades in and out, and a limit on the rate of change."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from calib.ramp import within


class Fade:
    """A level from 0 to 1 that rises smoothly while it is wanted and falls while it is not."""

    def __init__(self, duration_s: float, start: Fraction, *, full: bool) -> None:
        """The level at presentation time `start` is 1 if `full`, else 0. A duration of 0 switches at once."""
        self._duration_s = duration_s
        self._ramp = float(full)
        self._last = start

    def __call__(self, wanted: bool, pts: Fraction) -> float:
        """The level at this presentation time, at which it is wanted or not.

        It stays where it is when time runs backwards.
        """
        elapsed_s = max(0.0, float(pts - self._last))
        self._last = pts
        step = elapsed_s / self._duration_s if self._duration_s else 1.0
        self._ramp = min(1.0, self._ramp + step) if wanted else max(0.0, self._ramp - step)
        # Smoothstep: no jump in speed at either end, where the eye would see it.
        return self._ramp * self._ramp * (3 - 2 * self._ramp)


class RateLimit:
    """Follows a change at a limited rate, in intensity per second; slower changes pass unaltered."""

    def __init__(self, rates: NDArray[np.float32]) -> None:
        """rates: (AU_COUNT,) the largest rates, in intensity per second."""
        self._rates = rates
        self._last: tuple[Fraction, NDArray[np.float32]] | None = None

    def __call__(self, change: NDArray[np.float32], pts: Fraction) -> NDArray[np.float32]:
        """`change` (..., AU_COUNT) as far as it can have come by this presentation time.

        The first change passes unaltered, as does one whose time stands still or runs backwards (a seek, or
        another film). Values that are not finite keep the value before, at first 0.
        """
        finite = np.isfinite(change)
        if not finite.all():
            held = np.zeros_like(change) if self._last is None else self._last[1]
            change = np.where(finite, change, held).astype(change.dtype)
        if self._last is not None and pts > self._last[0]:
            since, before = self._last
            step = self._rates * np.float32(pts - since)
            slow = within(change, before - step, before + step)
            change = np.where(np.abs(change - before) <= step, change, slow).astype(change.dtype)
        self._last = pts, change
        return change
