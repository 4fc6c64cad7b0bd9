"""Eye contact: turns the eyes of a face that looks at a screen to the camera, and keeps what eyes do."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from calib.au import GAZE, GAZE_UNIT_DEG, LID_GAP, AUVector, neutral_aus
from calib.gaze import camera_deg
from calib.ramp import ramp_of, smoothstep
from reenact.records import Face


@dataclass(frozen=True)
class EyeContactOptions:
    """How eyes that look at a screen come to look at the camera. Angles are in degrees."""

    kept: float = 0.3
    """The share of the eyes' own motion around the place where they usually look that is kept: eyes that
    stand still look dead, and those of a reader wander over lines of text."""
    settle_s: float = 3.0
    """The time constant with which the place where the eyes usually look is learned."""
    glance: tuple[float, float] = (16.0, 28.0)
    """The distance from that place up to which the eyes are turned to the camera, and from which on the
    person looks away, which is kept."""
    turned: tuple[float, float] = (20.0, 32.0)
    """The angles between the head and the camera at which the correction begins to fade, and is gone."""
    most: float = 24.0
    """The largest correction; further off, eyes that meet the camera would look wrong in that head."""
    open_share: float = 0.6
    """The share of its usual opening below which an eye blinks, so that its gaze cannot be read."""
    saccade: tuple[float, float] = (2.5, 4.5)
    """The distances from the fixated place at which the eyes begin to count as moved to another one, and at
    which they count so entirely; less is the noise of reading them."""
    fixation_s: float = 0.6
    """The time over which the place that the eyes fixate is averaged, so that this noise does not shake
    them."""


class Fixations:
    """The place that eyes fixate: the mean of the gaze since they came there, for either axis by itself.

    Eyes stand still for a fifth of a second or more and jump between such fixations. A filter that follows
    speed takes the noise of reading them for motion; this one follows what leaves the noise behind.
    """

    def __init__(self, saccade: tuple[float, float], memory_s: float) -> None:
        """saccade, memory_s: as EyeContactOptions.saccade and .fixation_s."""
        self._saccade, self._memory_s = saccade, memory_s
        self._place: NDArray[np.float64] | None = None
        self._age_s = np.zeros(2)

    def __call__(self, gaze: NDArray[np.floating], elapsed_s: float) -> NDArray[np.float64]:
        """Returns (2,) the place, given the gaze (2,), degrees, `elapsed_s` seconds after the last one."""
        if self._place is None:
            self._place = np.array(gaze, np.float64)
            return self._place
        low, high = self._saccade
        away = gaze - self._place
        moved = smoothstep((np.abs(away) - low) / (high - low))
        elapsed_s = max(elapsed_s, _LEAST_S)
        age_s = np.minimum(self._age_s + elapsed_s, self._memory_s)
        share = np.maximum(elapsed_s / (age_s + elapsed_s), moved)
        self._place = self._place + share * away
        # A mean of which the last value makes up this share is as old as one of 1 / share values.
        self._age_s = np.minimum(age_s, elapsed_s / share)
        return self._place


_LEAST_S = 1e-3
"""The shortest time between two frames, which keeps a share above 0."""


class EyeContact:
    """The eye contact of one face: where its eyes usually look, and the correction to the camera."""

    def __init__(self, options: EyeContactOptions = EyeContactOptions()) -> None:
        self._options = options
        self._fixated = Fixations(options.saccade, options.fixation_s)
        self._usual: NDArray[np.float64] | None = None
        """(2,) the mean deviation of the gaze from the camera, to the left and up, degrees."""
        self._deviation = np.zeros(2)
        """(2,) the filtered deviation; it stays while the eyes are shut."""
        self._opening_mm = 0.0
        self._last: Fraction | None = None

    def __call__(self, face: Face, aus: AUVector, pts: Fraction) -> AUVector:
        """Returns the change (AU_COUNT,) of AU61 and AU63 that turns the eyes to the camera.

        aus: (AU_COUNT,) the measured values.
        """
        options = self._options
        elapsed_s = max(float(pts - self._last), 0.0) if self._last is not None else 0.0
        self._last = pts
        camera = camera_deg(face.pose.rotation)
        if self._is_open(float(aus[LID_GAP]), elapsed_s):
            found = self._fixated(GAZE_UNIT_DEG * aus[GAZE] - camera, elapsed_s)
            self._deviation = found
            if self._usual is None:
                self._usual = found.copy()
            near = 1 - ramp_of(float(np.hypot(*(found - self._usual))), options.glance)
            share = near * (1 - np.exp(-elapsed_s / options.settle_s))
            self._usual = self._usual + share * (found - self._usual)
        change = neutral_aus()
        if self._usual is not None:
            change[GAZE] = self._correction(face, self._usual) / GAZE_UNIT_DEG
        return change

    def _is_open(self, opening_mm: float, elapsed_s: float) -> bool:
        """Whether the eyes are open enough for their gaze to be read."""
        rate = 1 - np.exp(-elapsed_s / _OPENING_S)
        self._opening_mm += max(rate, float(opening_mm > self._opening_mm)) * (opening_mm - self._opening_mm)
        return opening_mm >= self._options.open_share * self._opening_mm

    def _correction(self, face: Face, usual: NDArray[np.float64]) -> NDArray[np.float64]:
        """(2,) the angles to add, degrees."""
        options = self._options
        around = self._deviation - usual
        turn = -usual - (1 - options.kept) * around
        length = float(np.hypot(*turn))
        turn *= min(1.0, options.most / max(length, 1e-6))
        aside = float(np.degrees(np.arccos(np.clip(face.pose.rotation[2, 2], -1, 1))))
        looks = 1 - ramp_of(float(np.hypot(*around)), options.glance)
        return looks * (1 - ramp_of(aside, options.turned)) * turn


_OPENING_S = 20.0
"""The time constant, in seconds, with which the usual opening of the eyes falls; it rises at once."""
