"""ARKit's blendshapes in action units, and back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calib.arkit import BLENDSHAPE_INDEX, BLENDSHAPES, from_aus, measured_by_blendshapes, to_aus
from calib.au import AU_CODES, AU_COUNT, JAW_DROP, LID_GAP, LIP_GAP, au_index
from calib.opening_sizes import STANDARD_LIDS_MM

LOST = {"tongueOut", "mouthLeft", "mouthRight", "mouthShrugUpper", "mouthClose", "jawOpen"}
"""What no action unit tells, and what opens and shuts the mouth, which is told by its openings."""
REVERSED = (("eyeLookOut", "eyeLookIn"), ("eyeLookUp", "eyeLookDown"))


def weights(**given: float) -> np.ndarray:
    found = np.zeros(len(BLENDSHAPES))
    for name, weight in given.items():
        found[BLENDSHAPE_INDEX[name]] = weight
    return found


def test_there_are_52_with_names_of_their_own() -> None:
    assert len(BLENDSHAPES) == len(set(BLENDSHAPES)) == 52
    assert sum(name.endswith("Left") for name in BLENDSHAPES) == sum(
        name.endswith("Right") for name in BLENDSHAPES
    )


def test_a_smile_on_one_side_is_au12_on_that_side() -> None:
    left, right = to_aus(weights(mouthSmileLeft=0.6))
    assert left[au_index("AU12")] == pytest.approx(3) and right[au_index("AU12")] == 0


def test_eyes_that_look_to_the_persons_left_turn_out_and_in() -> None:
    sides = to_aus(weights(eyeLookOutLeft=0.4, eyeLookInRight=0.4))
    assert sides[:, au_index("AU61")] == pytest.approx(2)
    sides = to_aus(weights(eyeLookInLeft=0.4, eyeLookOutRight=0.4, eyeLookDownLeft=0.2))
    assert sides[:, au_index("AU61")] == pytest.approx(-2)
    assert sides[:, au_index("AU63")] == pytest.approx([-1, 0])


def test_the_jaw_goes_to_the_left_or_right() -> None:
    assert to_aus(weights(jawLeft=0.4))[:, au_index("AU30")] == pytest.approx(2)
    assert to_aus(weights(jawRight=0.4))[:, au_index("AU30")] == pytest.approx(-2)


def test_an_open_jaw_parts_the_lips_and_mouth_close_shuts_them() -> None:
    opened = to_aus(weights(jawOpen=0.5))[0]
    assert opened[LIP_GAP] == pytest.approx(14.45) and opened[JAW_DROP] == pytest.approx(11.65)
    shut = to_aus(weights(jawOpen=0.5, mouthClose=0.5))[0]
    assert shut[LIP_GAP] == 0 and shut[JAW_DROP] == opened[JAW_DROP]


def test_a_wink_shuts_one_lid() -> None:
    assert to_aus(weights(eyeBlinkRight=1))[:, LID_GAP] == pytest.approx([STANDARD_LIDS_MM, 0])


def test_what_blendshapes_do_not_tell_is_not_measured() -> None:
    told = {AU_CODES[index] for index in np.flatnonzero(measured_by_blendshapes())}
    assert {"AU12", "AU18", "AU61", "AU63", "AU30", "lip_gap_mm", "lid_gap_mm"} <= told
    assert told.isdisjoint({"AU13", "AU23", "AU25", "eye_contact"})


@given(st.dictionaries(st.sampled_from(sorted(set(BLENDSHAPES) - LOST)), st.floats(0, 1), max_size=12))
def test_what_has_an_action_unit_comes_back(given: dict[str, float]) -> None:
    for first, second in REVERSED:
        for side in ("Left", "Right"):
            if f"{first}{side}" in given:
                given.pop(f"{second}{side}", None)
    if "jawLeft" in given:
        given.pop("jawRight", None)
    rolled = (given.get("mouthRollLower", 0) + given.get("mouthRollUpper", 0)) / 2
    expected = weights(**{**given, "mouthRollLower": rolled, "mouthRollUpper": rolled})
    back = from_aus(to_aus(weights(**given)))
    kept = [BLENDSHAPE_INDEX[name] for name in BLENDSHAPES if name not in LOST]
    np.testing.assert_allclose(back[kept], expected[kept], atol=1e-5)


@given(st.floats(0, 1))
def test_an_opening_comes_back(opened: float) -> None:
    back = from_aus(to_aus(weights(jawOpen=opened)))
    assert back[BLENDSHAPE_INDEX["jawOpen"]] == pytest.approx(opened, abs=1e-5)


def test_nothing_shown_is_nothing() -> None:
    assert not from_aus(np.zeros((2, AU_COUNT), np.float32)).any()
    still = to_aus(weights())
    assert not np.delete(still, LID_GAP, axis=1).any()
