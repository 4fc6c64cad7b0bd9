"""The whole generator on the demo portrait, against pictures that were looked at and liked."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.golden import EXPRESSIONS, REGIONS, golden, made, masks, unlike

TOLERANCE = 5.0
"""CIELAB units at a region's worst place. Other processors and JPEG account for about 2."""


@pytest.mark.parametrize("name", EXPRESSIONS)
@pytest.mark.parametrize("region", REGIONS)
def test_an_expression_looks_as_it_did_when_it_was_liked(name, region):
    assert unlike(made()[name], golden(name))[region] < TOLERANCE


@pytest.mark.parametrize(
    ("painter", "name", "region"),
    [
        ("mouth", "laugh", "mouth"),
        ("mouth", "surprise", "mouth"),
        ("lips", "sad", "mouth"),
        ("lids", "blink", "eyes"),
        ("creases", "sad", "forehead"),
        ("creases", "disgust", "cheeks"),
    ],
)
def test_a_painter_that_is_missing_is_seen(painter, name, region):
    """Otherwise the test above could not fail."""
    apart = unlike(made(frozenset({painter}))[name], golden(name))
    assert apart[region] > TOLERANCE


def test_regions_cover_the_face_and_what_is_around_it():
    assert np.sum(list(masks().values()), axis=0).min() > 0.5
