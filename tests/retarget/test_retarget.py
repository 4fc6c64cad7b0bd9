"""From measured action units to their change."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calib.au import AU_INDEX, Change, bilateral, both, neutral_aus
from calib.pose import Pose
from reenact.programme import Programme
from reenact.programme.face_choice import FaceChoiceError, parse_faces
from reenact.programme.inversion import parse_inverted
from reenact.programme.programme import chain
from reenact.programme.target_syntax import parse_locks, parse_scales, parse_targets
from reenact.programme.targets import neutralised
from reenact.records import Face, Frame, Measured
from reenact.retarget import Retargeter
from reenact.retarget.options import RetargetOptions

RATE = Fraction(30)
SMILE = parse_targets("AU12=+2")
AU12 = AU_INDEX[12]
FREE = RetargetOptions(safe=False, driven=False)
"""What is asked is what is written: the limits of faces, and how they answer, have tests of their own."""


@dataclass(frozen=True)
class Someone:
    """A face as these tests need it."""

    track_id: int = 0
    scale: float = 2.0
    confidence: float = 1.0
    shows: float = 0.0
    """What every action unit is measured at."""
    leans: float = 0.0
    """How much more of every action unit the left side shows, and the right less."""


def record(index: int, *people: Someone, cut: bool = False) -> Measured:
    frame = Frame(np.zeros((4, 4, 3), np.uint8), Fraction(index) / RATE, index)
    return Measured(
        frame,
        tuple(face(someone) for someone in people),
        cut,
        tuple(neutral_aus() + np.float32(someone.shows) for someone in people),
        leans=tuple(neutral_aus() + np.float32(someone.leans) for someone in people),
    )


def face(someone: Someone) -> Face:
    pose = Pose(someone.scale, np.eye(3, dtype=np.float32), np.zeros(3, np.float32))
    return Face(someone.track_id, np.zeros((478, 3), np.float32), pose, someone.confidence)


def smiles(retarget: Retargeter, records: Iterator[Measured]) -> list[float]:
    """The change of AU12 of the first face, frame by frame."""
    return [float(both(retarget(measured).changes[0])[AU12]) for measured in records]


def test_a_relative_target_is_added_whatever_the_face_shows() -> None:
    change = both(Retargeter(parse_targets("AU12=+2,AU4=-1"), FREE)(record(0, Someone(shows=2.5))).changes[0])
    assert change[AU12] == 2
    assert change[AU_INDEX[4]] == -1
    assert np.count_nonzero(change) == 2


def test_an_absolute_target_changes_by_what_is_missing() -> None:
    change = both(Retargeter(parse_targets("AU12=3,AU4=0"), FREE)(record(0, Someone(shows=1))).changes[0])
    assert change[AU12] == 2
    assert change[AU_INDEX[4]] == -1
    assert np.count_nonzero(change) == 2


CROOKED = Someone(shows=2, leans=1.5)


def sides_of(targets: str, someone: Someone) -> list[float]:
    """The change of AU12 on the left and on the right."""
    return Retargeter(parse_targets(targets), FREE)(record(0, someone)).changes[0][:, AU12].tolist()


@pytest.mark.parametrize("targets", ["AU12=3", "AU12=+4", "AU12=0", "AU12=-3", "AU12=+1,AU45L=5"])
def test_what_is_asked_of_both_sides_changes_both_alike_however_crooked_the_face(targets: str) -> None:
    left, right = sides_of(targets, CROOKED)
    assert left == right == sides_of(targets, Someone(shows=2))[0]


def test_what_is_asked_of_one_side_goes_by_what_that_side_shows() -> None:
    assert sides_of("AU12L=0", CROOKED) == [-3.5, 0]
    assert sides_of("AU12R=3", CROOKED) == [0, 2.5]
    assert sides_of("AU12L=4,AU12R=1", CROOKED) == [0.5, 0.5]


def test_each_side_stays_within_the_scale() -> None:
    assert sides_of("AU12L=+3", CROOKED) == [1.5, 0]
    assert sides_of("AU12L=-5,AU12R=-1", CROOKED) == [-3.5, -0.5]


def test_sides_that_nobody_has_read_count_as_alike() -> None:
    measured = replace(record(0, CROOKED), leans=())
    change = Retargeter(parse_targets("AU12L=0"), FREE)(measured).changes[0]
    assert change[:, AU12].tolist() == [-2, 0]


def test_one_side_parts_from_the_other_without_a_jump() -> None:
    """A time line goes from both sides to one."""
    both_sides, one = parse_targets("AU12=3"), parse_targets("AU12L=3")
    shares = np.linspace(0, 1, 101)
    changes = np.array(
        [
            Retargeter(both_sides.blend(one, float(share)), FREE)(record(0, CROOKED)).changes[0][:, AU12]
            for share in shares
        ]
    )
    assert np.abs(np.diff(changes, axis=0)).max() < 0.1


@pytest.mark.parametrize("targets", ["none", "AU12=+0"])
def test_no_targets_are_exactly_no_change(targets: str) -> None:
    change = Retargeter(parse_targets(targets))(record(0, Someone(shows=1.234))).changes[0]
    assert change.tobytes() == bilateral(neutral_aus()).tobytes()


def test_the_record_is_carried_on_and_a_frame_without_a_face_is_untouched() -> None:
    measured = record(0)
    retargeted = Retargeter(SMILE)(measured)
    assert retargeted.frame is measured.frame
    assert retargeted.changes == ()


@pytest.mark.parametrize(("strength", "expected"), [(0.0, 0.0), (0.5, 1.0), (1.5, 3.0)])
def test_strength_multiplies(strength: float, expected: float) -> None:
    change = both(Retargeter(SMILE, RetargetOptions(strength=strength))(record(0, Someone())).changes[0])
    assert change[AU12] == expected


@pytest.mark.parametrize("strength", [0.0, 0.25, 0.5, 1.0, 1.25, 1.5])
@pytest.mark.parametrize("own", [0.0, 1.0, 4.5])
@pytest.mark.parametrize(
    "asked", [parse_targets("AU12=3"), chain(parse_targets("smile,AU12=+1"), parse_locks("AU12=3"))]
)
def test_an_absolute_target_is_reached_at_a_strength_of_1_and_never_passed(
    asked: Programme, own: float, strength: float
) -> None:
    options = replace(FREE, strength=strength)
    change = both(Retargeter(asked, options)(record(0, Someone(shows=own))).changes[0])[AU12]
    assert change == pytest.approx(min(strength, 1) * (3 - own), abs=1e-5)


def test_strengths_of_a_part_and_of_the_whole_multiply_up_to_an_absolute_target() -> None:
    held = parse_targets("AU12=4")
    for first, second, expected in ((0.5, 1.5, 3.0), (1.5, 0.5, 2.0), (1.5, 1.5, 4.0), (0.5, 0.5, 1.0)):
        change = held.times(first).times(second).change(neutral_aus())[0, AU12]
        assert change == pytest.approx(expected), (first, second)


def test_a_strength_beyond_1_goes_on_where_no_intensity_is_named() -> None:
    options = replace(FREE, strength=1.5)
    for targets, own, expected in (("AU12=+2", 0, 3), ("AU12=2..", 0, 3), ("AU12=..2", 4, -3)):
        measured = record(0, Someone(shows=own))
        assert both(Retargeter(parse_targets(targets), options)(measured).changes[0])[AU12] == expected


def test_what_takes_the_faces_own_away_takes_at_most_all_of_it() -> None:
    assert neutralised(0.8).times(1.5).change(neutral_aus() + np.float32(2))[0, AU12] == -2
    assert neutralised(0.4).times(1.5).change(neutral_aus() + np.float32(2))[0, AU12] == pytest.approx(-1.2)
    more = parse_scales("AU12=1.5").times(1.5).change(neutral_aus() + np.float32(2))
    assert more[0, AU12] == pytest.approx(1.5)


@pytest.mark.parametrize("strength", [0.0, 0.5, 1.0, 1.5])
def test_a_strength_goes_from_the_inverted_expression_to_an_absolute_target(strength: float) -> None:
    options = replace(FREE, inverted=parse_inverted("AU12"), strength=strength)
    measured = record(0, Someone(shows=2))
    change = both(Retargeter(parse_targets("AU12=3"), options)(measured).changes[0])[AU12]
    inverted = 0
    assert change == pytest.approx(inverted + min(strength, 1) * (3 - inverted) - 2)


@pytest.mark.parametrize(("targets", "shows", "expected"), [("AU12=+4", 3, 2), ("AU12=-4", 3, -3)])
def test_measured_plus_change_stays_within_the_scale(targets: str, shows: float, expected: float) -> None:
    change = both(Retargeter(parse_targets(targets), FREE)(record(0, Someone(shows=shows))).changes[0])
    assert change[AU12] == expected


def noisy(level: float, sigma: float, frames: int = 150) -> Iterator[Measured]:
    """Real readings of a still face have a sigma of about 0.05."""
    noise = np.random.default_rng(7).normal(0, sigma, frames)
    return (record(i, Someone(shows=max(0.0, level + noise[i]))) for i in range(frames))


@given(
    st.lists(st.floats(0, 5, width=32), min_size=1, max_size=20),
    st.sampled_from(["AU12=+5", "AU12=-5", "AU12=5", "AU12=0", "AU12=+0.5", "laugh", "none"]),
    st.floats(0, 1.5),
)
def test_no_readings_make_a_change_beyond_the_scale(
    readings: list[float], targets: str, strength: float
) -> None:
    retarget = Retargeter(parse_targets(targets), RetargetOptions(strength=strength))
    for index, reading in enumerate(readings):
        change = retarget(record(index, Someone(shows=reading))).changes[0]
        assert change.dtype == np.float32
        assert np.abs(change).max() <= 5
        if targets == "none" or strength == 0:
            assert not change.any()


def test_a_relative_change_at_its_limit_does_not_waver_with_the_measurement() -> None:
    settled = smiles(Retargeter(parse_targets("AU12=+2"), FREE), noisy(4.2, 0.1))[30:]
    assert np.std(settled) < 0.01
    assert np.mean(settled) == pytest.approx(0.8, abs=0.3)


def test_an_absolute_target_wavers_far_less_than_the_measurement() -> None:
    settled = np.array(smiles(Retargeter(parse_targets("AU12=3"), FREE), noisy(2, 0.1))[30:])
    assert np.abs(np.diff(settled)).mean() < 0.03
    assert settled.mean() == pytest.approx(1, abs=0.15)


def test_the_limit_follows_a_face_that_really_moves() -> None:
    levels = [4.5] * 30 + [1.0] * 60
    changes = smiles(
        Retargeter(parse_targets("AU12=+3"), FREE),
        (record(i, Someone(shows=level)) for i, level in enumerate(levels)),
    )
    assert changes[20] == pytest.approx(0.5, abs=0.01)
    assert changes[-1] == 3


def test_a_face_there_from_the_start_has_its_change_on_the_first_frame() -> None:
    assert smiles(Retargeter(SMILE), (record(i, Someone()) for i in range(3))) == [2, 2, 2]


def test_a_face_that_comes_in_fades_in_within_its_time() -> None:
    retarget = Retargeter(SMILE, RetargetOptions(fade_s=0.3))
    for i in range(30):
        retarget(record(i))
    changes = smiles(retarget, (record(i, Someone()) for i in range(30, 45)))
    assert changes[0] == 0
    assert 0 < changes[1] < changes[4] < changes[8] < 2
    assert changes[9:] == [2] * 6
    assert max(np.diff(changes)) < 2 * 2 / 9


def test_the_first_frame_of_a_new_scene_has_the_full_change() -> None:
    retarget = Retargeter(SMILE)
    for i in range(30):
        retarget(record(i))
    assert smiles(retarget, iter([record(30, Someone(1), cut=True), record(31, Someone(1))])) == [2, 2]


def test_a_face_found_a_frame_after_the_cut_counts_as_there() -> None:
    retarget = Retargeter(SMILE)
    retarget(record(0))
    retarget(record(30, cut=True))
    assert smiles(retarget, iter([record(31, Someone(1))])) == [2]


def test_lost_confidence_fades_out_and_regained_confidence_fades_in() -> None:
    retarget = Retargeter(SMILE, RetargetOptions(fade_s=0.3, confidence_in=0.5, confidence_out=0.3))
    sure = smiles(retarget, (record(i, Someone()) for i in range(10)))
    lost = smiles(retarget, (record(i, Someone(confidence=0.1)) for i in range(10, 25)))
    unsure = smiles(retarget, (record(i, Someone(confidence=0.4)) for i in range(25, 30)))
    back = smiles(retarget, (record(i, Someone(confidence=0.6)) for i in range(30, 45)))
    still_sure = smiles(retarget, (record(i, Someone(confidence=0.4)) for i in range(45, 50)))
    assert sure == [2] * 10
    assert 0 < lost[4] < lost[0] < 2
    assert lost[-1] == 0
    assert unsure == [0] * 5
    assert 0 < back[0] < 2
    assert back[-1] == 2
    assert still_sure == [2] * 5


def test_a_face_lost_for_one_frame_comes_back_almost_as_it_was() -> None:
    retarget = Retargeter(SMILE)
    before = smiles(retarget, (record(i, Someone()) for i in range(10)))
    retarget(record(10))
    after = smiles(retarget, (record(i, Someone()) for i in range(11, 15)))
    assert before[-1] == 2
    assert after[0] > 1.8


def test_a_face_gone_for_longer_is_forgotten_and_fades_in_anew() -> None:
    retarget = Retargeter(SMILE)
    retarget(record(0, Someone()))
    for i in range(1, 30):
        retarget(record(i))
    assert smiles(retarget, iter([record(30, Someone())])) == [0]


def test_the_fade_goes_by_time_not_by_frames() -> None:
    retarget = Retargeter(SMILE, RetargetOptions(fade_s=0.3))
    retarget(record(0))
    changes = smiles(retarget, (record(i, Someone()) for i in (60, 63, 66, 69)))
    assert changes[0] == 0
    assert changes[1] == pytest.approx(2 * (3 / 9 + 1 / 27 - 3 / 27), abs=0.01)
    assert changes[3] == 2


def chosen(retarget: Retargeter, measured: Measured) -> list[int]:
    """Track ids of the faces that change."""
    changes = retarget(measured).changes
    return [face.track_id for face, change in zip(measured.faces, changes, strict=True) if change.any()]


def instant(faces: str) -> Retargeter:
    return Retargeter(SMILE, RetargetOptions(faces=parse_faces(faces), fade_s=0))


def test_all_faces_or_named_faces_or_the_largest() -> None:
    people = Someone(0, scale=2), Someone(1, scale=3), Someone(2, scale=1)
    assert chosen(instant("all"), record(0, *people)) == [0, 1, 2]
    assert chosen(instant("0, 2"), record(0, *people)) == [0, 2]
    assert chosen(instant("largest"), record(0, *people)) == [1]


def test_the_largest_of_two_equal_faces_does_not_alternate() -> None:
    retarget = instant("largest")
    sizes = np.random.default_rng(3).uniform(1.9, 2.1, (60, 2))
    seen = [chosen(retarget, record(i, Someone(0, a), Someone(1, b))) for i, (a, b) in enumerate(sizes)]
    assert all(ids == seen[0] for ids in seen)


def test_a_face_that_is_clearly_larger_takes_over() -> None:
    retarget = instant("largest")
    assert chosen(retarget, record(0, Someone(0, 2), Someone(1, 1))) == [0]
    assert chosen(retarget, record(1, Someone(0, 2), Someone(1, 3))) == [1]


def test_the_largest_face_is_waited_for_when_it_is_lost_for_a_moment() -> None:
    retarget = instant("largest")
    assert chosen(retarget, record(0, Someone(0, 2), Someone(1, 1))) == [0]
    assert chosen(retarget, record(5, Someone(1, 1))) == []
    assert chosen(retarget, record(6, Someone(0, 2), Someone(1, 1))) == [0]
    assert chosen(retarget, record(30, Someone(1, 1))) == [1]


def test_a_change_of_the_largest_face_is_a_crossfade() -> None:
    retarget = Retargeter(SMILE, RetargetOptions(fade_s=0.3))
    retarget(record(0, Someone(0, 2), Someone(1, 1)))
    middle: list[Change] = []
    for i in range(1, 6):
        middle = list(retarget(record(i, Someone(0, 2), Someone(1, 3))).changes)
    assert 0 < both(middle[0])[AU12] < 2
    assert 0 < both(middle[1])[AU12] < 2


def test_targets_may_change_with_time_and_face() -> None:
    retarget = Retargeter(
        lambda pts, track_id: parse_targets(f"AU12=+{float(pts) + track_id}"), RetargetOptions(faces="all")
    )
    changes = retarget(record(15, Someone(0), Someone(2))).changes
    assert [float(both(change)[AU12]) for change in changes] == [0.5, 2.5]


@pytest.mark.parametrize("text", ["", "biggest", "-1", "0,,1", "1.5", "9" * 5000])
def test_a_choice_of_faces_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(FaceChoiceError, match="choose largest, all, or ids"):
        parse_faces(text)
