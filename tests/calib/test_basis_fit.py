from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from calib.__main__ import main
from calib.au import OPENFACE_CODES
from calib.estimator import read_estimator
from calib.features import LANDMARK_FEATURES, OrientedGradients

PORTRAIT = Path(__file__).parents[2] / "reenact" / "data" / "portrait.jpg"


def turned(image: np.ndarray, degrees: float) -> np.ndarray:
    size = image.shape[1], image.shape[0]
    turn = cv2.getRotationMatrix2D((size[0] / 2, size[1] / 2), degrees, 1.0)
    return cv2.warpAffine(image, turn, size, borderMode=cv2.BORDER_REPLICATE)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten tilted portraits of as many people, a gray wall and a broken file, with OpenFace's table."""
    found = tmp_path_factory.mktemp("faces")
    portrait = cv2.resize(cv2.imread(str(PORTRAIT)), (256, 256), interpolation=cv2.INTER_AREA)
    rows = [["file", "person", *(f"{code}_r" for code in OPENFACE_CODES)]]
    for index in range(10):
        cv2.imwrite(str(found / f"{index}.png"), turned(portrait, 4 * index - 20))
        rows.append([f"{index}.png", f"person {index}", *(str(index % (2 + au) / 4) for au in range(17))])
    cv2.imwrite(str(found / "wall.png"), np.full((256, 256, 3), 128, np.uint8))
    (found / "broken.png").write_bytes(b"\x89PNG but no more")
    rows += [[name, "nobody", *["0"] * 17] for name in ("wall.png", "broken.png")]
    (found / "aus.csv").write_text("\n".join(",".join(row) for row in rows) + "\n")
    return found


@pytest.mark.usefixtures("tracks_faces")
@pytest.mark.slow
def test_fit_writes_an_estimator_a_basis_and_a_report_and_looks_only_once(folder, tmp_path):
    command = ["fit", str(folder), "--out", str(tmp_path), "--processes", "1", "--held-out", "0.4"]
    first = CliRunner().invoke(main, command)
    assert first.exit_code == 0, first.output
    assert "10 faces of 10 people; 1 pictures are missing or corrupt, 1 show no face" in first.output
    weights = read_estimator(tmp_path / "estimator.npz").weights
    assert weights.shape == (17, OrientedGradients().length + LANDMARK_FEATURES)
    with np.load(tmp_path / "basis.npz") as basis:
        assert basis["displacements"].shape == (28, 478, 3)
    report = json.loads((tmp_path / "report.json").read_text())
    assert 1 <= report["pooled"]["count"] <= 9
    assert (tmp_path / "report.md").read_text().startswith("| AU | r |")

    for picture in folder.glob("*.png"):
        assert picture.stat().st_size > 0
    cached = {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").iterdir()}
    again = CliRunner().invoke(main, command)
    assert again.exit_code == 0, again.output
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").iterdir()} == cached
    np.testing.assert_array_equal(read_estimator(tmp_path / "estimator.npz").weights, weights)


@pytest.mark.parametrize("command", [["fit", "nowhere", "--out", "out"], ["clips", "nowhere"]])
def test_a_folder_that_cannot_be_read_is_one_line_and_exit_2(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 2
    assert result.output.startswith("Error: nowhere ") and result.output.count("\n") == 1
    assert not Path("out").exists()
