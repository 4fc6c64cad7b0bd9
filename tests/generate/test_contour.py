"""The contour that lips take when a smile leaves them."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from calib.basis import load_basis
from calib.bounds import measure_mouth
from calib.lip_contour import EDGES, contour_of, lopsided, natural_contour
from calib.lip_contour_fit import fit_contour
from calib.openings import OUTER_LIPS
from calib.shape import load_shape
from reenact.generate.geometry.contour import SPREAD_MM, natural_lips
from tests.support.faces import change, posed_face, rotation

BASIS, SHAPE = load_basis(), load_shape()


def smiling(strength: float = 2.5, lopsided_by_mm: float = 0.0, yaw: float = 0.0):
    """A face that smiles broadly, its right corner higher than its left one."""
    face = posed_face(scale=2.0, centre=(320.0, 320.0), turn=rotation(yaw=yaw))
    smile_mm = BASIS.move(change(AU12=strength, AU06=1, AU25=1.5))
    smile_mm[EDGES[:, -3:], 1] -= lopsided_by_mm
    return replace(face, landmarks=face.landmarks + face.pose.vectors_to_frame(smile_mm))


def taken_away(face, **aus: float):
    """(478, 3) the motion in millimetres, and the face's shape after it and what is added to it."""
    motion = BASIS.move(change(**aus))
    added = natural_lips(face, motion)
    return motion, face.pose.to_canonical(face.landmarks) + motion + added, added


def test_a_narrowed_smile_takes_the_natural_contour():
    face = smiling()
    motion, moved, _ = taken_away(face, AU12=-4, AU26=2)
    before = face.pose.to_canonical(face.landmarks) + motion

    def away(shape_mm):
        return np.linalg.norm(contour_of(shape_mm) - natural_contour(shape_mm), axis=2).max()

    assert away(before) > 1.5
    assert away(moved) < 0.3 * away(before)
    assert measure_mouth(moved).opening == pytest.approx(measure_mouth(before).opening, abs=1)


@pytest.mark.parametrize("aus", [{"AU12": 1.0}, {"AU20": 1.0}, {"AU01": 2.0}])
def test_a_mouth_that_does_not_become_narrow_keeps_its_contour(aus):
    assert not natural_lips(smiling(), BASIS.move(change(**aus))).any()


def test_a_calm_mouth_keeps_its_contour():
    face = posed_face(scale=2.0, centre=(320.0, 320.0))
    assert np.abs(natural_lips(face, BASIS.move(change(AU23=3)))).max() < 0.2


def test_a_mouth_that_opens_wide_takes_the_natural_contour_and_is_as_lopsided_as_it_was():
    face = posed_face(scale=2.0, centre=(320.0, 320.0))
    face.landmarks[EDGES[:, -3:], 1] -= 4
    motion = BASIS.move(change(AU25=2, AU26=4))
    before = face.pose.to_canonical(face.landmarks) + motion
    moved = before + natural_lips(face, motion)
    errors = [np.abs(contour_of(each) - natural_contour(each)).max() for each in (before, moved)]
    assert errors[1] < 0.3 * errors[0]
    np.testing.assert_allclose(lopsided(moved), lopsided(before), atol=0.01)


def test_it_comes_without_a_jump():
    face = smiling()
    added = [natural_lips(face, BASIS.move(change(AU12=-asked))) for asked in np.linspace(0, 5, 51)]
    assert max(np.abs(b - a).max() for a, b in pairwise(added)) < 0.8


def test_what_is_lopsided_of_a_smile_goes_and_what_is_asked_of_one_side_stays():
    both_sides, one_side = change(AU12=-4), change(AU12=-4)
    one_side[1] = 0
    face = smiling(lopsided_by_mm=4)
    own = np.abs(lopsided(face.pose.to_canonical(face.landmarks))).max()
    left = np.abs(
        lopsided(face.pose.to_canonical(face.landmarks) + natural_lips(face, BASIS.move(both_sides)))
    )
    assert left.max() < 0.6 * own
    even = smiling()
    motion = BASIS.move(one_side)
    asked = lopsided(even.pose.to_canonical(even.landmarks) + motion)
    kept = lopsided(even.pose.to_canonical(even.landmarks) + motion + natural_lips(even, motion))
    assert np.abs(asked).max() > 2
    np.testing.assert_allclose(kept, asked, atol=0.5)


def test_a_turned_head_keeps_what_is_lopsided():
    motion = BASIS.move(change(AU12=-4))
    turned = smiling(lopsided_by_mm=4, yaw=0.45)
    np.testing.assert_allclose(
        lopsided(turned.pose.to_canonical(turned.landmarks) + natural_lips(turned, motion)),
        lopsided(turned.pose.to_canonical(turned.landmarks)),
        atol=0.1,
    )


def test_skin_away_from_the_lips_stays():
    _, _, added = taken_away(smiling(), AU12=-4, AU26=2)
    canonical = SHAPE.canonical[:, :2]
    apart = np.linalg.norm(canonical[:, None] - canonical[list(OUTER_LIPS)], axis=2).min(axis=1)
    assert added[list(OUTER_LIPS)].any()
    assert not added[apart > SPREAD_MM].any()
    assert not added[:, 2].any()


def test_the_fit_finds_how_lips_follow_the_mouth():
    random = np.random.default_rng(1)
    smile, jaw, press = (BASIS.move(change(**{name: 1.0})) for name in ("AU12", "AU26", "AU15"))
    amounts = random.uniform(0, 2.5, (240, 3))
    faces = np.array([SHAPE.canonical + a * smile + b * jaw + c * press for a, b, c in amounts], np.float32)
    weights, report = fit_contour(faces, np.arange(len(faces)).astype(str))
    assert weights.shape == (28, EDGES.size * 2)
    assert float(report.rsplit(":", 1)[1].removesuffix("mm")) < 0.5
