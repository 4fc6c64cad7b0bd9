"""A guided session: prompts ask for one expression after another; the highest readings are the range."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calib.au import AU_COUNT, AUVector, au_index, beyond, neutral_aus
from calib.neutral import NeutralEstimator

READY_S = 1.0
"""Time from the start of a prompt to the first reading that counts, in seconds."""
REACHED = 80.0
"""Percentile of a prompt's readings that counts as reached: an intensity held for a fifth of the time."""
LEAST_RANGE = 0.5
"""Intensity below which the range stays unknown."""
LEAST_READINGS = 5
"""The number of readings under a prompt below which the range stays unknown."""


@dataclass(frozen=True)
class Prompt:
    """An instruction to a person, and the action units that it brings about."""

    text: str
    """The instruction that the person reads."""
    aus: tuple[str, ...] = ()
    """The names, as in AU_CODES, of the action units and openings that the expression shows."""

    @property
    def indices(self) -> list[int]:
        """The positions of these action units."""
        return [au_index(code) for code in self.aus]


PROMPTS = (
    Prompt("Look ahead and let your face rest"),
    Prompt("Raise your brows as high as they go", ("AU01", "AU02", "AU05")),
    Prompt("Frown: draw your brows together", ("AU04",)),
    Prompt("Shut your eyes tightly", ("AU06", "AU07", "AU45")),
    Prompt("Wrinkle your nose", ("AU09", "AU10")),
    Prompt("Smile broadly, with teeth", ("AU06", "AU12", "AU25")),
    Prompt("Press your lips together and draw the corners in", ("AU14",)),
    Prompt("Draw the corners of your mouth down", ("AU15", "AU17")),
    Prompt("Stretch your lips sideways, without a smile", ("AU20",)),
    Prompt("Pucker your lips", ("AU23",)),
    Prompt("Open your mouth wide", ("AU25", "AU26", "lip_gap_mm", "jaw_drop_mm")),
)
"""The prompts of a session; the neutral is measured during the first."""


@dataclass(frozen=True, eq=False)
class SessionProgress:
    """The state of a session at one time."""

    number: int
    """The number of the prompt, from 0."""
    prompt: Prompt
    """The present prompt."""
    left_s: float
    """The time until the next prompt, in seconds."""
    shown: AUVector | None
    """(AU_COUNT,) values above the neutral as far as that is known. None: there is no face."""
    reached: AUVector
    """(AU_COUNT,) the range under this prompt so far; NaN where it is unknown."""


class GuidedSession:
    """Collects a face's readings during the prompts; the results are `resting` and `range`."""

    def __init__(self, prompt_s: float, prompts: Sequence[Prompt] = PROMPTS) -> None:
        """prompt_s: the duration of each prompt in seconds."""
        self._prompt_s = prompt_s
        self._prompts = prompts
        self._start_s: float | None = None
        self.resting = NeutralEstimator()
        """The neutral, from the readings of the first prompt."""
        self._readings: list[list[AUVector]] = [[] for _ in prompts]

    @property
    def seconds(self) -> float:
        """The duration of the whole session in seconds."""
        return self._prompt_s * len(self._prompts)

    @property
    def range(self) -> AUVector:
        """(AU_COUNT,) the largest values reached above the neutral; NaN where unknown."""
        best = np.full(AU_COUNT, np.nan, np.float32)
        for number in range(1, len(self._prompts)):
            best = np.fmax(best, self.reached(number))
        return best

    def reached(self, number: int) -> AUVector:
        """Returns (AU_COUNT,) what one prompt reached; NaN where it did not ask for it, or too little was
        read."""
        reached = np.full(AU_COUNT, np.nan, np.float32)
        readings, asked = self._readings[number], self._prompts[number].indices
        if len(readings) >= LEAST_READINGS and asked:
            highest = np.percentile(self._beyond(np.array(readings)), REACHED, axis=0)[asked]
            reached[asked] = np.where(highest >= LEAST_RANGE, highest, np.nan)
        return reached

    def update(self, time_s: float, aus: AUVector | None) -> SessionProgress | None:
        """Adds the reading (AU_COUNT,) at this time, or None without a face. Returns None at the end."""
        if self._start_s is None:
            self._start_s = time_s
        number, since_s = divmod(time_s - self._start_s, self._prompt_s)
        number = max(0, int(number))
        if number >= len(self._prompts):
            return None
        if aus is not None:
            self._note(number, since_s, time_s, aus)
        shown = None if aus is None else self._beyond(aus)
        return SessionProgress(
            number, self._prompts[number], self._prompt_s - since_s, shown, self.reached(number)
        )

    def _note(self, number: int, since_s: float, time_s: float, aus: AUVector) -> None:
        if number == 0:
            self.resting.update(time_s, aus)
        elif since_s >= min(READY_S, self._prompt_s / 2):
            self._readings[number].append(aus)

    def _beyond(self, aus: NDArray[np.float32]) -> NDArray[np.float32]:
        neutral = neutral_aus() if self.resting.rest is None else self.resting.rest.neutral
        return beyond(aus, neutral)
