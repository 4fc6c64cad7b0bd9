import numpy as np
import pytest

from calib.au import ACTION_UNITS, GAZE, OPENFACE_CODES, au_index, openface
from calib.basis import load_basis
from calib.basis_fit import MOTION_SOURCES, LabelledShapes, bounded, explained_variance, fit_basis
from calib.gains import FULL_AT, correct, measure_response
from calib.openings import MOUTH
from calib.shape import IRIS_START, load_shape
from tests.support.faces import change

SHAPE = load_shape()
CORNERS = [61, 291]


def people_who_smile(pictures_each=3, people=60, seed=0):
    """Faces of random people; AU12 raises the corners of the mouth by 2 mm a unit, AU01 does nothing."""
    random = np.random.default_rng(seed)
    persons = np.repeat(np.arange(people), pictures_each).astype(str)
    own = random.normal(0, 3, (people, 478, 3)).repeat(pictures_each, axis=0)
    aus = np.zeros((len(persons), 17), np.float32)
    aus[:, au_index("AU12")] = random.uniform(0, 4, len(persons))
    aus[:, au_index("AU01")] = random.uniform(0, 4, len(persons))
    smile = np.zeros((478, 3))
    smile[CORNERS, 1] = -2
    landmarks = SHAPE.canonical + own + aus[:, [au_index("AU12")]][..., None] * smile
    landmarks += random.normal(0, 0.05, landmarks.shape)
    return LabelledShapes(landmarks.astype(np.float32), aus, persons, np.full(len(persons), "made"))


@pytest.fixture(scope="module")
def fitted():
    return fit_basis(people_who_smile(), SHAPE)


def test_the_fit_finds_the_motion_that_goes_with_a_label(fitted):
    smile = fitted.displacements[au_index("AU12")]
    largest = np.argsort(-np.linalg.norm(smile, axis=1))[:2]
    assert sorted(largest) == CORNERS
    assert smile[61, 1] < -1


def test_the_fit_moves_nothing_for_a_label_that_moves_nothing(fitted):
    smile, brow = (np.abs(fitted.displacements[au_index(code)]).max() for code in ("AU12", "AU01"))
    assert brow < 0.1 * smile


def test_labels_explain_the_variance_that_was_put_in():
    share = explained_variance(people_who_smile(), SHAPE)["labels"]
    assert 0.5 < share < 1


@pytest.fixture(params=["shipped", "fitted"])
def basis(request, fitted):
    return load_basis() if request.param == "shipped" else fitted


def test_the_basis_is_symmetric(basis):
    alike = np.array([unit.number not in (30, 61) for unit in ACTION_UNITS])
    mirrored = basis.displacements[:, SHAPE.mirror] * [-1, 1, 1]
    np.testing.assert_allclose(mirrored[alike], basis.displacements[alike], atol=0.02)
    np.testing.assert_allclose(mirrored[~alike], -basis.displacements[~alike], atol=0.02)


def test_nothing_but_gaze_moves_the_irises(basis):
    irises = basis.displacements[:, IRIS_START:]
    assert not np.delete(irises, GAZE, axis=0).any()
    assert (irises[au_index("AU61"), :, 0] > 1).all() and (irises[au_index("AU63"), :, 1] < -1).all()


def test_brow_action_units_leave_the_mouth_alone_and_the_mouths_leave_the_brows():
    shipped = np.linalg.norm(load_basis().displacements, axis=2)
    mouth, brows = list(MOUTH.outline), [105, 334, 66, 296]
    for code in ("AU01", "AU02", "AU04", "AU05", "AU07", "AU45"):
        assert shipped[au_index(code), mouth].max() < 0.05
    for code in ("AU12", "AU15", "AU17", "AU20", "AU25", "AU26"):
        assert shipped[au_index(code), brows].max() < 0.05


def test_nothing_moves_further_than_a_face_can():
    basis = load_basis()
    for code in OPENFACE_CODES:
        moved = [np.linalg.norm(basis.displace(change(**{code: asked})), axis=1).max() for asked in (1, 3, 5)]
        assert 0 < moved[0] < moved[1] < moved[2] <= MOTION_SOURCES[code].largest_mm * 1.01, code


def test_small_changes_are_linear():
    basis = load_basis()
    once, twice = (basis.displace(change(AU12=asked)) for asked in (0.05, 0.1))
    np.testing.assert_allclose(twice, 2 * once, atol=2e-3)


@pytest.mark.parametrize(
    ("code", "landmark", "axis", "sign"),
    [("AU01", 107, 1, -1), ("AU02", 70, 1, -1), ("AU04", 107, 1, 1), ("AU12", 61, 1, -1), ("AU12", 61, 0, -1),
     ("AU15", 61, 1, 1), ("AU17", 17, 1, -1), ("AU20", 61, 0, -1), ("AU25", 14, 1, 1), ("AU26", 152, 1, 1),
     ("AU45", 159, 1, 1), ("AU05", 159, 1, -1), ("AU10", 0, 1, -1), ("AU06", 50, 1, -1)],
)  # fmt: skip
def test_action_units_move_as_facs_says(code, landmark, axis, sign):
    assert sign * load_basis().displacements[au_index(code), landmark, axis] > 0.15


def test_displacements_add_up():
    basis = load_basis()
    both, smile, brow = (
        basis.displace(change(**aus)) for aus in ({"AU12": 2, "AU01": -1}, {"AU12": 2}, {"AU01": 1})
    )
    np.testing.assert_allclose(both, smile - brow, atol=1e-5)


def test_gains_bring_one_unit_asked_to_one_unit_read():
    small = bounded(load_basis().displacements[:17] / 4)
    # A reader that sees the smile at twice its size, nothing of the brow raise, and the rest as it is.
    seen = np.ones(17)
    seen[au_index("AU12")], seen[au_index("AU01")] = 2.0, 0.0
    response = measure_response(
        [np.zeros(17)], lambda aus, asked: aus + openface(asked) * seen, lambda aus: aus, 2.0
    )
    np.testing.assert_allclose(np.diag(response.per_unit), seen)
    corrected = correct(small, response)
    gain = openface(corrected.largest_mm / small.largest_mm)
    assert gain[au_index("AU12")] == pytest.approx(0.5)
    assert gain[au_index("AU26")] == pytest.approx(1.0)
    brow_mm = FULL_AT * corrected.largest_mm[au_index("AU01")]
    assert brow_mm == pytest.approx(MOTION_SOURCES["AU01"].largest_mm, rel=1e-3)


def test_the_table_of_answers_names_what_was_asked():
    response = measure_response([np.zeros(17)], lambda aus, asked: aus + openface(asked), lambda aus: aus)
    lines = response.to_markdown().splitlines()
    assert len(lines) == 19
    assert lines[2].startswith("| AU01 | **1.00** | 0.00 |")


def test_pictures_that_cannot_be_read_are_left_out_of_the_response():
    pictures = [np.zeros(17), None]
    response = measure_response(pictures, lambda aus, asked: aus + openface(asked), lambda aus: aus)
    assert response.pictures == 1
    with pytest.raises(ValueError, match="no face could be read"):
        measure_response([None], lambda aus, asked: aus, lambda aus: aus)
