"""What may be changed while a live run goes on, and how the next frame follows."""

from __future__ import annotations

import threading
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from calib.au import AU_COUNT, AU_INDEX, both, neutral_aus
from calib.limits import load_limits
from reenact.programme import TargetError, parse_targets
from reenact.programme.keyframes_file import KeyframesError
from reenact.programme.presets import PRESETS
from reenact.programme.timeline import Scene, Timeline
from reenact.retarget import Retargeter
from reenact.retarget.controls import ControlError, Controls, Settings, as_programme, name_of
from reenact.retarget.live_retargeter import BYPASS_S, REST_S, LiveRetargeter
from reenact.retarget.options import RetargetOptions
from tests.retarget.test_retarget import AU12, FREE, RATE, Someone, record

SMILE = parse_targets("AU12=+2")


def live_retargeter(text: str = "AU12=+2", **settings: object) -> tuple[Controls, LiveRetargeter]:
    controls = Controls(Settings(parse_targets(text), **settings))
    return controls, LiveRetargeter(controls, FREE)


def change(retargeter: LiveRetargeter, index: int, *people: Someone) -> float:
    """Of AU12, in the first face."""
    return float(both(retargeter(record(index, *(people or (Someone(),)))).changes[0])[AU12])


def test_a_change_of_targets_or_strength_shows_whole_on_the_next_frame() -> None:
    controls, retargeter = live_retargeter()
    assert change(retargeter, 0) == 2
    controls.set(targets=parse_targets("AU12=+3"))
    assert change(retargeter, 1) == 3
    controls.set(strength=0.5)
    assert change(retargeter, 2) == 1.5
    controls.set(targets=lambda pts, track_id: SMILE)
    assert change(retargeter, 3) == 1


def test_a_change_of_targets_comes_no_faster_than_a_face_moves() -> None:
    controls = Controls(Settings(SMILE))
    retargeter = LiveRetargeter(controls)
    assert change(retargeter, 0, Someone(shows=2)) == 2
    controls.set(targets=parse_targets("AU12=-2"))
    falling = [change(retargeter, 1 + index, Someone(shows=2)) for index in range(8)]
    np.testing.assert_allclose(np.diff(falling[:4]), -load_limits().rates[AU12] / RATE, rtol=1e-5)
    assert falling[-1] == -2


def test_a_frame_is_of_one_piece_although_the_settings_change_while_it_is_worked_on() -> None:
    controls, retargeter = live_retargeter()

    def programme(pts: Fraction, track_id: int):
        controls.set(strength=0.0)
        return SMILE

    controls.set(targets=programme)
    changes = retargeter(record(0, Someone(0), Someone(1, scale=1.0))).changes
    assert both(changes[0])[AU12] == 2
    assert change(retargeter, 1) == 0


def test_a_bypass_fades_out_and_in_and_is_exactly_nothing_in_between() -> None:
    controls, retargeter = live_retargeter()
    assert change(retargeter, 0) == 2
    controls.set(bypass=True)
    frames = round(BYPASS_S * RATE)
    out = [change(retargeter, 1 + index) for index in range(frames)]
    assert out == sorted(out, reverse=True)
    assert 1.9 < out[0] < 2 and 0 < out[-2] < 0.1
    assert out[-1] == 0
    assert not retargeter(record(frames + 1, Someone())).changes[0].any()
    controls.set(bypass=False)
    back = [change(retargeter, frames + 2 + index) for index in range(frames)]
    assert back == sorted(back) and back[0] < 2 and back[-1] == 2


def test_a_run_can_start_bypassed() -> None:
    _, retargeter = live_retargeter(bypass=True)
    assert change(retargeter, 0) == 0


def test_the_face_at_rest_is_the_median_of_the_last_second_of_the_largest_face() -> None:
    _, retargeter = live_retargeter()
    assert retargeter.at_rest() is None
    for index in range(60):  # a smile, then at rest for a second, with one blink of a reading
        shows = 4.0 if index < 30 else 5.0 if index == 45 else 1.0
        change(retargeter, index, Someone(0, shows=shows), Someone(1, scale=1.0, shows=3.0))
    at_rest = retargeter.at_rest()
    assert at_rest is not None
    np.testing.assert_array_equal(at_rest, np.full(AU_COUNT, 1.0))


def test_another_person_is_not_mixed_into_the_face_at_rest() -> None:
    _, retargeter = live_retargeter()
    for index in range(int(REST_S * RATE)):
        change(retargeter, index, Someone(0, shows=4.0))
    change(retargeter, 30, Someone(1, shows=1.0))
    at_rest = retargeter.at_rest()
    assert at_rest is not None and at_rest.max() == 1
    retargeter(record(31))
    assert retargeter.at_rest() is None


def test_absolute_targets_count_from_the_neutral_and_relative_ones_do_not() -> None:
    for text, without, with_neutral in (("AU12=3", 2.0, 3.0), ("AU12=+2", 2.0, 2.0), ("AU12=0", -1.0, 0.0)):
        controls, retargeter = live_retargeter(text)
        someone = Someone(shows=1.0)
        assert change(retargeter, 0, someone) == without
        controls.set(neutral=neutral_aus() + np.float32(1))
        assert change(retargeter, 1, someone) == with_neutral, text


@pytest.mark.parametrize("strength", [0.5, 1.0, 1.5])
def test_a_live_run_writes_what_a_file_of_the_same_strength_gets(strength: float) -> None:
    held = parse_targets("AU12=2,AU04=+1")
    retargeter = LiveRetargeter(Controls(Settings(held, strength=strength)))
    retarget = Retargeter(held, RetargetOptions(strength=strength))
    for index in range(3):
        measured = record(index, Someone(shows=0.5))
        np.testing.assert_array_equal(retargeter(measured).changes, retarget(measured).changes)


def test_settings_changed_by_many_threads_at_once_are_all_kept() -> None:
    controls = Controls(Settings(SMILE, strength=0.0))

    def raise_strength() -> None:
        for _ in range(100):
            controls.change(lambda settings: replace(settings, strength=settings.strength + 1 / 1024))

    threads = [threading.Thread(target=raise_strength) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert controls.now.strength == 800 / 1024


@pytest.mark.parametrize("strength", [-0.1, 1.6, float("nan")])
def test_a_strength_out_of_range_changes_nothing(strength: float) -> None:
    controls = Controls(Settings(SMILE))
    with pytest.raises(ControlError, match=r"choose 0 to 1\.5"):
        controls.set(strength=strength, bypass=True)
    assert controls.now.strength == 1 and not controls.now.bypass


def test_targets_may_be_text() -> None:
    targets = as_programme("AU12=+2")
    assert (targets.value[:, AU_INDEX[12]] == 2).all()  # type: ignore[union-attr]
    assert as_programme(SMILE) is SMILE
    with pytest.raises(TargetError, match="did you mean 'smile'"):
        as_programme("smiel")


@pytest.mark.parametrize("as_path", [str, Path])
def test_targets_may_be_a_file_of_targets_or_of_a_time_line(tmp_path: Path, as_path: type) -> None:
    (tmp_path / "smile.json").write_text('{"version": 1, "preset": "smile"}')
    (tmp_path / "line.json").write_text(
        '{"version": 1, "tracks": [{"au": "AU12", "keys": [{"time": 0, "value": "+2"}]}]}'
    )
    (tmp_path / "line.csv").write_text("time,au,value\n0,AU12,+2\n")
    assert name_of(as_programme(as_path(tmp_path / "smile.json"))) == "smile"
    for name in ("line.json", "line.csv"):
        targets = as_programme(as_path(tmp_path / name))(Fraction(0), 0)
        assert (targets.value[:, AU_INDEX[12]] == 2).all()


def test_the_path_of_a_film_is_no_targets() -> None:
    with pytest.raises(KeyframesError, match=r"'in\.mp4' is no time line.*reenact\.load_driver"):
        as_programme(Path("in.mp4"))


def test_targets_have_the_name_of_their_preset() -> None:
    assert name_of(parse_targets("smile")) == "smile"
    assert name_of(parse_targets("AU12=+2,AU4=-1")) == "AU04=-1,AU12=+2"
    assert name_of(Timeline([Scene("smile", "smile")])) == "changing over time"
    assert {name_of(parse_targets(preset.spec)) for preset in PRESETS.values()} == set(PRESETS)
