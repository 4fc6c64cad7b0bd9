import json
import sys
from pathlib import Path

import av
import numpy as np
import pytest
from click.testing import CliRunner, Result

from reenact.cli import main
from reenact.generate.generator import shipped_models
from reenact.pipeline.meter import Report, StageTimes, forget_peak_rss, peak_rss_mb
from reenact.run.benchmark import (
    Round,
    built_in_cases,
    summarise,
    this_machine,
)
from reenact.run.demo import make_clip


def report(p50_ms: float, peak_rss_mb: float | None) -> Report:
    stages = {"track": StageTimes(p50_ms, 2 * p50_ms, 3 * p50_ms)}
    return Report(
        frames=150, frames_with_face=149, first_frame_s=p50_ms, stages=stages, peak_rss_mb=peak_rss_mb
    )


def test_figures_are_medians_of_the_rounds_and_the_share_is_taken_within_each_round():
    rounds = [
        Round(fps=50, ceiling_fps=100, report=report(4, 300)),
        Round(fps=10, ceiling_fps=40, report=report(9, 500)),  # something else ran on the machine
        Round(fps=60, ceiling_fps=100, report=report(5, 400)),
    ]
    told = summarise("720p", (720, 1280), rounds)
    assert (told.fps, told.ceiling_fps, told.share) == (50, 100, 0.5)
    assert told.stages == {"track": StageTimes(5, 10, 15)}
    assert told.peak_rss_mb == 500
    assert (told.height, told.width, told.frames, told.frames_with_face) == (720, 1280, 150, 149)
    assert told.first_frame_s == 5


def test_peak_memory_is_absent_where_the_system_does_not_say():
    assert summarise("720p", (720, 1280), [Round(1, 2, report(1, None))]).peak_rss_mb is None


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can start the count anew")
def test_peak_memory_can_start_anew():
    held = np.ones(300_000_000, np.uint8)
    high = peak_rss_mb()
    del held
    forget_peak_rss()
    assert high is not None
    low = peak_rss_mb()
    assert low is not None and low < high - 200


def size_of(clip: Path) -> tuple[int, int]:
    """(height, width) of a video."""
    with av.open(str(clip)) as container:
        return container.streams.video[0].height, container.streams.video[0].width


def test_there_is_a_case_for_each_size_and_number_of_faces_and_nothing_is_left_behind():
    told: list[str] = []
    with built_in_cases(["480p"], [1, 3], seconds=0.1, progress=told.append) as cases:
        assert [(case.name, case.max_faces) for case in cases] == [("480p, 1 face", 1), ("480p, 3 faces", 3)]
        assert [size_of(case.clip) for case in cases] == [(480, 854)] * 2
    assert not any(case.clip.exists() for case in cases)
    assert told == ["480p, 1 face: making the clip", "480p, 3 faces: making the clip"]


def test_the_machine_is_described():
    machine = this_machine()
    assert machine["cores"] >= 1
    assert machine["av"] == av.__version__


def bench(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["bench", *map(str, arguments)])


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clips") / "mine.mp4"
    make_clip(path, (240, 426), seconds=0.5)
    return path


def test_a_clip_of_ones_own_is_measured_and_told_as_json(clip):
    result = bench(clip, "--rounds", "1", "--json", "-")
    assert result.exit_code == 0, result.output
    (case,) = json.loads(result.stdout)["cases"]
    assert (case["name"], case["width"], case["height"], case["frames"]) == ("mine.mp4", 426, 240, 15)
    assert case["frames_with_face"] == 15
    assert case["share"] == pytest.approx(case["fps"] / case["ceiling_fps"], abs=0.01)
    making = {"generate", *(["appearance"] if shipped_models() else []), "paste"}
    assert {"read", "track", "measure", "retarget", *making, "write"} <= set(case["stages"])
    for times in case["stages"].values():
        assert 0 <= times["p50_ms"] <= times["p95_ms"] <= times["p99_ms"]
    assert case["peak_rss_mb"] > 50
    assert sorted(clip.parent.iterdir()) == [clip]


@pytest.mark.slow
def test_the_tables_name_every_stage_of_the_built_in_clip():
    result = bench("--size", "480p", "--seconds", "0.5", "--rounds", "1")
    assert result.exit_code == 0, result.output
    for word in ("480p, 1 face", "ceiling", "share", "track", "generate", "write", "p99"):
        assert word in result.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.mp4"], "nowhere.mp4: no such file"),
        (["clip", "--size", "480p"], "--size is for the built-in clip"),
        (["--size", "8k"], "'8k' is not one of"),
    ],
)
def test_what_cannot_be_measured_is_refused_in_one_line(clip, arguments, message):
    result = bench(*(clip if argument == "clip" else argument for argument in arguments))
    assert result.exit_code == 2
    assert message in result.stderr
    assert "Traceback" not in result.stderr
