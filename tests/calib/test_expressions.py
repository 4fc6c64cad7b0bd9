"""What the basis learns from whole expressions."""

from __future__ import annotations

import numpy as np
import pytest

from calib.au import AU_COUNT, AU_INDEX, au_index, openface
from calib.basis import load_basis
from calib.basis_fit import MOTION_SOURCES
from calib.bounds import measure_mouth
from calib.expressions import AT_REST, PosedShapes, fit_to_expressions
from calib.shape import IRIS_START, load_shape
from reenact.programme.targets import expression
from tests.support.faces import change

SHAPE, BASIS = load_shape(), load_basis()


def narrowing(mm: float) -> np.ndarray:
    """(478, 3) a motion that narrows the mouth's part of an average face."""
    canonical = SHAPE.canonical.astype(np.float64)
    mouth = np.exp(-np.square((canonical[:, 1] - 45) / 15)) * np.exp(-np.square(canonical[:, 0] / 40))
    motion = np.zeros((478, 3))
    motion[:, 0] = -np.clip(canonical[:, 0] / 10, -1, 1) * mm / 2 * mouth
    motion[IRIS_START:] = 0
    return motion


def angry_people(count: int = 5) -> PosedShapes:
    """Who frown, and narrow their mouths."""
    random = np.random.default_rng(0)
    frown = BASIS.displace(change(AU04=2)) + narrowing(6)
    faces, persons, names = [], [], []
    for person in range(count):
        own = SHAPE.canonical + random.normal(0, 2, SHAPE.canonical.shape)
        faces += [own, own + frown]
        persons += [str(person)] * 2
        names += [AT_REST, "angry"]
    return PosedShapes(np.array(faces, np.float32), np.array(persons), np.array(names))


def test_a_way_is_the_mean_change_of_those_who_show_both() -> None:
    people = angry_people()
    alone = PosedShapes(
        np.concatenate([people.landmarks_mm, people.landmarks_mm[:1] + 9]),
        np.append(people.persons, "nobody at rest"),
        np.append(people.expressions, "angry"),
    )
    motions = alone.motions(SHAPE)
    assert list(motions) == ["angry"]
    expected = BASIS.displace(change(AU04=2)) + narrowing(6)
    np.testing.assert_allclose(motions["angry"], expected, atol=0.05)


def test_what_an_expression_does_besides_is_fitted_to_an_action_unit_that_reaches_it() -> None:
    motions = angry_people().motions(SHAPE)
    fitted = fit_to_expressions(BASIS, motions, SHAPE)
    width = [
        measure_mouth(SHAPE.canonical + motion).width
        for motion in (motions["angry"], fitted.displacement("angry"))
    ]
    rest = measure_mouth(SHAPE.canonical).width
    assert width[1] < rest - 0.6 * (rest - width[0])
    brows = [au_index("AU04")]
    np.testing.assert_allclose(fitted.basis.displacements[brows, 61], 0, atol=0.05)


def test_action_units_that_are_in_no_expression_stay_as_they_are() -> None:
    fitted = fit_to_expressions(BASIS, angry_people().motions(SHAPE), SHAPE)
    for code in ("AU02", "AU45"):
        index = au_index(code)
        np.testing.assert_allclose(fitted.basis.displacements[index], BASIS.displacements[index], atol=0.15)


def test_the_expression_in_action_units_gives_the_amounts_back() -> None:
    fitted = fit_to_expressions(BASIS, angry_people().motions(SHAPE), SHAPE)
    asked = fitted.change("angry")
    amounts = fitted.basis.amounts(np.stack([asked, asked]))[0]
    np.testing.assert_allclose(openface(amounts), fitted.amounts["angry"], atol=0.3)
    assert f"AU04=+{asked[au_index('AU04')]:.1f}" in fitted.spec("angry")


def test_nothing_moves_further_than_its_recipe_allows() -> None:
    basis = fit_to_expressions(BASIS, angry_people().motions(SHAPE), SHAPE).basis
    for code, recipe in MOTION_SOURCES.items():
        assert basis.largest_mm[au_index(code)] * basis.furthest[au_index(code)] <= recipe.largest_mm * 1.01


def test_lips_that_a_smile_parts_are_its_and_what_is_said_is_not() -> None:
    shows = np.zeros(AU_COUNT, np.float32)
    shows[AU_INDEX[12]], shows[AU_INDEX[25]], shows[AU_INDEX[26]], shows[AU_INDEX[45]] = 2, 3, 2, 4
    found = expression(shows)
    assert found[AU_INDEX[12]] == 2 and found[AU_INDEX[25]] == 2
    assert found[AU_INDEX[26]] == 0 and found[AU_INDEX[45]] == 0
    assert shows[AU_INDEX[45]] == 4


@pytest.mark.parametrize("sides", [1, 2])
def test_an_expression_has_the_shape_of_what_is_measured(sides: int) -> None:
    shows = np.full((sides, AU_COUNT), 1.5, np.float32)
    assert expression(shows).shape == shows.shape and expression(shows).dtype == np.float32
