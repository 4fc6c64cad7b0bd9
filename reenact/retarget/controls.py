"""What may be changed while a live run goes on, by whoever sits before the camera or by another program."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from threading import Lock

import numpy as np

from calib.au import MAX_INTENSITY, AUVector
from reenact.programme import Programme, parse_targets
from reenact.programme.presets import PRESETS
from reenact.programme.programme import TargetsAt, programme_of
from reenact.programme.targets import MAX_STRENGTH
from reenact.retarget.options import RetargetOptions


class ControlError(ValueError):
    """A setting that a live run cannot have."""


@dataclass(frozen=True, eq=False)
class Settings:
    """How a live run stands at one moment. Stages look once per frame, so that a frame is of one piece."""

    targets: Programme
    strength: float = RetargetOptions.strength
    """0..1.5: how far to go to the targets, as RetargetOptions.strength."""
    bypass: bool = False
    """Show the camera's own picture; the change fades out, and in again."""
    neutral: AUVector | None = None
    """What is measured while the person's face is at rest, 0..5; None where nobody has said.

    Faces differ, and so does what an estimator reads from them at rest. Absolute targets and readings count
    from here; relative targets, which add to what the face does, mean the same with and without."""
    mirror: bool = False
    """Left and right exchanged in what is shown; the action units stay those of the same side of the face."""
    compare: bool = False
    """In the preview, the left half is the camera's."""
    details: bool = False
    """In the preview, landmarks and bars of action units."""
    help: bool = False
    """In the preview, the list of keys."""

    def __post_init__(self) -> None:
        if not 0 <= self.strength <= MAX_STRENGTH:
            raise ControlError(f"strength {self.strength:g} is out of range: choose 0 to {MAX_STRENGTH:g}")

    def reading(self, aus: AUVector) -> AUVector:
        """What a face shows, 0..5, beyond its neutral if that is known."""
        return aus if self.neutral is None else np.clip(aus - self.neutral, 0, MAX_INTENSITY)


class Controls:
    """The settings now. Any thread may read and change them; a change holds from the next frame on."""

    def __init__(self, settings: Settings) -> None:
        self._lock = Lock()
        self._settings = settings

    @property
    def now(self) -> Settings:
        """Complete and unchanging: what is read from it later belongs together."""
        return self._settings

    def change(self, how: Callable[[Settings], Settings]) -> Settings:
        """Puts `how(now)` in place of the settings; nobody else changes them in between."""
        with self._lock:
            self._settings = how(self._settings)
            return self._settings

    def set(self, **changes: object) -> Settings:
        """Replaces single settings, by the names that they have in Settings."""
        return self.change(lambda settings: replace(settings, **changes))  # type: ignore[arg-type]


def as_programme(wanted: str | Programme | TargetsAt) -> Programme:
    """Targets from the text of --target-aus, or the programme that something else is. Raises TargetError."""
    return parse_targets(wanted) if isinstance(wanted, str) else programme_of(wanted)


def name_of(targets: Programme) -> str:
    """What people call these targets: a preset's name where they are one."""
    return _preset_names().get(str(targets), str(targets))


@lru_cache(maxsize=1)
def _preset_names() -> dict[str, str]:
    return {str(parse_targets(preset.spec)): name for name, preset in PRESETS.items()}
