"""The comparison of a benchmark with an earlier one."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from reenact.cli import main
from reenact.pipeline.meter import StageTimes
from reenact.run.benchmark import Measurement, to_json
from reenact.run.benchmark_baseline import BaselineError, load_baseline, share_of, stages_of
from reenact.run.demo import make_clip

MACHINE = {"system": "Linux x86_64", "processor": "Quick 9", "cores": 2, "python": "3.11.7"}
MEASURED = Measurement(
    name="720p, 1 face",
    height=720,
    width=1280,
    frames=150,
    frames_with_face=150,
    fps=45,
    ceiling_fps=100,
    share=0.45,
    first_frame_s=1.0,
    peak_rss_mb=None,
    stages={"track": StageTimes(5, 6, 7), "generate": StageTimes(8, 9, 10)},
)


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    path = tmp_path / "before.json"
    path.write_text(json.dumps(to_json(MACHINE, "live", [MEASURED])))
    return path


def test_a_machine_that_does_everything_at_half_speed_is_no_slower(stored: Path):
    baseline = load_baseline(stored)
    slow = {stage: StageTimes(2 * t.p50_ms, 0, 0) for stage, t in MEASURED.stages.items()}
    now = replace(MEASURED, fps=22.5, ceiling_fps=50, stages=slow)
    assert share_of(baseline, now).change == 0
    assert [(ratio.name, ratio.before, ratio.change) for ratio in stages_of(baseline, now)] == [
        ("track", 0.5, 0),
        ("generate", 0.8, 0),
    ]


def test_a_stage_that_takes_longer_is_seen_and_a_new_one_is_left_out(stored: Path):
    now = replace(MEASURED, stages={"track": StageTimes(6, 0, 0), "new": StageTimes(1, 0, 0)}, share=0.36)
    baseline = load_baseline(stored)
    assert share_of(baseline, now).change == pytest.approx(-0.2)
    (ratio,) = stages_of(baseline, now)
    assert (ratio.name, ratio.change) == ("track", pytest.approx(0.2))


@pytest.mark.parametrize(
    ("machine", "generator", "name", "message"),
    [
        ({**MACHINE, "cores": 8}, "live", "720p, 1 face", "another machine: its cores is 2, here 8"),
        ({**MACHINE, "processor": "Old 1"}, "live", "720p, 1 face", "its processor is Quick 9, here Old 1"),
        (MACHINE, "warp", "720p, 1 face", "is of --generator live, not warp"),
        (MACHINE, "live", "mine.mp4", "has no case 'mine.mp4'; it has 720p, 1 face"),
    ],
)
def test_what_cannot_be_compared_is_refused(stored: Path, machine, generator, name, message):
    with pytest.raises(BaselineError, match=message):
        load_baseline(stored).require_kind(machine, generator, [name])


def test_another_python_is_what_a_check_is_for(stored: Path):
    load_baseline(stored).require_kind({**MACHINE, "python": "3.14.0"}, "live", ["720p, 1 face"])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is not JSON at line 1"),
        ("\0", "is not JSON at line 1"),
        ("[]", "is no file that 'reenact bench --json' has written"),
        ("{}", "is no file that 'reenact bench --json' has written"),
        ('{"cases": [{}], "machine": {}, "generator": "live"}', "is no file that 'reenact bench --json'"),
    ],
)
def test_a_file_of_another_kind_is_refused(tmp_path: Path, text: str, words: str):
    path = tmp_path / "odd.json"
    path.write_text(text)
    with pytest.raises(BaselineError) as caught:
        load_baseline(path)
    assert str(caught.value).startswith(f"{path} {words}")


def bench(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["bench", *map(str, arguments)])


def test_the_command_fails_only_where_an_edit_has_become_slower(tmp_path: Path):
    clip, path = tmp_path / "mine.mp4", tmp_path / "before.json"
    make_clip(clip, (240, 426), seconds=0.5)
    arguments = clip, "--generator", "warp", "--rounds", "1"
    assert bench(*arguments, "--json", path).exit_code == 0
    document = json.loads(path.read_text())
    document["cases"][0]["share"] /= 10
    path.write_text(json.dumps(document))
    same = bench(*arguments, "--check", path)
    assert same.exit_code == 0 and "against the baseline" in same.stdout
    document["cases"][0]["share"] *= 1000
    path.write_text(json.dumps(document))
    slower = bench(*arguments, "--check", path, "--json", "-")
    assert slower.exit_code == 1
    assert re.search(r"Error: slower than the baseline: mine\.mp4 by 9\d%; 10% is allowed", slower.stderr)
    assert json.loads(slower.stdout)["cases"]


def test_a_missing_baseline_is_refused_before_anything_is_measured(tmp_path: Path):
    result = bench("--check", tmp_path / "none.json")
    assert result.exit_code == 2
    assert "none.json cannot be read: No such file or directory" in result.stderr
