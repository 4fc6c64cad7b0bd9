"""What keys do, without a window."""

from __future__ import annotations

import pytest

from reenact.programme import parse_targets
from reenact.programme.presets import PRESETS
from reenact.retarget.controls import Settings, name_of
from reenact.run.hotkeys import ACTIONS, HELP, PRESET_KEYS, key_name, settings_after

ASKED = parse_targets("AU12=+2")


def settings(**given: object) -> Settings:
    return Settings(ASKED, **given)


@pytest.mark.parametrize(
    ("code", "name"),
    [
        (-1, None),
        (ord("q"), "q"),
        (ord("Q"), "q"),
        (27, "escape"),
        (32, "space"),
        (ord("7"), "7"),
        (ord("="), "+"),  # + without Shift
        (0xFF52, "up"),  # X11
        (0xFF54, "down"),
        (0x10FF52, "up"),  # GTK with Num Lock
        (0x100000 + ord("c"), "c"),
        (0xFFAB, "+"),  # of the number pad
        (0x260000, "up"),  # Windows
        (0x280000, "down"),
        (0xF700, "up"),  # macOS
        (0xF701, "down"),
        (0xFFE1, None),  # Shift alone
        (9, None),
    ],
)
def test_codes_of_keys_have_names_on_every_system(code: int, name: str | None) -> None:
    assert key_name(code) == name


@pytest.mark.parametrize("number", range(1, 10))
def test_numbers_choose_presets_and_zero_what_was_asked_for(number: int) -> None:
    chosen = settings_after(str(number), settings(strength=0.7), ASKED)
    assert name_of(chosen.targets) == PRESET_KEYS[number - 1]
    assert chosen.strength == 0.7
    assert settings_after("0", chosen, ASKED).targets is ASKED


@pytest.mark.parametrize(("up", "down"), [("up", "down"), ("+", "-")])
def test_strength_goes_up_and_down_within_its_limits_and_back_to_where_it_was(up: str, down: str) -> None:
    now, seen = settings(), []
    for key in [up] * 7 + [down] * 17 + [up] * 10:
        now = settings_after(key, now, ASKED)
        seen.append(now.strength)
    assert max(seen) == 1.5 and min(seen) == 0
    assert now.strength == 1.0


@pytest.mark.parametrize(
    ("key", "name"), [("space", "bypass"), ("c", "compare"), ("l", "details"), ("m", "mirror"), ("h", "help")]
)
def test_a_key_turns_something_on_and_off_and_nothing_else(key: str, name: str) -> None:
    before = settings()
    on = settings_after(key, before, ASKED)
    differing = [field for field in vars(before) if vars(before)[field] != vars(on)[field]]
    assert differing == [name] and vars(on)[name] is True
    assert vars(settings_after(key, on, ASKED)) == vars(before)


def test_a_key_that_means_nothing_changes_nothing() -> None:
    before = settings()
    for key in ("x", "n", "q", "escape", "%"):
        assert settings_after(key, before, ASKED) is before


def test_every_key_is_listed_and_every_preset_exists() -> None:
    listed = {key for keys, _ in HELP for key in keys.split()}
    assert set(map(str, range(10))) | {"up", "down", "space", "n", "c", "l", "m", "r", "h", "q"} == listed
    assert set(ACTIONS) <= listed | {"escape"}
    assert set(PRESET_KEYS) <= set(PRESETS)
