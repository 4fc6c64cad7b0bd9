"""A smooth way in and out."""

from __future__ import annotations

from fractions import Fraction


class Fade:
    """A level between 0 and 1 that rises while it is wanted and falls while it is not."""

    def __init__(self, duration_s: float, start: Fraction, *, full: bool) -> None:
        """Starts at presentation time `start` at 1 if `full`, else at 0. A duration of 0 switches at once."""
        self._duration_s = duration_s
        self._ramp = float(full)
        self._last = start

    def __call__(self, wanted: bool, pts: Fraction) -> float:
        """The level at this time, at which it is wanted or not. Time that runs backwards counts as none."""
        elapsed_s = max(0.0, float(pts - self._last))
        self._last = pts
        step = elapsed_s / self._duration_s if self._duration_s else 1.0
        self._ramp = min(1.0, self._ramp + step) if wanted else max(0.0, self._ramp - step)
        # Smoothstep: no jump in speed at either end, where the eye would see it.
        return self._ramp * self._ramp * (3 - 2 * self._ramp)
