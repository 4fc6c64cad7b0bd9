"""Films that flicker and changes that pop are told from those that do not."""

from __future__ import annotations

import numpy as np
import pytest

from reenact.records import Frame
from tests.support.evaluation import copy, subject
from tests.support.faces import posed_face, shows, textured_frame
from train.evaluate.films import Film, Shot, shifted
from train.evaluate.flicker import (
    evenness,
    flicker_tables,
    measure_flicker,
    measure_onset,
    ramp_levels,
)

SMILE = shows(AU12=2)


def film(frames=10):
    """A face that drifts sideways by a pixel a frame."""
    wide = textured_frame(320, 340).image
    face = posed_face(scale=1.35, centre=(170.0, 150.0))
    return Film(
        "drift",
        tuple(
            Shot(Frame(wide[:, index : index + 320].copy()), shifted(face, (-index, 0)), SMILE * 0, SMILE)
            for index in range(frames)
        ),
    )


class Blinker:
    """Adds light to every other picture that it makes with a change."""

    def __init__(self):
        self.count = 0

    def __call__(self, frame, face, change, measured):
        self.count += 1
        return np.clip(frame.image.astype(int) + 20 * (self.count % 2) * bool(change.any()), 0, 255).astype(
            np.uint8
        )


def test_copy_has_no_excess():
    (steady,) = measure_flicker(copy, [film()])
    assert steady.constant == steady.ramp == steady.input_error > 0
    assert steady.worst_ramp == 0


def test_flicker_is_excess():
    (steady,) = measure_flicker(Blinker(), [film()])
    assert steady.constant > steady.input_error + 10
    assert steady.worst_ramp > 10


def test_the_ramp_comes_and_goes():
    levels = ramp_levels(48)
    assert levels[0] == levels[-1] == 0
    assert levels[22:28].min() == 1
    assert np.abs(np.diff(levels)).max() < 0.15


def test_even_steps_are_even_and_a_pop_stands_out():
    assert evenness(np.ones(10)).largest == pytest.approx(1)
    popped = evenness(np.array([1, 1, 1, 8, 1, 1.0]))
    assert popped.largest == pytest.approx(8) and popped.first == 1
    assert evenness(np.array([5, 1, 1, 1, 1.0])).first == 5


def test_a_motion_that_ends_early_is_no_pop():
    assert evenness(np.array([2.0, 2.2, 2.1, 1.0, 0.01, 0.05, 0, 0])).largest < 1.4


def test_a_method_that_switches_pops_and_one_that_fades_does_not():
    def switches(frame, face, change, measured):
        return frame.image // 2 if np.abs(change).max() > 1 else frame.image

    def fades(frame, face, change, measured):
        return np.rint(frame.image * (1 - 0.05 * np.abs(change).max())).astype(np.uint8)

    assert max(onset.largest for onset in measure_onset(switches, [subject()])) > 5
    assert max(onset.largest for onset in measure_onset(fades, [subject()])) < 1.5
    assert measure_onset(copy, [subject()]) == ()


def test_the_table_tells_how_much_more_than_the_warp():
    results = {"copy": measure_flicker(copy, [film()]), "warp": measure_flicker(Blinker(), [film()])}
    table = flicker_tables(results, {"copy": (), "warp": ()})[0]
    over = {row[0]: row[-1] for row in table.rows if row[1] == "all"}
    assert over["warp"] == 0 and over["copy"] < -50


def test_a_shifted_face_has_its_pose_shifted():
    face = posed_face()
    there = shifted(face, (5, -3))
    np.testing.assert_allclose(
        there.pose.to_canonical(there.landmarks), face.pose.to_canonical(face.landmarks), atol=1e-4
    )
