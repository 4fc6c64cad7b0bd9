"""What a picture shows between the lips."""

from dataclasses import replace

import numpy as np
import pytest

from calib.openings import MOUTH
from reenact.generate.painters.mouth.seen_mouth import PX_PER_MM, cheapest_path, on_visible_edges, see_mouth
from tests.support.faces import closed_mouth, posed_face, textured_frame
from tests.support.mouths import DARK, LIPS, TEETH, drawn, open_face


def test_the_cheapest_path_goes_around_what_costs_more():
    cost = np.ones((5, 6), np.float32)
    cost[2] = 0
    cost[2, 3] = 9
    np.testing.assert_array_equal(cheapest_path(cost, 0.1), [2, 2, 2, 1, 2, 2])


def test_a_stiff_path_stays_level_where_a_soft_one_follows():
    cost = np.ones((9, 8), np.float32)
    cost[np.r_[4, 4, 4, 8, 4, 4, 4, 4], np.arange(8)] = 0
    assert cheapest_path(cost, 0.01)[3] == 8
    assert cheapest_path(cost, 1.0)[3] == 4


def test_the_best_of_all_paths_is_found():
    random = np.random.default_rng(0)
    cost = random.random((4, 5)).astype(np.float32)
    every = np.array(np.meshgrid(*[range(4)] * 5)).reshape(5, -1).T
    totals = cost[every, np.arange(5)].sum(axis=1) + 0.2 * (np.diff(every, axis=1) ** 2).sum(axis=1)
    np.testing.assert_array_equal(cheapest_path(cost, 0.2), every[totals.argmin()])


def test_several_paths_at_once_are_those_of_each_cost():
    costs = np.random.default_rng(1).random((3, 7, 9)).astype(np.float32)
    one_by_one = [cheapest_path(cost, 0.1) for cost in costs]
    np.testing.assert_array_equal(cheapest_path(costs, 0.1), one_by_one)


def test_shut_lips_show_nothing():
    face = posed_face(landmarks_mm=closed_mouth())
    assert see_mouth(drawn(face), face) is None


@pytest.mark.parametrize("teeth_mm", [3.0, 5.0, 7.0])
@pytest.mark.parametrize("scale", [1.2, 3.0])
def test_upper_teeth_are_found_down_to_their_edge(teeth_mm, scale):
    face = open_face(scale)
    seen = see_mouth(drawn(face, teeth_mm=teeth_mm), face)
    middle = len(seen.columns) // 2
    assert seen.teeth > 0.9
    assert (seen.seam - seen.top)[middle] / PX_PER_MM == pytest.approx(teeth_mm, abs=max(0.9, 1.8 / scale))
    assert np.abs(seen.enamel - TEETH).max() < 25


def test_lower_teeth_below_a_dark_line_are_a_row_of_their_own():
    face = open_face(above_mm=3, below_mm=4)
    two_rows = see_mouth(drawn(face, teeth_mm=4, inside=TEETH, between_mm=1.0), face)
    assert two_rows.lower > 0.9
    assert two_rows.lower_mm == pytest.approx(3, abs=0.8)


@pytest.mark.parametrize("inside", [LIPS, DARK, TEETH, (170, 85, 88)], ids=["lip", "dark", "tips", "tongue"])
def test_what_else_lies_below_upper_teeth_is_no_row(inside):
    """Teeth that go on without a dark line are the tips of the upper row."""
    face = open_face(above_mm=3, below_mm=4)
    assert see_mouth(drawn(face, teeth_mm=4, inside=inside), face).lower < 0.1


def test_the_dark_of_a_mouth_is_no_teeth():
    face = open_face()
    seen = see_mouth(drawn(face), face)
    assert seen.teeth < 0.1
    assert seen.crown_mm < 0.5
    assert np.abs(seen.dark - DARK).max() < 10


def test_a_tongue_is_no_teeth():
    face = open_face()
    assert see_mouth(drawn(face, inside=(170, 85, 88)), face).teeth < 0.3


@pytest.mark.parametrize("off_mm", [-1.2, 1.2])
def test_landmarks_beside_the_lips_edges_are_moved_onto_them(off_mm):
    face = open_face()
    frame = drawn(face, teeth_mm=4)
    edges = list(MOUTH.lower[2:-2])
    off = face.landmarks.copy()
    off[edges, 1] += off_mm * face.pose.scale
    found = on_visible_edges(replace(face, landmarks=off), see_mouth(frame, replace(face, landmarks=off)))
    error_mm = np.abs(found.landmarks[edges, 1] - face.landmarks[edges, 1]) / face.pose.scale
    assert error_mm.max() < 0.6


def test_the_moist_rim_of_a_lip_below_the_teeth_is_lip_and_the_dark_is_not():
    face = open_face(above_mm=3, below_mm=4)
    rim, dark = (see_mouth(drawn(face, teeth_mm=5, inside=inside), face) for inside in (LIPS, DARK))
    middle = np.s_[len(rim.columns) // 4 : -(len(rim.columns) // 4)]
    assert np.median((rim.bottom - rim.seam)[middle]) < 0.3 * np.median((dark.bottom - dark.seam)[middle])
    assert np.median((dark.bottom - dark.seam)[middle]) / PX_PER_MM == pytest.approx(2, abs=0.7)


def test_a_lip_that_touches_teeth_begins_below_all_their_tips():
    """A lip has too few landmarks to follow the notches, and would take tips of teeth along."""
    face = open_face(above_mm=3, below_mm=4)
    seen = see_mouth(drawn(face, teeth_mm=5, inside=LIPS, notch_mm=1.5), face)
    edge = on_visible_edges(face, seen).landmarks[list(MOUTH.lower[3:-3]), :2]
    tips = np.interp(edge[:, 0], *face.landmarks[list(MOUTH.upper), :2].T) + 5 * face.pose.scale
    below_mm = (edge[:, 1] - tips) / face.pose.scale
    assert below_mm.min() > 0 and below_mm.max() < 1.2


def test_only_the_inner_edges_of_the_lips_and_their_corners_are_moved():
    face = open_face()
    found = on_visible_edges(face, see_mouth(textured_frame(), face))
    moved = np.flatnonzero((found.landmarks != face.landmarks).any(axis=1))
    assert set(moved) <= {*MOUTH.upper, *MOUTH.lower, 61, 291}


def test_a_mouth_at_the_border_of_the_picture_is_looked_at_all_the_same():
    face = open_face(3.0)
    frame = drawn(face, teeth_mm=4)
    bottom = int(face.landmarks[14, 1])
    assert see_mouth(replace(frame, image=frame.image[:bottom].copy()), face) is not None
