"""The identity proxy: fitted to people, judged on others."""

from __future__ import annotations

import numpy as np
import pytest

from reenact.recognise.resemblance import unit
from reenact.recognise.upper_face import UpperFace
from tests.support.evaluation import FRAME, copy, subject
from tests.support.faces import posed_face
from train.evaluate.identity_proxy import (
    IdentityProxy,
    compared,
    discriminant,
    equal_error,
    identity_table,
    measure_identity,
    of_people_with_several,
)
from train.evaluate.picture_features import Detail, Hog
from train.evaluate.statistics import area_under_curve


def crowd(people, each, seed):
    """Pictures as 60 numbers: 5 tell people apart, 20 strong ones vary within a person."""
    rng = np.random.default_rng(seed)
    person = np.repeat(np.arange(people), each)
    features = 0.05 * rng.standard_normal((len(person), 60))
    features[:, :5] += rng.standard_normal((people, 5))[person]
    features[:, 5:25] += 3 * rng.standard_normal((len(person), 20))
    return features.astype(np.float32), np.array([f"p{index}" for index in person])


def test_what_varies_within_people_is_ignored():
    features, persons = crowd(80, 4, seed=0)
    projection = discriminant(features - features.mean(axis=0), persons, directions=40, kept=5)
    others, names = crowd(30, 3, seed=1)
    same_set = np.full(len(names), "set")
    plain = area_under_curve(*compared(unit(others), names, same_set))
    told = area_under_curve(*compared(unit(others @ projection.T), names, same_set))
    assert plain < 0.65 < 0.9 < told


def test_people_of_other_collections_are_not_compared():
    known = unit(np.eye(4, dtype=np.float32))
    persons, collections = np.array(["a", "a", "b", "c"]), np.array(["x", "x", "x", "y"])
    same, different = compared(known, persons, collections)
    assert (len(same), len(different)) == (1, 2)


def test_only_people_with_several_pictures_and_not_too_many_of_each():
    persons = np.array(["a"] * 5 + ["b"] + ["c"] * 2)
    rows = of_people_with_several(persons, 100, 3, np.random.default_rng(0))
    chosen = persons[rows].tolist()
    assert (chosen.count("a"), chosen.count("b"), chosen.count("c")) == (3, 0, 2)


def test_the_threshold_makes_both_errors_equal():
    same, different = np.linspace(0.4, 1.4, 101), np.linspace(-0.4, 0.6, 101)
    threshold = equal_error(same, different)
    assert (same < threshold).mean() == pytest.approx((different >= threshold).mean(), abs=0.02)


@pytest.mark.parametrize("describe", [Hog(), UpperFace(), Detail()])
def test_descriptors_follow_the_face_and_see_changes(describe):
    face = subject().face
    wide = np.pad(FRAME.image, ((0, 0), (40, 0), (0, 0)), "edge")
    there = posed_face(scale=1.35, centre=(200.0, 150.0))
    here = describe(FRAME.image, face)
    np.testing.assert_allclose(describe(wide, there), here, atol=1e-3)
    assert np.abs(describe(FRAME.image[::-1].copy(), face) - here).max() > 0.05


def test_copies_are_alike_entirely():
    describe = UpperFace()
    length = len(describe(FRAME.image, subject().face))
    projection = np.random.default_rng(0).standard_normal((8, length)).astype(np.float32)
    proxy = IdentityProxy(projection, np.zeros(length, np.float32), 0.9, 0.3, 0.5, 0.0)
    kept = measure_identity(copy, [subject()], proxy)
    np.testing.assert_allclose(kept.likenesses, 1, atol=1e-5)
    table = identity_table({"copy": kept}, proxy)
    assert "AUC for same against different people is 0.900" in table.note
    assert table.rows[0][1:] == (8, pytest.approx(1), pytest.approx(1), 1)
