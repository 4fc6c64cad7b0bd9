"""Retargeting for a live run, by the settings of its controls at each frame."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from calib.au import AUVector
from calib.profile import Profile, with_neutral
from reenact.programme import Targets
from reenact.records import Measured, Retargeted
from reenact.retarget import Retargeter
from reenact.retarget.controls import Controls
from reenact.retarget.options import RetargetOptions
from reenact.retarget.transitions import Fade

BYPASS_S = 0.3
"""Duration in seconds of the fade from the full change to the camera's own picture, and back."""
REST_S = 1.0
"""Duration in seconds over which the face at rest is measured; a median over it is not affected by blinks."""


class LiveRetargeter:
    """Retargets each record by the present settings of the controls.

    A change of targets or strength shows on the next frame, in full or as far as a face can move until then.
    A bypass fades out, and leaves changes of zero, for which later stages return the camera's own frame.
    """

    def __init__(self, controls: Controls, options: RetargetOptions = RetargetOptions()) -> None:  # noqa: B008
        """controls: the strength, the targets and the neutral. options: everything else."""
        self._controls = controls
        self._settings = controls.now
        self._settings.targets.restart()
        self._profile = options.profile
        self._retarget = Retargeter(
            self._targets_at, options, self._profile_now, strength_now=lambda: self._settings.strength
        )
        self._fade = Fade(BYPASS_S, Fraction(0), full=not self._settings.bypass)
        self._recent: tuple[_Reading, ...] = ()

    def __call__(self, measured: Measured) -> Retargeted:
        self._settings = settings = self._controls.now
        self._recent = _latest(self._recent, measured)
        level = self._fade(not settings.bypass, measured.frame.pts)
        retargeted = self._retarget(measured)
        if level == 1:
            return retargeted
        return replace(
            retargeted,
            changes=tuple(np.float32(level) * change for change in retargeted.changes),
            asked=tuple(np.float32(level) * change for change in retargeted.asked),
        )

    def at_rest(self) -> AUVector | None:
        """The median intensities (AU_COUNT,) of the largest face over the last REST_S. None: there is no
        face.

        It may be called from any thread.
        """
        readings = [reading.aus for reading in self._recent]
        return np.median(readings, axis=0).astype(np.float32) if readings else None

    def largest_id(self) -> int | None:
        """The track id of the largest face. None: there is no face. It may be called from any thread."""
        recent = list(self._recent)
        return recent[-1].track_id if recent else None

    def _targets_at(self, pts: Fraction, track_id: int) -> Targets:
        return self._settings.targets(pts, track_id)

    def _profile_now(self) -> Profile | None:
        """The profile of the options with the neutral of the controls."""
        return with_neutral(self._profile, self._settings.neutral)


@dataclass(frozen=True, eq=False)
class _Reading:
    """The action units of a face at one time."""

    track_id: int
    pts: Fraction
    aus: AUVector


def _latest(readings: tuple[_Reading, ...], measured: Measured) -> tuple[_Reading, ...]:
    """The readings of the last REST_S of the face that is the largest now; empty without a face."""
    if measured.largest is None:
        return ()
    face, aus = measured.faces[measured.largest], measured.aus[measured.largest]
    pts = measured.frame.pts
    kept = (one for one in readings if one.track_id == face.track_id and 0 <= pts - one.pts < REST_S)
    return (*kept, _Reading(face.track_id, pts, aus))
