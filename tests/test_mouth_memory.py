"""What is remembered of people's teeth."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from reenact.generate.mouth import MouthMemory, Views, likely_teeth, see_mouth
from reenact.generate.mouth.arch import SHAPE, UPPER_ABOVE_MM, Arch, completeness, take_upper, with_gums
from reenact.generate.mouth.bank import load_bank
from reenact.generate.mouth.light import ivory
from tests.faces import closed_mouth, posed_face
from tests.mouths import SKIN, TEETH, drawn, open_face

SMILE = open_face(above_mm=5, below_mm=4)
SMILING = drawn(SMILE, teeth_mm=6)
SHUT = posed_face(scale=3.0, landmarks_mm=closed_mouth())


def at(frame, seconds):
    return replace(frame, pts=Fraction(seconds).limit_denominator(1000))


def look(memory, frame, face, seconds):
    return memory(at(frame, seconds), face, see_mouth(frame, face))


def test_a_stranger_with_shut_lips_gets_likely_teeth():
    teeth = look(MouthMemory(), drawn(SHUT), SHUT, 0)
    assert teeth.upper is likely_teeth(SHUT, None).upper


def test_teeth_that_were_seen_are_drawn_when_the_lips_are_shut_again():
    memory = MouthMemory()
    for frame in range(5):
        look(memory, SMILING, SMILE, frame / 30)
    for frame in range(5, 90):
        teeth = look(memory, drawn(SHUT), SHUT, frame / 30)
    white = (
        teeth.upper.picture[int(UPPER_ABOVE_MM * 3) - 9, SHAPE[1] // 2, :3]
        / 128
        * ivory(drawn(SHUT).image, SHUT)
    )
    assert np.abs(white - TEETH).max() < 25
    assert teeth.upper is not likely_teeth(SHUT, None).upper


def test_what_is_drawn_turns_gradually_into_what_was_seen():
    memory = MouthMemory()
    before = look(memory, drawn(SHUT), SHUT, 0).upper.picture.astype(int)
    steps = []
    for frame in range(1, 60):
        after = look(memory, SMILING, SMILE, frame / 30).upper.picture.astype(int)
        steps.append(np.abs(after - before).max())
        before = after
    assert 0 < max(steps) < 60
    assert steps[-1] == 0


def test_teeth_are_kept_where_the_skull_has_them():
    memory = MouthMemory()
    seen = look(memory, SMILING, SMILE, 0)
    shut = look(memory, drawn(SHUT), SHUT, 0.1)
    assert shut.upper_edge_mm == pytest.approx(seen.upper_edge_mm, abs=0.2)


def test_people_are_kept_apart_and_time_that_runs_backwards_starts_afresh():
    memory = MouthMemory()
    look(memory, SMILING, SMILE, 0.0)
    assert memory.views(SMILE.track_id).upper is not None
    other = replace(SHUT, track_id=7)
    look(memory, drawn(SHUT), other, 0.1)
    assert memory.views(7).upper is None
    look(memory, drawn(SHUT), replace(SHUT, track_id=SMILE.track_id), 0.0)
    assert memory.views(SMILE.track_id).upper is None


def test_a_face_that_is_gone_for_long_is_forgotten():
    memory = MouthMemory()
    look(memory, SMILING, SMILE, 0.0)
    look(memory, drawn(SHUT), replace(SHUT, track_id=7), 10.0)
    assert memory.views(SMILE.track_id) == memory.views(99) or memory.views(SMILE.track_id).upper is None


def test_a_worse_view_does_not_replace_a_better_one():
    views = Views().learn(SMILING, SMILE, see_mouth(SMILING, SMILE))
    small = open_face(scale=1.2, above_mm=3, below_mm=3)
    frame = drawn(small, teeth_mm=4)
    assert views.learn(frame, small, see_mouth(frame, small)).upper is views.upper
    worse = Views().learn(frame, small, see_mouth(frame, small))
    assert worse.upper is not None
    assert worse.learn(SMILING, SMILE, see_mouth(SMILING, SMILE)).upper is not worse.upper


@pytest.mark.parametrize(
    "face", [replace(SMILE, confidence=0.3), open_face(above_mm=1, below_mm=1)], ids=["unsure", "hardly open"]
)
def test_what_is_seen_badly_is_not_remembered(face):
    frame = drawn(face, teeth_mm=6)
    assert Views().learn(frame, face, see_mouth(frame, face)).upper is None


def test_a_hand_before_the_mouth_is_not_remembered():
    frame = drawn(SMILE, teeth_mm=6)
    covered = frame.image.copy()
    y = int(SMILE.landmarks[13, 1])
    covered[y - 60 : y + 90] = SKIN
    covered += np.random.default_rng(0).integers(0, 12, covered.shape, np.uint8)
    hand = replace(frame, image=covered)
    views = Views().learn(hand, SMILE, see_mouth(hand, SMILE))
    assert views.upper is None and views.lower is None


def test_a_taken_row_is_transparent_where_the_lip_hid_it_and_gums_fill_it():
    seen = see_mouth(SMILING, SMILE)
    arch, _ = take_upper(SMILING, SMILE.pose, seen, ivory(SMILING.image, SMILE))
    middle = arch.picture[:, SHAPE[1] // 2, 3]
    assert middle[0] == 0 and middle.max() == 255 and middle[-1] == 0
    filled = with_gums(arch).picture[:, SHAPE[1] // 2]
    assert (filled[: int(UPPER_ABOVE_MM * 3) - 6, 3] > 200).all()
    assert filled[0, 0] > 1.3 * filled[0, 1]  # gums are red


def test_a_row_drawn_where_it_was_taken_is_what_was_seen():
    light = ivory(SMILING.image, SMILE)
    arch, edge_mm = take_upper(SMILING, SMILE.pose, see_mouth(SMILING, SMILE), light)
    x, y = SMILE.landmarks[13, :2].astype(int)
    box = (x - 40, y - 5, x + 40, y + 25)
    colour, alpha = arch.draw(SMILE.pose, edge_mm, light, box)
    frame = SMILING.image[box[1] : box[3], box[0] : box[2]].astype(float)
    solid = alpha > 0.98
    assert solid.sum() > 300
    assert np.abs(colour[solid] - frame[solid]).mean() < 6


def test_the_bank_holds_white_teeth_and_no_faces():
    bank = load_bank()
    assert len(bank.upper) >= 12
    for arch in bank.upper:
        assert arch.picture.shape == (*SHAPE, 4) and arch.picture.dtype == np.uint8
    for arch in bank.upper:
        middle = arch.picture[int(UPPER_ABOVE_MM * 3) - 12 : int(UPPER_ABOVE_MM * 3) - 4, 60:120, :3] / 128
        assert 0.75 < np.median(middle) < 1.25


def test_a_person_keeps_the_same_teeth_while_the_mouth_hardly_changes():
    bank = load_bank()
    assert bank.likeliest(58.0) is bank.likeliest(58.05)


def test_an_arch_of_another_shape_is_no_arch():
    assert Arch(np.zeros((*SHAPE, 4), np.uint8), UPPER_ABOVE_MM).picture.shape == (*SHAPE, 4)


def test_a_row_that_something_stands_before_is_not_remembered():
    half = SMILING.image.copy()
    half[:, 322:] = SKIN  # a finger over the person's left
    frame = replace(SMILING, image=half)
    assert Views().learn(frame, SMILE, see_mouth(frame, SMILE)).upper is None


def test_completeness_is_the_share_of_the_front_that_shows_teeth():
    picture = np.full((*SHAPE, 4), 128, np.uint8)
    picture[..., 3] = 255
    assert completeness(Arch(picture, UPPER_ABOVE_MM)) == pytest.approx(1)
    half = picture.copy()
    half[:, : SHAPE[1] // 2, 3] = 0
    assert completeness(Arch(half, UPPER_ABOVE_MM)) == pytest.approx(0.5, abs=0.03)
    red = picture.copy()
    red[..., 1:3] = 50
    assert completeness(Arch(red, UPPER_ABOVE_MM)) < 0.1
