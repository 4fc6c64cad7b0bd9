"""Occluders that are drawn into pictures, and the network that is fitted to them."""

from __future__ import annotations

import numpy as np
import pytest
from click.testing import CliRunner

from calib.au import OPENFACE_COUNT
from calib.openings import OUTER_LIPS
from reenact.occlusion import MouthOcclusion, load_mouth_occlusion
from reenact.occlusion.mouth_occlusion import LowerFace
from tests.support.faces import closed_mouth, posed_face, textured_frame
from train.data.occluders import SHAPES, occlude, painted_face, photographed
from train.data.shards import FaceSample, FolderMeta, PreparedFace, write_meta, write_shard

torch = pytest.importorskip("torch")

from tests.train.test_evaluate_command import portrait  # noqa: E402
from train.commands.occlusion import occlusion  # noqa: E402
from train.occlusion_fit import (  # noqa: E402
    MouthOcclusionOptions,
    Mouths,
    fit_mouth_occlusion,
    occlusion_table,
    rounded,
    save_mouth_occlusion,
)

FACE = posed_face(scale=1.3, centre=(160.0, 150.0), landmarks_mm=closed_mouth())
SIZE = (320, 320)
OTHER = textured_frame(300, 280, seed=3).image


def plain(level=150):
    return np.full((*SIZE, 3), level, np.uint8)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("seed", range(5))
def test_an_occluder_covers_a_part_of_the_picture_near_the_mouth(shape, seed):
    alpha = shape(FACE.landmarks[:, :2], SIZE, np.random.default_rng(seed))
    assert alpha.shape == SIZE and alpha.min() >= 0 and alpha.max() <= 1
    assert 0.003 < alpha.mean() < 0.7
    x, y = FACE.landmarks[list(OUTER_LIPS), :2].mean(axis=0)
    near = alpha[int(y) - 45 : int(y) + 45, int(x) - 45 : int(x) + 45]
    assert near.max() > 0.9


def test_what_is_said_to_be_covered_is_changed():
    rng = np.random.default_rng(0)
    x, y = np.rint(FACE.landmarks[list(OUTER_LIPS), :2]).astype(int).T
    seen = set()
    for _ in range(60):
        occluded = occlude(plain(), FACE.landmarks, OTHER, rng)
        changed = np.abs(occluded.image.astype(int) - 150).max(axis=2)[y, x] > 3
        seen.add(occluded.covered > 0.9)
        if occluded.covered == 0:
            assert occluded.image.shape == (*SIZE, 3)
        elif occluded.covered > 0.95:
            assert changed.mean() > 0.7
    assert seen == {True, False}


def test_the_same_seed_draws_the_same_picture():
    one, two = (occlude(plain(), FACE.landmarks, OTHER, np.random.default_rng(4)) for _ in range(2))
    np.testing.assert_array_equal(one.image, two.image)
    assert one.covered == two.covered


def test_a_face_that_is_painted_or_photographed_keeps_its_size():
    rng = np.random.default_rng(0)
    for _ in range(12):
        picture = photographed(painted_face(plain(), FACE.landmarks, rng), rng)
        assert picture.shape == (*SIZE, 3) and picture.dtype == np.uint8


def described(count=400, seed=0):
    """Mouths of which one number tells whether they are hidden."""
    rng = np.random.default_rng(seed)
    hidden = rng.random(count) < 0.4
    descriptors = np.zeros((count, LowerFace().length), np.float32)
    descriptors[:, :9] = rng.normal(size=(count, 9))
    descriptors[:, 7] += np.where(hidden, 4, -4)
    kinds = np.where(hidden, "hidden", np.where(rng.random(count) < 0.2, "beside", "free"))
    return Mouths(descriptors, hidden, kinds, np.arange(count))


@pytest.mark.slow
def test_the_network_learns_what_tells_hidden_mouths_and_says_how_often_it_is_wrong(tmp_path):
    options = MouthOcclusionOptions(epochs=20, units=8, batch=50, learning_rate=0.01)
    network = rounded(fit_mouth_occlusion(described(), options))
    table = occlusion_table(network, described(seed=1), 0.5)
    shares = {row[0]: row[2] for row in table.rows}
    assert shares["hidden"] > 0.9 and shares["free"] < 0.1 and shares["beside"] < 0.1
    save_mouth_occlusion(network, tmp_path / "mouth.npz")
    with np.load(tmp_path / "mouth.npz", allow_pickle=False) as data:
        kept = MouthOcclusion(
            data["hidden"].astype(np.float32), data["hidden_bias"], data["output"], float(data["output_bias"])
        )
    np.testing.assert_allclose(
        kept.of(described(seed=2).descriptors), network.of(described(seed=2).descriptors), atol=1e-6
    )


@pytest.mark.slow
def test_the_command_fits_writes_and_judges(tmp_path):
    """A dozen people who are one portrait in other light."""
    image, landmarks = portrait()
    rng = np.random.default_rng(0)
    faces = []
    for number in range(12):
        lit = np.clip(image * rng.uniform(0.7, 1.1, 3), 0, 255).astype(np.uint8)
        sample = FaceSample(
            lit, landmarks, np.zeros(OPENFACE_COUNT, np.float32), f"person {number}", "set", f"{number}.png"
        )
        faces.append(PreparedFace(sample, True, 0.0, 1.0, 0.2, False, str(number)))
    write_meta(tmp_path, FolderMeta(seed=1, share=0.4))
    write_shard(tmp_path, "set-00000", faces, "fingerprint")
    output = tmp_path / "mouth.npz"
    arguments = ["--data", tmp_path, "--report", tmp_path / "report", output]
    result = CliRunner().invoke(occlusion, [str(each) for each in arguments])
    assert result.exit_code == 0, result.output
    assert "Mouths classified as hidden" in (tmp_path / "report" / "report.md").read_text()
    network = load_mouth_occlusion.__wrapped__(output)
    assert network.hidden.shape == (MouthOcclusionOptions.units, LowerFace().length)
    refused = CliRunner().invoke(occlusion, ["--data", str(tmp_path), str(tmp_path / "no" / "mouth.npz")])
    assert refused.exit_code == 2 and "is not a folder; make it first" in refused.output
