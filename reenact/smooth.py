"""Smoothing that follows: still values lose their noise, moving values lose little time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


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
        """`speed_axis`: the axis that holds the coordinates of one point, which then share one speed, the
        length of their velocity; None gives every number a speed of its own."""
        self._min_cutoff_hz = min_cutoff_hz
        self._beta = beta
        self._derivative_cutoff_hz = derivative_cutoff_hz
        self._speed_axis = speed_axis
        self.reset()

    def reset(self) -> None:
        """Forgets everything: the next call returns its values as they are."""
        self._time_s: float | None = None
        self._value: NDArray[np.float32] | None = None
        self._velocity: NDArray[np.float32] | None = None

    def __call__(
        self, values: NDArray[np.float32], time_s: float, *, unit: float = 1.0
    ) -> NDArray[np.float32]:
        """The smoothed values at `time_s`. Speed is counted in `unit` per second.

        Time that stands still or runs backwards (a seek, a new video) starts afresh.
        """
        if self._value is None or self._velocity is None or self._time_s is None or time_s <= self._time_s:
            self._value, self._velocity = values.copy(), np.zeros_like(values)
        else:
            interval_s = time_s - self._time_s
            slope = (values - self._value) / interval_s
            self._velocity = self._velocity + _weight(self._derivative_cutoff_hz, interval_s) * (
                slope - self._velocity
            )
            cutoff_hz = self._min_cutoff_hz + self._beta / unit * self._speed()
            self._value = self._value + _weight(cutoff_hz, interval_s) * (values - self._value)
        self._time_s = time_s
        return self._value.copy()

    def _speed(self) -> NDArray[np.float32]:
        assert self._velocity is not None
        if self._speed_axis is None:
            return np.abs(self._velocity)
        return np.sqrt(np.square(self._velocity).sum(axis=self._speed_axis, keepdims=True))


def _weight(cutoff_hz: float | NDArray[np.float32], interval_s: float) -> float | NDArray[np.float32]:
    """The share of the new value in an exponential low-pass: 1 / (1 + tau / interval), paper's equation 3."""
    turns = 2 * np.pi * interval_s * cutoff_hz
    return turns / (turns + 1)
