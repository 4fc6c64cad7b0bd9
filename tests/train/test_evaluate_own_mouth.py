"""A film's mouth, shut by an edit and opened again."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from tests.support.mouths import drawn, open_face
from train.evaluate.own_mouth import Reopened, _reopened, _Seen, own_mouth_table, own_mouth_tables

FACE = open_face(scale=2.4, above_mm=5, below_mm=3)


def film(teeth_mm):
    """Eight frames, a second apart, of one open mouth; its picture has its own grain in each."""
    frames = []
    for second in range(8):
        frame = drawn(FACE, teeth_mm=teeth_mm)
        grain = np.random.default_rng(second).normal(0, 2, frame.image.shape)
        image = np.clip(frame.image + grain, 0, 255).astype(np.uint8)
        frames.append(_Seen(replace(frame, image=image, pts=Fraction(second), index=second), FACE))
    return frames


def test_own_teeth_come_nearer_to_the_film_than_those_of_the_bank():
    row = _reopened("film", film(teeth_mm=6))
    assert row.frames == 8
    assert 0 < row.own < row.painter


def test_a_film_without_teeth_has_no_row():
    assert _reopened("film", film(teeth_mm=0)) is None
    assert own_mouth_tables([]) == []


def test_the_table_tells_the_share():
    (row,) = own_mouth_table([Reopened("talk", 12, 50.0, 20.0)]).rows
    assert row[:4] == ("talk", 12, 50.0, 20.0)
    assert row[4] == pytest.approx(0.4)
