"""The control law: from what a face shows and the targets to the change to write, with limits and fades."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TypeAlias

import numpy as np

from calib.au import (
    AU_COUNT,
    AU_INDEX,
    EYE_CONTACT,
    GAZE,
    HIGHEST,
    JAW_DROP,
    LID_GAP,
    LIP_GAP,
    LOWER_FACE,
    LOWEST,
    OPENING_PLACES,
    AUVector,
    Change,
    Sided,
    apart,
    bilateral,
    neutral_aus,
)
from calib.limits import load_limits
from calib.opening_sizes import STANDARD_LIDS_MM
from calib.profile import Profile
from calib.ramp import within
from calib.response_gain import driven, load_drive
from calib.resting_openings import RestingOpenings, with_openings
from reenact.programme.face_choice import FaceChooser
from reenact.programme.inversion import inverted
from reenact.programme.programme import Programme, TargetsAt, programme_of
from reenact.programme.targets import Targets
from reenact.records import Face, Measured, Retargeted
from reenact.retarget.eye_contact import EyeContact
from reenact.retarget.options import RetargetOptions
from reenact.retarget.transitions import Fade, RateLimit
from reenact.track.one_euro import OneEuro

Correction: TypeAlias = Callable[[Fraction, int], AUVector]
"""A function from presentation time and track id to intensities (AU_COUNT,) that are written on top of the
change that is asked for, so that the asked change is measured in the output."""

_LIPS_PART = AU_INDEX[25]
_LOWER_FACE = [*(AU_INDEX[number] for number in sorted(LOWER_FACE)), LIP_GAP, JAW_DROP]

NOTHING_MM = 0.02
"""The change of an opening, in millimetres, below which nothing is asked."""
SCENE_START_S = 0.1
"""Time in seconds after a cut within which a new face counts as present from the cut on: trackers may need a
frame or two."""


def uncorrected(pts: Fraction, track_id: int) -> AUVector:
    """The Correction of zero."""
    return neutral_aus()


class Retargeter:
    """Computes the change of action units of every face; faces that are not chosen get none.

    A Retargeter belongs to one run, and restarts its programme when it is created.

    Two filters keep the change steady although the measurement is noisy. Measured action units pass a
    One-Euro filter before an absolute target is compared with them. The range that a face has left (measured
    plus change stays within 0..5) is computed from a value that follows the measurement only beyond a slack,
    so that a change at its limit does not follow every frame's noise.

    Expressions that no face shows are reduced to the nearest that one does, and no change is faster than
    faces move (calib.limits), unless `options.safe` is False.

    An absolute target means the intensity that it names, beyond the person's neutral: see Targets.times for
    the effect of a strength and Targets.with_gain for that of a person's gain. An inversion comes first,
    whatever the strength, which then leads from the inverted expression to the targets.

    Absolute targets are written with a gain that makes up for how little faces answer (calib.response_gain).

    Targets that are equal for both sides change both sides equally, so that a crooked smile stays crooked.
    Where they differ, each side has its own reading and its own limits.

    While something in front of a face hides its mouth, the lower face is not changed.

    A face that enters the picture fades in. A face that is present when a scene starts has its full change on
    the first frame: in an edited film a fade after each cut would show as a twitch in every shot.
    """

    def __init__(
        self,
        targets: Programme | TargetsAt,
        options: RetargetOptions = RetargetOptions(),  # noqa: B008
        profile_now: Callable[[], Profile | None] | None = None,
        *,
        strength_now: Callable[[], float] | None = None,
        correction: Correction = uncorrected,
    ) -> None:
        """profile_now: returns the present profile of the person. None: the options' profile always holds.
        strength_now: returns the present strength. None: the options' strength always holds.
        correction: what is written on top of the change that is asked for."""
        self._targets_at = programme_of(targets)
        self._targets_at.restart()
        self._profile_now = profile_now or (lambda: options.profile)
        self._strength_now = strength_now or (lambda: options.strength)
        self._unknown = Profile()
        self._correction = correction
        self._options = options
        self._chooser = FaceChooser(options)
        self._memories: dict[int, _Memory] = {}
        self._scene_start: Fraction | None = None

    def __call__(self, measured: Measured) -> Retargeted:
        pts = measured.frame.pts
        if measured.cut or self._scene_start is None:
            self._scene_start = pts
            self._memories.clear()
        chosen = self._chooser(measured)
        leans = measured.leans or [neutral_aus()] * len(measured.faces)
        hidden = measured.mouth_hidden or [False] * len(measured.faces)
        changes = [
            self._change(face, aus, lean, face.track_id in chosen, mouth_hidden, pts)
            for face, aus, lean, mouth_hidden in zip(measured.faces, measured.aus, leans, hidden, strict=True)
        ]
        self._forget({face.track_id for face in measured.faces}, pts)
        return Retargeted(
            **vars(measured),
            changes=tuple(change.written for change in changes),
            asked=tuple(change.asked for change in changes),
            wanted=tuple(change.wanted for change in changes),
        )

    def _change(
        self, face: Face, aus: AUVector, lean: AUVector, chosen: bool, mouth_hidden: bool, pts: Fraction
    ) -> _Change:
        memory = self._memories.get(face.track_id)
        if memory is None:
            memory = self._memories[face.track_id] = self._meet(face, chosen, mouth_hidden, pts)
        person = self._profile_now() or self._unknown
        aus, neutral = person.with_true_gaze(aus), _straight_ahead(person.neutral)
        steady, room = memory.aus(aus, pts)
        steady_lean, room_lean = memory.lean(lean, pts)
        level = memory.level(chosen, face.confidence, pts)
        visible = memory.visible(mouth_hidden, pts)
        if not chosen and level == 0:
            return _Change(*(bilateral(neutral_aus()) for _ in range(3)))
        at_rest = memory.resting(neutral, aus, pts)
        targets = _for_lids(self._targets_at(pts, face.track_id), float(at_rest[LID_GAP]))
        targets = targets.above(at_rest).with_gain(person.gain)
        sides = targets.one_sided
        # A millimetre is no share: lids that are told apart are held apart.
        sides[LID_GAP] = sides[LID_GAP] > 0
        shown, room = apart(steady, sides * steady_lean), apart(room, sides * room_lean)
        own = inverted(shown, self._options.inverted, neutral)
        wanted = targets.times(self._strength_now()).change(own) + (own - shown)
        if wanted[:, EYE_CONTACT].any():
            wanted = wanted + wanted[:, [EYE_CONTACT]] * memory.eye_contact(face, aus, pts)
            wanted[:, EYE_CONTACT] = 0
        openings = wanted[:, OPENING_PLACES]
        openings[np.abs(openings) < NOTHING_MM] = 0
        # A face that shows more than its ceiling by itself may go on showing it.
        lowest, highest = np.minimum(LOWEST - room, 0), np.maximum(person.ceiling - room, 0)
        change = within(wanted, lowest, highest).astype(np.float32)
        if self._options.safe:
            beyond_rest = np.maximum(room - neutral, 0)
            change = memory.pace(load_limits().within(beyond_rest, change), pts)
        asked = np.float32(level) * visible * change
        correction = np.float32(level) * visible * self._correction(pts, face.track_id)
        written = self._written(asked, targets, room, correction)
        return _Change(written, asked, wanted.astype(np.float32))

    def _written(self, asked: Change, targets: Targets, room: Sided, correction: AUVector) -> Change:
        """The change to write so that the change `asked` (2, AU_COUNT) is measured."""
        if not self._options.driven:
            return np.clip(asked + correction, np.minimum(LOWEST - room, 0), HIGHEST)
        held = np.maximum(targets.hold, targets.at_most.hold * (asked < 0))
        # Lips close as far as the smile explains them; a gain would close them during speech.
        held[:, _LIPS_PART] = targets.hold[:, _LIPS_PART]
        # However much is removed, a mouth returns to rest and no further
        # (reenact.generate.geometry.shape_bounds).
        lowest = np.maximum(np.minimum(LOWEST - room, 0) * load_drive(), -HIGHEST)
        return np.clip(driven(asked, held) + correction, lowest, HIGHEST)

    def _meet(self, face: Face, chosen: bool, mouth_hidden: bool, pts: Fraction) -> _Memory:
        """The state of a face that is seen for the first time."""
        assert self._scene_start is not None
        there_from_the_start = pts - self._scene_start <= SCENE_START_S
        wanted = chosen and face.confidence >= self._options.confidence_in
        full = there_from_the_start and wanted
        return _Memory(self._options, pts, full=full, mouth_hidden=mouth_hidden)

    def _forget(self, present: set[int], pts: Fraction) -> None:
        """Fades out lost faces, so that a face lost for one frame returns at nearly its full change."""
        for track_id in self._memories.keys() - present:
            if self._memories[track_id].level(False, 0.0, pts) == 0:
                del self._memories[track_id]


def _straight_ahead(neutral: AUVector) -> AUVector:
    """`neutral` (AU_COUNT,) with eyes that look straight ahead: nobody's gaze counts from where they look."""
    if not neutral[GAZE].any():
        return neutral
    neutral = neutral.copy()
    neutral[GAZE] = 0
    return neutral


def _for_lids(targets: Targets, lids_mm: float) -> Targets:
    """The targets of a face whose lids are `lids_mm` apart at rest, from those for STANDARD_LIDS_MM."""
    if not targets.value[:, LID_GAP].any():
        return targets
    value = targets.value.copy()
    value[:, LID_GAP] *= lids_mm / STANDARD_LIDS_MM
    return replace(targets, value=value)


@dataclass(frozen=True, eq=False)
class _Change:
    """The changes of one face; see Retargeted for the fields."""

    written: Change
    asked: Change
    wanted: Change


class _Memory:
    """The filters and fades of one face."""

    def __init__(self, options: RetargetOptions, pts: Fraction, *, full: bool, mouth_hidden: bool) -> None:
        self._options = options
        self.aus = _Steady(options, LOWEST, HIGHEST)
        self.lean = _Steady(options, -HIGHEST / 2, HIGHEST / 2)
        self._confident = False
        self._fade = Fade(options.fade_s, pts, full=full)
        self._mouth = Fade(options.fade_s, pts, full=not mouth_hidden)
        self.pace = RateLimit(load_limits().rates)
        self.eye_contact = EyeContact()
        self._resting = RestingOpenings()

    def level(self, chosen: bool, confidence: float, pts: Fraction) -> float:
        """The share of the change to show, 0..1."""
        threshold = self._options.confidence_out if self._confident else self._options.confidence_in
        self._confident = confidence >= threshold
        return self._fade(chosen and self._confident, pts)

    def resting(self, neutral: AUVector, aus: AUVector, pts: Fraction) -> AUVector:
        """(AU_COUNT,) the face at rest: the person's neutral, with openings that are not in it learned."""
        return with_openings(neutral, self._resting(aus[OPENING_PLACES], float(pts)))

    def visible(self, mouth_hidden: bool, pts: Fraction) -> AUVector:
        """(AU_COUNT,) the shares to show, 0..1: nothing of the lower face while its mouth is hidden."""
        shown = np.ones(AU_COUNT, np.float32)
        shown[_LOWER_FACE] = self._mouth(not mouth_hidden, pts)
        return shown


class _Steady:
    """Filters a measurement twice: by a One-Euro filter, and by one that follows beyond a slack."""

    def __init__(self, options: RetargetOptions, low: AUVector, high: AUVector) -> None:
        """low, high: (AU_COUNT,) the ends of the measurement's scale."""
        self._filter = OneEuro(options.min_cutoff_hz, options.beta)
        self._slack = options.slack
        self._low, self._high = low, high
        self._room: AUVector | None = None

    def __call__(self, measured: AUVector, pts: Fraction) -> tuple[AUVector, AUVector]:
        """The filtered measurement and the one that limits are computed from, (AU_COUNT,) each."""
        # The filter may return NaN only at first, when it has no earlier value to hold.
        steady = within(np.nan_to_num(self._filter(measured, float(pts))), self._low, self._high)
        # Openings are asked for as differences from what this very frame shows.
        steady[OPENING_PLACES] = np.nan_to_num(measured[OPENING_PLACES])
        room = steady if self._room is None else self._room
        self._room = within(room, steady - self._slack, steady + self._slack)
        self._room[OPENING_PLACES] = steady[OPENING_PLACES]
        return steady, within(self._room, self._low, self._high)
