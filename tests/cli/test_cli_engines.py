"""`reenact engines`: what it lists, builds and removes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import engines
from engines import Availability
from engines.cache import PlanCache
from reenact.cli import main
from reenact.cli.engines import age
from tests.engines.test_tensorrt import tripler
from tests.support.fake_nvidia import NEW, OLD, Gpu, install, install_torch2trt


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Gpu:
    return install(monkeypatch, tmp_path, OLD)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "tripler.onnx"
    path.write_bytes(tripler())
    return path


def ask(*arguments: str | Path) -> Result:
    runner = CliRunner(env={"COLUMNS": "150"})
    return runner.invoke(main, ["engines", *map(str, arguments)], prog_name="reenact")


def ask_json(*arguments: str | Path) -> dict:
    result = ask(*arguments, "--json", "-")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_a_model_is_built_once_listed_and_removed(gpu, model):
    assert ask_json("list")["plans"] == []
    built = ask_json("build", model)
    assert built["engine"] == f"tensorrt {OLD} on Fake GPU, tf32"
    assert built["notes"] == ["built for Fake GPU in 0 s"]
    assert ask_json("build", model)["notes"] == []
    assert gpu.builds == 1
    (plan,) = ask_json("list")["plans"]
    assert plan["meta"]["computes"] == "tf32"
    assert plan["meta"]["key"]["device"] == "Fake GPU"
    assert plan["bytes"] > len(tripler())
    assert ask_json("clear") == {"removed": 1, "bytes": plan["bytes"]}
    assert ask_json("list")["plans"] == []


def test_every_runtime_is_listed_with_where_it_computes_or_why_it_is_not_here(gpu, monkeypatch):
    missing = Availability(False, "openvino is not installed: pip install 'openvino[all]'")
    monkeypatch.setattr("engines.openvino.probe", lambda: missing)
    runtimes = {each["name"]: each for each in ask_json("list")["engines"]}
    assert list(runtimes) == [*engines.NAMES]
    assert runtimes["tensorrt"]["device"] == "Fake GPU" and runtimes["onnx"]["device"] == "CPU"
    lines = ask("list").stdout.splitlines()
    assert f"tensorrt           available   tensorrt {OLD}, computes on Fake GPU in tf32 or fp32" in lines
    assert "openvino           missing     openvino is not installed: pip install 'openvino[all]'" in lines


def test_the_table_names_model_precision_size_and_age(gpu, model):
    ask("build", model)
    (plan,) = PlanCache().plans()
    three_hours_ago = time.time() - 3.5 * 3600
    os.utime(plan.folder / "meta.json", (three_hours_ago, three_hours_ago))
    (row,) = (line for line in ask("list").stdout.splitlines() if "a model without a name" in line)
    assert "tf32" in row
    assert f"tensorrt {OLD} on Fake GPU" in row
    assert row.rstrip().endswith("3 h ago")


def test_a_damaged_plan_is_listed_as_such(gpu, model):
    ask("build", model)
    (plan,) = PlanCache().plans()
    (plan.folder / "meta.json").write_text("{")
    assert "damaged, will be built again" in ask("list").stdout
    assert ask_json("list")["plans"][0]["meta"] is None


def test_without_a_gpu_there_is_nothing_to_build_and_nothing_wrong(monkeypatch, model, tmp_path):
    nothing = Availability(False, "there is no NVIDIA GPU here", expected=False)
    monkeypatch.setattr("engines.tensorrt.probe", lambda: nothing)
    monkeypatch.setattr("platformdirs.user_cache_path", lambda *_, **__: tmp_path)
    result = ask("build", model)
    assert result.exit_code == 0
    assert "tripler.onnx is ready: " in result.stdout
    assert result.stderr == ""
    assert ask("build", model, "--engine", "tensorrt").exit_code == 1


def test_a_build_that_fails_ends_with_1_and_a_model_that_is_missing_with_2(gpu, model, tmp_path):
    gpu.build_error = "no kernel fits"
    failed = ask("build", model, "--engine", "tensorrt")
    assert (failed.exit_code, failed.stdout) == (1, "")
    assert failed.stderr.endswith("TensorRT cannot build the model: no kernel fits\n")
    missing = ask("build", tmp_path / "nowhere.onnx")
    assert missing.exit_code == 2
    assert "nowhere.onnx: No such file" in missing.stderr


def test_a_model_is_built_in_the_precision_that_is_asked_for_and_kept_beside_the_other(gpu, model):
    assert ask_json("build", model)["engine"].endswith("tf32")
    assert ask_json("build", model, "--engine", "tensorrt:fp32")["engine"].endswith("fp32")
    assert {plan["meta"]["computes"] for plan in ask_json("list")["plans"]} == {"tf32", "fp32"}


def test_a_precision_that_there_is_not_is_a_usage_error_in_one_line(model):
    result = ask("build", model, "--engine", "openvino:int4")
    assert result.exit_code == 2
    assert "openvino cannot be asked for 'int4': it computes in fp32 or bf16" in result.stderr
    assert result.stderr.count("\n") == 1


def test_torch2trt_sends_one_to_where_the_torch_module_is(gpu, model, monkeypatch):
    install_torch2trt(monkeypatch)
    result = ask("build", model, "--builder", "torch2trt")
    assert result.exit_code == 2
    assert "python -m train export RUN OUT.onnx --plan" in result.stderr


def test_torch2trt_under_tensorrt_11_is_refused_in_one_line(monkeypatch, tmp_path, model):
    install(monkeypatch, tmp_path, NEW)
    result = ask("build", model, "--builder", "torch2trt")
    assert result.exit_code == 2
    assert result.stderr.startswith("Error: torch2trt cannot be imported under tensorrt 11")
    assert result.stderr.count("\n") == 1


def test_the_group_alone_is_a_usage_error_in_one_line():
    result = ask()
    assert result.exit_code == 2
    assert result.stderr == "Error: Missing command (see 'reenact engines --help')\n"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "just now"),
        (59, "just now"),
        (60, "1 min ago"),
        (3 * 3600 + 5, "3 h ago"),
        (9 * 86400, "9 d ago"),
    ],
)
def test_ages_are_told_in_the_largest_unit_that_is_full(seconds, text):
    assert age(seconds) == text


def test_listing_imports_no_runtime():
    program = """
import sys
from reenact.cli import main
main(["engines", "list"], standalone_mode=False)
print({"onnxruntime", "openvino", "tensorrt", "cuda", "torch", "cv2"} & set(sys.modules))
"""
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert answer.stdout.splitlines()[-1] == "set()"
