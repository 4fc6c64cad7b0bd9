"""The whole of `python -m train evaluate`, on a few versions of one portrait."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

import reenact
from calib.au import OPENFACE_COUNT
from reenact.records import Frame
from reenact.run.demo import make_clip
from reenact.track import Tracker, TrackerOptions
from train.commands.evaluate import evaluate
from train.data.shards import CROP, FaceSample, FolderMeta, PreparedFace, open_shards, write_meta, write_shard
from train.evaluate.films import load_film, still_subjects
from train.evaluate.picture_reader import PictureReader

PORTRAIT = Path(reenact.__file__).with_name("data") / "portrait.jpg"


def portrait() -> tuple[np.ndarray, np.ndarray]:
    """(320, 320, 3) and its landmarks, as a shard has them."""
    frame = Frame(np.ascontiguousarray(cv2.imread(str(PORTRAIT))[:, :, ::-1]))
    with Tracker(TrackerOptions(stills=True, smoothing=False)) as track:
        face = track(frame).faces[0]
    alignment = CROP.align(face)
    return alignment.crop(frame.image), alignment.points(face.landmarks)


@pytest.fixture(scope="module")
def shards(tmp_path_factory) -> Path:
    """Thirty people with two pictures each, alike but for the light and what they are said to show."""
    folder = tmp_path_factory.mktemp("shards")
    image, landmarks = portrait()
    rng = np.random.default_rng(0)
    faces = []
    for number in range(60):
        lit = np.clip(image * rng.uniform(0.6, 1.1, 3) + rng.normal(0, 6, image.shape), 0, 255).astype(
            np.uint8
        )
        aus = rng.uniform(0, 3, OPENFACE_COUNT).astype(np.float32) * (rng.random(OPENFACE_COUNT) < 0.5)
        sample = FaceSample(lit, landmarks, aus, f"person {number // 2}", "set", f"{number}.png")
        faces.append(PreparedFace(sample, True, 0.0, 1.0, 0.2, False, str(number)))
    write_meta(folder, FolderMeta(seed=1, share=0.4))
    write_shard(folder, "set-00000", faces, "fingerprint")
    return folder


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    make_clip(path, (240, 320), 0.6, 1)
    return path


def run(*arguments: object):
    return CliRunner().invoke(evaluate, [str(each) for each in arguments])


@pytest.mark.slow
def test_one_command_makes_all_tables_and_sheets(shards, clip, tmp_path):
    out = tmp_path / "report"
    found = run(
        "--data", shards, "--out", out, "--clip", clip, "--faces", 2, "--sheet-faces", 1, "--processes", 1
    )  # fmt: skip
    assert found.exit_code == 0, found.output
    report = json.loads((out / "report.json").read_text())
    assert {
        "asked_achieved", "asked_achieved_estimator", "asked_achieved_independent", "leakage_warp",
        "unchanged", "restoration",
        "identity", "realism", "flicker", "onset", "speed",
    } <= report.keys()  # fmt: skip
    methods = [row["method"] for row in report["asked_achieved"]["rows"]]
    assert methods == ["copy", "warp"]
    for table in ("unchanged", "identity", "realism", "speed"):
        assert [row["method"] for row in report[table]["rows"]] == methods
    copied = report["asked_achieved"]["rows"][0]
    assert copied["mean slope, estimator"] == copied["mean leakage, independent"] == 0
    assert report["unchanged"]["rows"][0]["PSNR dB"] == "exact"
    assert (out / "restoration.csv").is_file() and "## Speed" in (out / "report.md").read_text()
    assert len(list((out / "sheets").glob("*.png"))) == 8
    assert len(list((out / "cache").glob("*.npz"))) == 2


def test_a_clip_is_cut_to_the_face_and_asked_for_a_change(clip):
    film = load_film(clip, frames=10)
    assert len(film.shots) == 10
    shot = film.shots[0]
    assert shot.change.any()
    x, y = shot.face.landmarks[4, :2]
    height, width = shot.frame.size
    assert 0.2 * width < x < 0.8 * width and 0.2 * height < y < 0.8 * height
    with PictureReader() as reader:
        found = reader(shot.frame.image, shot.face.landmarks)
        assert np.abs(found.face.landmarks - shot.face.landmarks)[:, :2].max() < 6
        assert all(each.collection == "clips" for each in still_subjects(clip, reader))


def test_data_that_are_no_shards_are_refused_in_one_line(tmp_path):
    found = run("--data", tmp_path, "--out", tmp_path / "out")
    assert found.exit_code == 2
    assert "meta.json" in found.output and len(found.output.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_a_model_that_is_none_is_refused_in_one_line(shards, tmp_path):
    model = tmp_path / "live.onnx"
    model.write_bytes(b"nonsense")
    found = run("--data", shards, "--out", tmp_path / "out", "--live", model, "--sheet-faces", 1)
    assert found.exit_code == 2
    assert "live.onnx" in found.output and len(found.output.strip().splitlines()) == 1


def test_a_clip_that_is_not_there_is_refused_before_any_work(shards, tmp_path):
    found = run("--data", shards, "--out", tmp_path / "out", "--clip", tmp_path / "absent.mp4")
    assert found.exit_code == 2
    assert "absent.mp4" in found.output and not (tmp_path / "out").exists()


def test_half_of_the_people_are_kept_from_the_estimators(shards):
    training, unseen = open_shards(shards, held_out=False), open_shards(shards, held_out=True)
    assert not set(training.persons) & set(unseen.persons)
    assert len(unseen) > 10
