"""What the basis learns from scanned faces."""

from __future__ import annotations

import json

import numpy as np
import pytest
from click.testing import CliRunner

from calib.__main__ import main
from calib.au import OPENFACE_CODES, OPENFACE_COUNT, au_index
from calib.basis import load_basis
from calib.basis_fit import MOTION_SOURCES
from calib.gains import FULL_AT
from calib.openings import MOUTH, OUTER_LIPS
from calib.other_units import OTHER_MOTIONS
from calib.scans import SCAN_MOTIONS, Scans, fit_to_scans, motions_on_landmarks
from calib.shape import IRIS_START, load_shape
from reenact.media.write.au_csv import LANDMARKS_68
from tests.support.faces import change

SHAPE, BASIS = load_shape(), load_basis()
UNIT = np.array([0.1, -0.1, -0.1])
"""From canonical millimetres to a scan's centimetres, y up and z to the front."""


def hill(landmark: int, motion_mm: tuple[float, float, float], width_mm: float = 14) -> np.ndarray:
    """(478, 3) a smooth motion around a landmark."""
    away = np.linalg.norm(SHAPE.canonical - SHAPE.canonical[landmark], axis=1)
    return np.exp(-np.square(away / width_mm))[:, None] * np.array(motion_mm)


def scanned(**expressions: np.ndarray) -> Scans:
    """A scan whose vertices are the landmarks, off by a shift; motions (478, 3) canonical mm."""
    neutral = np.add(SHAPE.canonical, [3, -20, 50]) * UNIT
    found = {name: motion * UNIT for name, motion in expressions.items()}
    return Scans(neutral, found, [(landmark, landmark) for landmark in LANDMARKS_68])


def all_motions() -> dict[str, np.ndarray]:
    lessons = *SCAN_MOTIONS.values(), *OTHER_MOTIONS.values()
    names = {"jawLeft", "jawRight", "eyeLookUp", "eyeLookDown"}
    names |= {name for lesson in lessons for name in lesson.scans}
    return {name: np.zeros((478, 3)) for name in names}


def test_a_scanned_motion_arrives_where_it_was_made() -> None:
    motion = hill(152, (0, -5, 0))
    found = motions_on_landmarks(scanned(mouthShrugLower=motion), SHAPE)["mouthShrugLower"]
    assert found[152, 1] == pytest.approx(-5, abs=0.8)
    assert np.abs(found[10]).max() < 0.1


def test_both_sides_are_put_together_and_alike() -> None:
    left, right = hill(50, (0, -4, 0)), hill(280, (0, -2, 0))
    motions = motions_on_landmarks(scanned(cheekRaiser_L=left, cheekRaiser_R=right), SHAPE)
    assert list(motions) == ["cheekRaiser"]
    found = motions["cheekRaiser"]
    assert found[50, 1] == pytest.approx(found[280, 1], abs=1e-6)
    assert found[50, 1] == pytest.approx(-3, abs=0.6)


def test_full_intensity_shows_the_lesson_once() -> None:
    motions = all_motions() | {"eyeWide": hill(159, (0, -2, 0), 5) + hill(386, (0, -2, 0), 5)}
    fitted = fit_to_scans(BASIS, motions, SHAPE)
    shown = fitted.displace(change(AU05=FULL_AT))
    assert shown[159, 1] == pytest.approx(-2 * SCAN_MOTIONS["AU05"].scans["eyeWide"], rel=0.05)
    more = fitted.displace(change(AU05=5))
    assert -MOTION_SOURCES["AU05"].largest_mm <= more[159, 1] < shown[159, 1]


def test_what_is_in_no_lesson_stays_as_it_is_and_irises_never_move() -> None:
    motions = {name: np.full((478, 3), -2.0) for name in all_motions()}
    fitted = fit_to_scans(BASIS, motions, SHAPE)
    for code in set(OPENFACE_CODES) - set(SCAN_MOTIONS):
        index = au_index(code)
        np.testing.assert_allclose(fitted.displacements[index], BASIS.displacements[index], atol=0.01)
        assert fitted.furthest[index] == BASIS.furthest[index]
    assert not fitted.displacements[:OPENFACE_COUNT, IRIS_START:].any()


def test_shut_lips_stay_shut_and_a_cheek_raiser_leaves_them_alone() -> None:
    motions = all_motions() | {
        "cheekRaiser": np.full((478, 3), [0, -3.0, 0]),
        "mouthShrugLower": hill(17, (0, -6, 0)),
    }
    fitted = fit_to_scans(BASIS, motions, SHAPE)
    raised, shrugged = (fitted.displace(change(**{code: 3})) for code in ("AU06", "AU17"))
    assert np.abs(raised[list(OUTER_LIPS)]).max() < 0.15 < np.abs(raised[50]).max()
    np.testing.assert_allclose(shrugged[list(MOUTH.upper)], shrugged[list(MOUTH.lower)], atol=1e-3)


def test_the_command_writes_a_basis(tmp_path) -> None:
    folder = tmp_path / "kit"
    folder.mkdir()
    names = sorted(all_motions())
    neutral = np.zeros((11300, 3), np.float32)
    neutral[:478] = SHAPE.canonical * UNIT
    expressions = np.zeros((len(names), 11300, 3), np.float16)
    np.savez(folder / "ict_shapes.npz", neutral=neutral, expressions=expressions, names=names)
    (folder / "vertex_indices.json").write_text(json.dumps({"idx_to_landmark_verts": list(LANDMARKS_68)}))
    done = CliRunner().invoke(main, ["scans", str(folder), "--out", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    assert (tmp_path / "out" / "basis.npz").is_file()


def test_a_folder_without_the_kit_is_named(tmp_path) -> None:
    done = CliRunner().invoke(main, ["scans", str(tmp_path), "--out", str(tmp_path / "out")])
    assert done.exit_code != 0
    assert f"no vertex_indices.json in {tmp_path}" in done.output
