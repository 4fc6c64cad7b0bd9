"""Steps: what somebody set live, played again."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from reenact.programme import parse_targets
from reenact.programme.keyframes_file import KeyframesError
from reenact.programme.steps import Step, Steps, load_steps, to_json
from reenact.programme.timeline_file import load_markers, load_targets_or_timeline, load_timeline

STEPS = (
    Step(0.5, "AU12=+2"),
    Step(1.0, "smile", 0.5),
    Step(1.0, "none"),
    Step(2.25, "AU12L=3,AU04=..1", 1.5),
)


def same(left, right) -> bool:
    return all(
        np.array_equal(one.value, other.value) and np.array_equal(one.hold, other.hold)
        for one, other in zip(left.aims, right.aims, strict=True)
    )


@pytest.mark.parametrize(
    ("time_s", "targets", "strength"),
    [
        (0, "none", 1),
        (0.49, "none", 1),
        (0.5, "AU12=+2", 1),
        (0.99, "AU12=+2", 1),
        (1, "none", 1),
        (2.25, "AU12L=3,AU04=..1", 1.5),
        (99, "AU12L=3,AU04=..1", 1.5),
    ],
)
def test_a_step_holds_until_the_next(time_s, targets, strength):
    assert same(Steps(STEPS)(Fraction(time_s), 0), parse_targets(targets).times(strength))


def test_a_file_gives_the_same_steps_again(tmp_path: Path):
    path = tmp_path / "hand.json"
    path.write_text(to_json(STEPS))
    assert load_steps(path).steps == STEPS
    for loaded in (load_timeline(path), load_targets_or_timeline(path)):
        assert isinstance(loaded, Steps) and str(loaded) == "4 steps set by hand"
    assert load_markers(path) == ()


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        ("[]", "at least one step"),
        ("7", "at least one step"),
        ("[1]", "step 1 must be an object"),
        ('[{"time": -1, "targets": "smile"}]', 'step 1: "time" is -1; write seconds'),
        ('[{"time": "1", "targets": "smile"}]', "write seconds"),
        ('[{"targets": "smile"}]', "write seconds"),
        ('[{"time": 1}]', "write AU12=+2 or a preset"),
        ('[{"time": 1, "targets": "AU99=1"}]', "AU99"),
        ('[{"time": 1, "targets": "smile", "strength": 2}]', "write 0 to 1.5"),
        ('[{"time": 1, "targets": "smile", "ease": 2}]', "unknown name 'ease'"),
        ('[{"time": 2, "targets": "smile"}, {"time": 1, "targets": "sad"}]', "step 2 is at 1 s"),
    ],
)
def test_what_is_no_step_is_refused_by_name(steps: str, words: str, tmp_path: Path):
    path = tmp_path / "hand.json"
    path.write_text(f'{{"version": 1, "steps": {steps}}}')
    with pytest.raises(KeyframesError) as error:
        load_steps(path)
    assert words in str(error.value) and "hand.json" in str(error.value)
    assert len(str(error.value).splitlines()) == 1


def test_other_versions_and_names_are_refused(tmp_path: Path):
    path = tmp_path / "hand.json"
    for text in ('{"version": 2, "steps": []}', '{"version": 1, "steps": [], "speed": 2}'):
        path.write_text(text)
        with pytest.raises(KeyframesError):
            load_steps(path)
