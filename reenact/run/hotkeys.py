"""The keys of the preview window: from a key to new settings or to an action."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Literal, TypeAlias

import numpy as np

from reenact.programme import Programme, parse_targets
from reenact.programme.presets import PRESETS
from reenact.programme.targets import MAX_STRENGTH
from reenact.retarget.controls import Settings

Action: TypeAlias = Literal["quit", "neutral", "record"]

PRESET_KEYS = (
    "smile-soft",
    "smile",
    "smile-open",
    "surprise",
    "attentive",
    "serious",
    "sad",
    "anger",
    "neutral",
)
"""The presets on the keys 1 to 9."""
STRENGTH_STEP = 0.1
"""The change of the strength by one key press."""

ACTIONS: Mapping[str, Action] = {"q": "quit", "escape": "quit", "n": "neutral", "r": "record"}
"""The keys that do not change settings, and their actions."""

HELP = (
    *((str(number), name) for number, name in enumerate(PRESET_KEYS, 1)),
    ("0", "as it was asked for at the start"),
    ("up  down", "stronger, weaker (also + and -)"),
    ("space", "bypass: the camera's own picture"),
    ("n", "this is my neutral face"),
    ("c", "compare with the camera"),
    ("l", "landmarks and action units"),
    ("m", "mirror"),
    ("r", "record"),
    ("h", "these keys"),
    ("q", "quit (also Esc)"),
)
"""The list that the key h shows, as (key, description)."""

_CODES = {
    **dict.fromkeys((0xFF52, 0x260000, 0xF700), "up"),
    **dict.fromkeys((0xFF54, 0x280000, 0xF701), "down"),
    **dict.fromkeys((0xFFAB, ord("=")), "+"),
    **dict.fromkeys((0xFFAD, ord("_")), "-"),
    27: "escape",
    32: "space",
}
"""The key codes of OpenCV on X11, Windows and macOS for keys without a letter."""
_LOCKS = 0xFF0000
"""The bits of GTK's codes for the modifiers, such as Shift and Num Lock."""


def key_name(code: int) -> str | None:
    """The name of a key from OpenCV's waitKeyEx or pollKey. None: no key, or one without a name."""
    if code < 0:
        return None
    if code in _CODES:
        return _CODES[code]
    plain = code & ~_LOCKS
    if plain in _CODES:
        return _CODES[plain]
    return chr(plain).lower() if 32 < plain < 127 else None


def settings_after(key: str, settings: Settings, asked: Programme) -> Settings:
    """The settings after a key press; the same object where the key changes none.

    asked: the targets that key 0 restores."""
    if key == "0":
        return replace(settings, targets=asked)
    if key in _PRESETS:
        return replace(settings, targets=parse_targets(PRESETS[_PRESETS[key]].spec))
    change = _CHANGES.get(key)
    return settings if change is None else change(settings)


def _stronger(settings: Settings, by: float) -> Settings:
    # Rounded, so that ten steps up and ten steps down give the first value again.
    strength = float(np.clip(round(settings.strength + by, 2), 0, MAX_STRENGTH))
    return replace(settings, strength=strength)


_PRESETS = {str(number): name for number, name in enumerate(PRESET_KEYS, 1)}
_CHANGES: Mapping[str, Callable[[Settings], Settings]] = {
    **dict.fromkeys(("up", "+"), lambda settings: _stronger(settings, STRENGTH_STEP)),
    **dict.fromkeys(("down", "-"), lambda settings: _stronger(settings, -STRENGTH_STEP)),
    "space": lambda settings: replace(settings, bypass=not settings.bypass),
    "c": lambda settings: replace(settings, compare=not settings.compare),
    "l": lambda settings: replace(settings, details=not settings.details),
    "m": lambda settings: replace(settings, mirror=not settings.mirror),
    "h": lambda settings: replace(settings, help=not settings.help),
}
