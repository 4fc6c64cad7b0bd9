"""The settings of a live run, which the user or another program changes while it runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import TypeAlias

from calib.au import AUVector, beyond
from reenact.programme import Programme, parse_targets
from reenact.programme.presets import PRESETS
from reenact.programme.programme import TargetsAt, programme_of
from reenact.programme.targets import MAX_STRENGTH
from reenact.programme.timeline_file import load_targets_or_timeline, names_a_file
from reenact.retarget.options import RetargetOptions

Asked: TypeAlias = "str | Path | Programme | TargetsAt"
"""Targets as --target-aus takes them, such as "smile" or "AU12=+2,AU4=-1"; the path of a file of targets or
of a time line; a programme, such as a driver; or a function of the time in seconds and the face's id."""


class ControlError(ValueError):
    """A setting is out of range; the message is one line."""


@dataclass(frozen=True, eq=False)
class Settings:
    """The settings of a live run at one time. Each stage reads them once per frame, so that they agree."""

    targets: Programme
    """What the faces should show."""
    strength: float = RetargetOptions.strength
    """How far to go to the targets, 0..1.5; see RetargetOptions.strength."""
    bypass: bool = False
    """Whether the camera's own picture is shown; the change fades out, and in again."""
    neutral: AUVector | None = None
    """The intensities (AU_COUNT,) measured on the person's face at rest, 0..5. None: they are not known.

    The estimator reads different intensities from different faces at rest. Absolute targets and displayed
    readings count from these; relative targets do not depend on them."""
    mirror: bool = False
    """Whether left and right are exchanged in the output; action units stay on their side of the face."""
    compare: bool = False
    """Whether the left half of the preview shows the camera's own picture."""
    details: bool = False
    """Whether the preview shows landmarks and bars of action units."""
    help: bool = False
    """Whether the preview shows the list of keys."""

    def __post_init__(self) -> None:
        if not 0 <= self.strength <= MAX_STRENGTH:
            raise ControlError(f"strength {self.strength:g} is out of range: choose 0 to {MAX_STRENGTH:g}")

    def reading(self, aus: AUVector) -> AUVector:
        """The intensities (AU_COUNT,) 0..5 of `aus` (AU_COUNT,) beyond the neutral, if that is known."""
        return aus if self.neutral is None else beyond(aus, self.neutral)


class Controls:
    """Holds the present settings. Any thread may change them; a change holds from the next frame on."""

    def __init__(self, settings: Settings) -> None:
        self._lock = Lock()
        self._settings = settings

    @property
    def now(self) -> Settings:
        """The present settings, which are immutable."""
        return self._settings

    def change(self, how: Callable[[Settings], Settings]) -> Settings:
        """Replaces the settings by `how(settings)` atomically, and returns the new ones."""
        with self._lock:
            self._settings = how(self._settings)
            return self._settings

    def set(self, **changes: object) -> Settings:
        """Replaces single fields of the settings, and returns the new settings."""
        return self.change(lambda settings: replace(settings, **changes))  # type: ignore[arg-type]


def as_programme(wanted: Asked) -> Programme:
    """The programme in the text of --target-aus or in a file, or `wanted` itself as a programme.

    Raises TargetError, KeyframesError or AURecordingError.
    """
    if isinstance(wanted, str) and not names_a_file(wanted):
        return parse_targets(wanted)
    if isinstance(wanted, str | Path):
        return load_targets_or_timeline(Path(wanted))
    return programme_of(wanted)


def name_of(targets: Programme) -> str:
    """The name of the preset that these targets equal, or their notation."""
    return _preset_names().get(str(targets), str(targets))


@lru_cache(maxsize=1)
def _preset_names() -> dict[str, str]:
    return {str(parse_targets(preset.spec)): name for name, preset in PRESETS.items()}
