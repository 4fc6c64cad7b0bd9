"""What is remembered of people's teeth."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from reenact.generate.painters.mouth import MouthMemory, MouthShape, MouthViews, likely_teeth, see_mouth
from reenact.generate.painters.mouth.arch import (
    SHAPE,
    UPPER_ABOVE_MM,
    Arch,
    completeness,
    take_upper,
    with_gums,
)
from reenact.generate.painters.mouth.dental_surface import BRIDGE
from reenact.generate.painters.mouth.teeth_bank import load_teeth_bank
from reenact.generate.painters.mouth.teeth_light import ivory
from tests.support.faces import closed_mouth, posed_face, rotation
from tests.support.mouths import DARK, SKIN, TEETH, drawn, open_face, open_lips

SMILE = open_face(above_mm=5, below_mm=4)
SMILING = drawn(SMILE, teeth_mm=6)
SHUT = posed_face(scale=3.0, landmarks_mm=closed_mouth())


def at(frame, seconds):
    return replace(frame, pts=Fraction(seconds).limit_denominator(1000))


def look(memory, frame, face, seconds, asked=None):
    """What is drawn in a frame whose mouth is moved to the lips of `asked`."""
    shape = MouthShape.of(face, (asked or face).landmarks)
    return memory(at(frame, seconds), face, see_mouth(frame, face), shape)


def learnt(*seen):
    views = MouthViews()
    for frame, face in seen:
        views = views.learn(frame, face, see_mouth(frame, face))
    return views


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
    views = learnt((SMILING, SMILE))
    small = open_face(scale=1.5, above_mm=5, below_mm=4)
    frame = drawn(small, teeth_mm=6)
    assert views.learn(frame, small, see_mouth(frame, small)) is views
    worse = learnt((frame, small))
    assert worse.upper is not None
    assert worse.learn(SMILING, SMILE, see_mouth(SMILING, SMILE)).upper.quality > worse.upper.quality


@pytest.mark.parametrize(
    "face", [replace(SMILE, confidence=0.3), open_face(above_mm=1, below_mm=1)], ids=["unsure", "hardly open"]
)
def test_what_is_seen_badly_is_not_remembered(face):
    assert len(learnt((drawn(face, teeth_mm=6), face))) == 0


def test_a_hand_before_the_mouth_is_not_remembered():
    frame = drawn(SMILE, teeth_mm=6)
    covered = frame.image.copy()
    y = int(SMILE.landmarks[13, 1])
    covered[y - 60 : y + 90] = SKIN
    covered += np.random.default_rng(0).integers(0, 12, covered.shape, np.uint8)
    hand = replace(frame, image=covered)
    assert len(learnt((hand, SMILE))) == 0


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
    bank = load_teeth_bank()
    assert len(bank.upper) >= 12
    for arch in bank.upper:
        assert arch.picture.shape == (*SHAPE, 4) and arch.picture.dtype == np.uint8
    for arch in bank.upper:
        middle = arch.picture[int(UPPER_ABOVE_MM * 3) - 12 : int(UPPER_ABOVE_MM * 3) - 4, 60:120, :3] / 128
        assert 0.75 < np.median(middle) < 1.25


def test_a_person_keeps_the_same_teeth_while_the_mouth_hardly_changes():
    bank = load_teeth_bank()
    assert bank.likeliest(58.0) is bank.likeliest(58.05)


def test_an_arch_of_another_shape_is_no_arch():
    assert Arch(np.zeros((*SHAPE, 4), np.uint8), UPPER_ABOVE_MM).picture.shape == (*SHAPE, 4)


def test_a_row_that_something_stands_before_is_not_remembered():
    half = SMILING.image.copy()
    half[:, 322:] = SKIN  # a finger over the person's left
    assert len(learnt((replace(SMILING, image=half), SMILE))) == 0


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


TONGUE = (150, 60, 60)
WIDE = open_face(above_mm=6, below_mm=16)
GAPING = drawn(WIDE, teeth_mm=6, inside=TONGUE)
NARROW = open_face(above_mm=4, below_mm=4)
PARTED = drawn(NARROW, teeth_mm=5)


def middle_of(floor):
    """(3,) RGB of what a floor shows in the middle, in the light of the drawn faces."""
    rgb, alpha = floor.picture[..., :3].astype(float), floor.picture[..., 3]
    centre = floor.picture.shape[1] // 2
    solid = alpha[:, centre - 9 : centre + 9] > 250
    return rgb[:, centre - 9 : centre + 9][solid].mean(axis=0) / 128 * ivory(PARTED.image, NARROW)


def test_the_view_of_the_asked_opening_is_drawn():
    views = learnt((PARTED, NARROW), (GAPING, WIDE))
    assert len(views) == 2
    for face, colour in ((NARROW, DARK), (WIDE, TONGUE)):
        teeth = views.teeth(SHUT, None, MouthShape.of(SHUT, face.landmarks))
        assert np.abs(middle_of(teeth.floor) - colour).max() < 30
        assert teeth.own == 1


def test_of_two_views_of_one_opening_the_one_turned_alike_is_drawn():
    turned = posed_face(scale=3.0, turn=rotation(yaw=0.35), landmarks_mm=open_lips(above_mm=4, below_mm=4))
    views = learnt((PARTED, NARROW), (drawn(turned, teeth_mm=5), turned))
    assert len(views) == 2
    shape = MouthShape.of(NARROW, NARROW.landmarks)
    for yaw in (0.0, 0.35):
        nearest = views.nearest(replace(shape, yaw_rad=yaw * np.sign(turned.pose.angles[1])))
        assert abs(abs(nearest.shape.yaw_rad) - yaw) < 0.1


def test_dim_teeth_without_a_row_are_no_mouth_without_teeth():
    shade = drawn(NARROW, inside=(100, 45, 45))
    seen = see_mouth(shade, NARROW)
    assert seen is not None and seen.teeth < 0.1
    assert len(learnt((shade, NARROW))) == 0
    assert len(learnt((drawn(NARROW), NARROW))) == 1


def test_a_mouth_that_opens_farther_fades_into_another_view_without_a_jump():
    memory = MouthMemory()
    look(memory, PARTED, NARROW, 0.0)
    look(memory, GAPING, WIDE, 0.2)
    for frame in range(7, 60):
        before = look(memory, drawn(SHUT), SHUT, frame / 30, NARROW)
    assert np.abs(middle_of(before.floor) - DARK).max() < 30
    steps = []
    for frame in range(60, 120):
        after = look(memory, drawn(SHUT), SHUT, frame / 30, WIDE)
        pictures = [each.floor.picture.astype(int) for each in (before, after)]
        steps.append(np.abs(pictures[1] - pictures[0]).max())
        assert abs(after.upper_edge_mm - before.upper_edge_mm) < 0.2
        before = after
    assert 0 < max(steps) < 50
    assert steps[-1] == 0
    assert np.abs(middle_of(after.floor) - TONGUE).max() < 30


def test_a_view_is_not_left_for_one_that_is_hardly_nearer():
    views = learnt((PARTED, NARROW), (GAPING, WIDE))
    narrow, wide = (views.nearest(MouthShape.of(face, face.landmarks)) for face in (NARROW, WIDE))
    between = replace(narrow.shape, opening_mm=(narrow.shape.opening_mm + wide.shape.opening_mm) / 2)
    assert views.nearest(between, drawn=narrow) is narrow
    assert views.nearest(between, drawn=wide) is wide


def test_teeth_that_two_frames_place_differently_are_laid_over_each_other():
    lower = replace(NARROW, landmarks=NARROW.landmarks.copy())
    lower.landmarks[list(BRIDGE), 1] -= 4  # as if the bridge of the nose were 1.3 mm higher
    alone = learnt((SMILING, SMILE))
    both = learnt((SMILING, SMILE), (PARTED, lower))
    assert len(both) == 2
    single, joint = (each.teeth(SHUT, None, MouthShape.of(SHUT, SMILE.landmarks)) for each in (alone, both))
    assert 0.3 < joint.upper_edge_mm - single.upper_edge_mm < 1.3
    rows = [view.upper.picture[..., 3] > 128 for view in both.by_bin.values()]
    edges = [SHAPE[0] - row[::-1, SHAPE[1] // 2].argmax() for row in rows]
    assert abs(edges[0] - edges[1]) <= 1


def test_what_is_remembered_of_a_person_is_bounded():
    views = MouthViews()
    for below_mm in np.linspace(1, 28, 40):
        for yaw in (-0.4, 0.0, 0.4):
            face = posed_face(
                scale=2.0,
                turn=rotation(yaw=yaw),
                landmarks_mm=open_lips(above_mm=4, below_mm=float(below_mm)),
            )
            frame = drawn(face, teeth_mm=5)
            views = views.learn(frame, face, see_mouth(frame, face))
    assert 4 < len(views) <= 18
    held = sum(
        arch.picture.nbytes
        for view in views.by_bin.values()
        for arch in (view.floor, view.upper)
        if arch is not None
    )
    assert held < 2.2e6


def test_a_face_with_another_id_gets_nothing_of_what_was_learnt():
    memory = MouthMemory()
    look(memory, GAPING, WIDE, 0.0)
    stranger = look(memory, drawn(SHUT), replace(SHUT, track_id=7), 0.1, WIDE)
    assert stranger.floor is None and stranger.own == 0
