"""The One-Euro filter: removes jitter from still values and adds little lag to moving ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class _Past:
    time_s: float
    value: Values
    """The smoothed values that were returned."""
    velocity: Values
    """The smoothed velocity, per second."""


class OneEuro:
    """The One-Euro filter over whole arrays (Casiez, Roussel & Vogel, CHI 2012).

    A first-order low-pass whose cutoff rises with speed: cutoff = min_cutoff_hz + beta * speed.
    """

    def __init__(
        self,
        min_cutoff_hz: float,
        beta: float,
        derivative_cutoff_hz: float = 1.0,
        *,
        speed_axis: int | None = None,
    ) -> None:
        """min_cutoff_hz: the cutoff frequency at rest. beta: the rise of the cutoff, in Hz per unit of speed.
        derivative_cutoff_hz: the cutoff of the filter on the velocity.
        speed_axis: the axis that holds the coordinates of one point, which then share one speed, the length
        of their velocity. None: every number has its own speed."""
        self._min_cutoff_hz = min_cutoff_hz
        self._beta = beta
        self._derivative_cutoff_hz = derivative_cutoff_hz
        self._speed_axis = speed_axis
        self._past: _Past | None = None

    def __call__(self, values: Values, time_s: float, *, unit: float = 1.0) -> Values:
        """The smoothed values at `time_s`, in the shape of `values`. Speed is measured in `unit` per second.

        Where time does not increase (a seek, a new video), the filter starts again. A value that is not
        finite is replaced by the one before it, so that it does not stay in the filter. Where there is no
        value before it, or `time_s` is not finite, nothing is remembered: the values before are returned, or
        if there are none, `values`.
        """
        past = self._past
        if not np.isfinite(time_s) or not np.isfinite(unit) or unit <= 0:
            return values.copy() if past is None else past.value.copy()
        finite = np.isfinite(values)
        if not finite.all():
            if past is None:
                return values.copy()
            values = np.where(finite, values, past.value).astype(past.value.dtype)
        if past is None or time_s <= past.time_s:
            self._past = _Past(time_s, values.copy(), np.zeros_like(values))
            return values.copy()
        interval_s = time_s - past.time_s
        slope = (values - past.value) / interval_s
        velocity = past.velocity + _weight(self._derivative_cutoff_hz, interval_s) * (slope - past.velocity)
        cutoff_hz = self._min_cutoff_hz + self._beta / unit * self._speed(velocity)
        value = past.value + _weight(cutoff_hz, interval_s) * (values - past.value)
        self._past = _Past(time_s, value, velocity)
        return value.copy()

    def _speed(self, velocity: Values) -> Values:
        if self._speed_axis is None:
            return np.abs(velocity)
        return np.linalg.norm(velocity, axis=self._speed_axis, keepdims=True)


def _weight(cutoff_hz: float | Values, interval_s: float) -> float | Values:
    """The new value's weight in an exponential low-pass with this cutoff (the paper's equations 2 and 3)."""
    turn = 2 * np.pi * interval_s * cutoff_hz
    return turn / (turn + 1)
