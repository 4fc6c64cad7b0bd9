"""`python -m train compare`: a network of `live` against the paper's, in turn."""

from __future__ import annotations

import json

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")

from click.testing import CliRunner  # noqa: E402

from tests.support.tiny_models import blackener, described  # noqa: E402
from train.__main__ import main  # noqa: E402
from train.inference import paper_generator, summarise  # noqa: E402


def test_the_ratio_is_the_median_of_paired_rounds():
    found = summarise("an engine", 256, [(1.0, 30.0), (10.0, 100.0), (2.0, 40.0)])
    assert (found.ratio, found.least_ratio, found.most_ratio) == (20, 10, 30)
    assert (found.model_ms, found.paper_ms) == (2, 40)


def test_the_papers_generator_is_the_published_one():
    painted = paper_generator()()
    image = painted if isinstance(painted, torch.Tensor) else painted.image
    assert image.shape == (1, 3, 128, 128)


@pytest.mark.slow
def test_the_command_tells_both_times_and_their_ratio(tmp_path):
    model = tmp_path / "black.onnx"
    model.write_bytes(described(blackener(), "live"))
    result = CliRunner().invoke(
        main, ["compare", str(model), "--rounds", "2", "--engine", "onnx", "--json", "-"]
    )
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found["size"] == 128 and found["engine"].startswith("onnx")
    assert found["least_ratio"] <= found["ratio"] <= found["most_ratio"]


def test_a_model_that_is_none_is_refused(tmp_path):
    (tmp_path / "no.onnx").write_bytes(b"no model")
    result = CliRunner().invoke(main, ["compare", str(tmp_path / "no.onnx")])
    assert result.exit_code == 2 and "no.onnx" in result.output
