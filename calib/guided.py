"""A guided session: one expression after the other is asked for, and what is reached is the range."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calib.au import AU_COUNT, MAX_INTENSITY, AUVector, au_index
from calib.neutral import NeutralEstimator

READY_S = 1.0
"""From the reading of a prompt to the expression."""
REACHED = 80.0
"""Percentile of the readings of a prompt that counts as reached: held for a fifth of the time, no flicker."""
LEAST_RANGE = 0.5
"""Intensity: less than this is as good as nothing, and the range stays unknown."""
LEAST_READINGS = 5
"""Fewer readings under a prompt tell nothing."""


@dataclass(frozen=True)
class Prompt:
    text: str
    aus: tuple[str, ...] = ()
    """What it brings about, if only somebody does it."""

    @property
    def indices(self) -> list[int]:
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
    Prompt("Open your mouth wide", ("AU25", "AU26")),
)
"""The first is the one in which the neutral is taken."""


@dataclass(frozen=True, eq=False)
class SessionProgress:
    """Where a session stands."""

    number: int
    """Of the prompt, from 0 on."""
    prompt: Prompt
    left_s: float
    """Until the next prompt."""
    shown: AUVector | None
    """(17,) what the face shows beyond its neutral, as far as that is known; None without a face."""
    reached: AUVector
    """(17,) the range so far, NaN where unknown."""


class GuidedSession:
    """Follows a face through the prompts; `resting` and `range` say what came out."""

    def __init__(self, prompt_s: float, prompts: Sequence[Prompt] = PROMPTS) -> None:
        """`prompt_s`: how long each prompt stands."""
        self._prompt_s = prompt_s
        self._prompts = prompts
        self._start_s: float | None = None
        self.resting = NeutralEstimator()
        """Of what the face shows while it is asked to rest."""
        self._readings: list[list[AUVector]] = [[] for _ in prompts]

    @property
    def seconds(self) -> float:
        """How long the whole session is."""
        return self._prompt_s * len(self._prompts)

    @property
    def range(self) -> AUVector:
        """(17,) the most that was reached beyond neutral; NaN where it is unknown."""
        best = np.full(AU_COUNT, np.nan, np.float32)
        for number in range(1, len(self._prompts)):
            best = np.fmax(best, self.reached(number))
        return best

    def reached(self, number: int) -> AUVector:
        """(17,) what was reached under one prompt; NaN where it asked for nothing, or got nothing."""
        reached = np.full(AU_COUNT, np.nan, np.float32)
        readings, asked = self._readings[number], self._prompts[number].indices
        if len(readings) >= LEAST_READINGS and asked:
            highest = np.percentile(self._beyond(np.array(readings)), REACHED, axis=0)[asked]
            reached[asked] = np.where(highest >= LEAST_RANGE, highest, np.nan)
        return reached

    def update(self, time_s: float, aus: AUVector | None) -> SessionProgress | None:
        """With the reading (17,) of this time, None without a face. None: the session is over."""
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
        neutral = 0.0 if self.resting.rest is None else self.resting.rest.neutral
        return np.clip(aus - neutral, 0, MAX_INTENSITY).astype(np.float32)
