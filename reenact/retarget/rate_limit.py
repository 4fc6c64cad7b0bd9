"""No change comes faster than real ones do."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray


class RateLimit:
    """Follows a change at no more than some intensity per second; what is slower passes as it is."""

    def __init__(self, rates: NDArray[np.float32]) -> None:
        """rates: (17,) intensity per second."""
        self._rates = rates
        self._last: tuple[Fraction, NDArray[np.float32]] | None = None

    def __call__(self, change: NDArray[np.float32], pts: Fraction) -> NDArray[np.float32]:
        """`change` (..., 17) as far as it can come by this time. The first is there at once, as is one whose
        time stands still or runs backwards: a seek, another film. What is no finite number stays as it was
        before, at first 0."""
        finite = np.isfinite(change)
        if not finite.all():
            held = np.zeros_like(change) if self._last is None else self._last[1]
            change = np.where(finite, change, held).astype(change.dtype)
        if self._last is not None and pts > self._last[0]:
            since, before = self._last
            step = self._rates * np.float32(pts - since)
            slow = np.clip(change, before - step, before + step)
            change = np.where(np.abs(change - before) <= step, change, slow).astype(change.dtype)
        self._last = pts, change
        return change
