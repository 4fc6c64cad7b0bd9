"""The picture of every action unit."""

from __future__ import annotations

import runpy
from pathlib import Path

from calib.au import ACTION_UNITS
from reenact.programme import parse_targets

SCRIPT = Path(__file__).resolve().parents[2] / "docs" / "au_pictures.py"


def test_every_action_unit_and_direction_has_a_scene() -> None:
    scenes = runpy.run_path(str(SCRIPT))["scenes"]()
    numbers = [int(scene.spec.partition("=")[0].removeprefix("AU").rstrip("LR")) for scene in scenes]
    named = {unit.number for unit in ACTION_UNITS} | {unit.opposite for unit in ACTION_UNITS if unit.opposite}
    assert numbers == sorted(named)
    assert all(parse_targets(scene.spec).value.any() for scene in scenes)
