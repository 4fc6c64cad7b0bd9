"""Where eyes look."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from calib.__main__ import main
from calib.gaze import (
    EYE_PX,
    EYES,
    MOST_DEG,
    angles_deg,
    direction_of,
    eye_features,
    gaze_error,
    load_gaze_estimator,
    read_gaze_estimator,
)
from calib.gaze_fit import GazeExamples, GazeFitOptions, fit_gaze
from calib.shape import load_shape
from reenact.measure.measurer import eye_pictures
from reenact.media.image_file import load_still
from reenact.records import Frame
from reenact.track import Tracker, TrackerOptions

PORTRAIT = Path(__file__).resolve().parents[2] / "reenact" / "data" / "portrait.jpg"
CANONICAL = load_shape().canonical


@pytest.mark.parametrize("left", [-20.0, 0.0, 12.0])
@pytest.mark.parametrize("up", [-15.0, 0.0, 9.0])
def test_angles_and_directions_are_inverse(left: float, up: float) -> None:
    assert angles_deg(direction_of(left, up)) == pytest.approx((left, up))


def test_left_is_the_persons_own_which_is_on_the_right_of_the_picture() -> None:
    x, y, z = direction_of(10, 0)
    assert x > 0 and y == pytest.approx(0) and z < 0
    assert direction_of(0, 10)[1] < 0, "y points downwards"


def test_each_eye_turns_about_a_point_behind_its_lids() -> None:
    left, right = (eye.centre_mm(CANONICAL) for eye in EYES)
    assert left[0] > 25 and right[0] < -25
    assert left * [-1, 1, 1] == pytest.approx(right, abs=0.2)
    lids = CANONICAL[list(EYES[0].opening.outline)]
    assert lids[:, 0].min() < left[0] < lids[:, 0].max() and left[2] > lids[:, 2].mean()


def portrait(mirrored: bool) -> np.ndarray:
    image = load_still(PORTRAIT).image
    return np.ascontiguousarray(image[:, ::-1]) if mirrored else image


def read(image: np.ndarray) -> np.ndarray:
    with Tracker(TrackerOptions(stills=True, smoothing=False)) as track:
        tracked = track(Frame(image))
    (face,) = tracked.faces
    landmarks_mm = face.pose.to_canonical(face.landmarks)
    pictures = eye_pictures(tracked.frame, face.pose, landmarks_mm)
    assert all(picture.shape == (EYE_PX, EYE_PX, 3) for picture in pictures)
    return load_gaze_estimator()(pictures, face.pose.to_canonical(face.landmarks))


def test_a_mirrored_face_looks_to_the_other_side() -> None:
    plain, mirrored = read(portrait(False)).mean(axis=0), read(portrait(True)).mean(axis=0)
    assert plain[0] == pytest.approx(-mirrored[0], abs=4)
    assert plain[1] == pytest.approx(mirrored[1], abs=4)
    assert plain[0] < -4, "she looks past the camera, to her right"


def test_no_reading_is_further_than_eyes_turn() -> None:
    wild = replace(load_gaze_estimator(), bias=np.full(2, 1e4, np.float32))
    picture = cv2.resize(portrait(False), (EYE_PX, EYE_PX))
    assert np.abs(wild((picture, picture), CANONICAL)).max() == MOST_DEG


def test_the_right_eye_is_read_in_its_mirror_image() -> None:
    picture = cv2.resize(portrait(False), (EYE_PX, EYE_PX))
    gradients = load_gaze_estimator().gradients
    symmetric = (CANONICAL + CANONICAL[load_shape().mirror] * [-1, 1, 1]) / 2
    left, right = eye_features((picture, np.ascontiguousarray(picture[:, ::-1])), symmetric, gradients)
    np.testing.assert_allclose(left, right, atol=1e-4)


def examples(people: int = 60, noise: float = 0.3) -> GazeExamples:
    """Eyes whose features tell the gaze, plus noise of each person and of each picture."""
    random = np.random.default_rng(0)
    features, gaze, turned, pictures = [], [], [], []
    for person in range(people):
        own = random.normal(0, noise, 12)
        for number in range(6):
            turn = np.zeros(2) if number == 0 else random.uniform(-15, 15, 2)
            for outwards in (1, -1):
                looks = turn * (outwards, 1)
                features.append(np.r_[looks / 10, np.zeros(10)] + own + random.normal(0, noise, 12))
                gaze.append(looks)
                turned.append(looks)
                pictures.append(person)
    arrays = (np.array(each, np.float32) for each in (features, gaze, turned))
    return GazeExamples(*arrays, np.array(pictures))


def test_a_fit_makes_up_for_what_a_regression_shrinks() -> None:
    given = examples()
    estimator, report = fit_gaze(given, given.pictures < 15, GazeFitOptions(units=16, epochs=120, rate=5e-3))
    assert estimator.hidden.shape == (16, 12)
    assert report.slope == pytest.approx((1, 1), abs=0.02)
    assert max(report.error_deg) < 4


def test_the_command_fits_portraits(tmp_path: Path) -> None:
    folder = tmp_path / "portraits/images"
    folder.mkdir(parents=True)
    image = cv2.imread(str(PORTRAIT))
    for number in range(20):
        part = cv2.resize(image, None, fx=1 - number / 100, fy=1 - number / 100)
        cv2.imwrite(str(folder / f"{number:02d}.png"), part)
    arguments = ("gaze", folder.parent, "--out", tmp_path / "out", "--turns", 2, "--processes", 1)
    done = CliRunner().invoke(main, list(map(str, arguments)))
    assert done.exit_code == 0, done.output
    assert "20 portraits, 4 of them held out" in done.output
    fitted = read_gaze_estimator(tmp_path / "out/gaze.npz")
    assert fitted.hidden.shape == load_gaze_estimator().hidden.shape


def test_too_few_portraits_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps({}))
    done = CliRunner().invoke(main, ["gaze", str(tmp_path), "--out", str(tmp_path / "out")])
    assert done.exit_code == 2 and "0 pictures are too few; give at least 20" in done.output


def test_the_error_is_what_is_read_of_somebody_who_looks_into_the_camera() -> None:
    random = np.random.default_rng(0)
    camera = random.normal(0, 4, (90, 2))
    read = camera + np.array([3, -2]) + random.normal(0, 0.7, (90, 2))
    lids_mm = np.full(90, 9.0)
    lids_mm[40:46] = 1
    read[40:46] -= 25
    assert gaze_error(read, camera, lids_mm) == pytest.approx((3, -2), abs=0.3)


def test_eyes_that_wander_tell_no_error() -> None:
    read = np.stack([np.linspace(-12, 12, 90), np.full(90, -8.0)], axis=1)
    assert gaze_error(read, np.zeros((90, 2)), np.full(90, 9.0)) is None
