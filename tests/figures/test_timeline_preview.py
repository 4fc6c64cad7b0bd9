"""`python -m calib timeline`."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from calib.__main__ import main
from calib.au import AU_CODES
from reenact.figures.plots import FINER
from reenact.programme.keyframes_file import load_keyframes

LINE = "time,au,value,easing\n0,AU12,+0\n1,AU12,+2,spring\n2,AU04,3\n"


def preview(source: Path, output: Path) -> Result:
    return CliRunner().invoke(main, ["timeline", "preview", str(source), "--out", str(output)])


def texts(path: Path) -> list[str | None]:
    root = ElementTree.parse(path).getroot()
    return [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]


@pytest.fixture
def line(tmp_path: Path) -> Path:
    path = tmp_path / "line.csv"
    path.write_text(LINE)
    return path


def test_a_time_line_is_plotted_as_svg(line: Path, tmp_path: Path) -> None:
    result = preview(line, tmp_path / "p.svg")
    assert result.exit_code == 0, result.output
    assert {"line.csv", "AU04", "AU12"} < set(texts(tmp_path / "p.svg"))


def test_and_as_finer_pixels_of_the_same_shape(line: Path, tmp_path: Path) -> None:
    for name in ("p.png", "p.svg"):
        assert preview(line, tmp_path / name).exit_code == 0
    size = ElementTree.parse(tmp_path / "p.svg").getroot().attrib
    with Image.open(tmp_path / "p.png") as picture:
        assert picture.size == (FINER * int(size["width"]), FINER * int(size["height"]))
        ink = np.asarray(picture.convert("L")) < 200
    assert 0.005 < ink.mean() < 0.2


def test_a_table_of_measured_action_units_is_a_time_line_too(tmp_path: Path) -> None:
    table = tmp_path / "aus.csv"
    header = ",".join(f"{code}_r" for code in AU_CODES)
    rows = [f"{index / 30},1," + ",".join(["0"] * 8 + [str(index / 10)] + ["0"] * 8) for index in range(20)]
    table.write_text("\n".join([f"timestamp,success,{header}", *rows]))
    assert preview(table, tmp_path / "p.svg").exit_code == 0
    shown = texts(tmp_path / "p.svg")
    assert "AU12" in shown and "AU04" not in shown, "what the face never shows has no chart"


def test_a_table_in_which_nothing_happens_says_so(tmp_path: Path) -> None:
    (tmp_path / "aus.csv").write_text("timestamp,success,AU12_r\n0,1,0\n0.1,1,0\n")
    assert preview(tmp_path / "aus.csv", tmp_path / "p.svg").exit_code == 0
    assert texts(tmp_path / "p.svg") == ["aus.csv", "No action unit reaches an intensity of 0.05."]


@pytest.mark.parametrize(("name", "word"), [("p.gif", ".png or .svg"), ("nowhere/p.png", "nowhere")])
def test_a_preview_that_cannot_be_written_is_refused(
    line: Path, tmp_path: Path, name: str, word: str
) -> None:
    result = preview(line, tmp_path / name)
    assert result.exit_code == 2
    assert word in result.stderr and len(result.stderr.splitlines()) == 1


def test_a_time_line_that_is_wrong_is_refused(tmp_path: Path) -> None:
    (tmp_path / "line.csv").write_text("time,au,value\n0,AU99,1\n")
    result = preview(tmp_path / "line.csv", tmp_path / "p.png")
    assert result.exit_code == 2 and "line 2" in result.stderr
    assert not (tmp_path / "p.png").exists()


def test_a_time_line_is_converted_and_back(line: Path, tmp_path: Path) -> None:
    arguments = [[line, tmp_path / "line.json"], [tmp_path / "line.json", tmp_path / "again.csv"]]
    for source, output in arguments:
        result = CliRunner().invoke(main, ["timeline", "convert", str(source), str(output)])
        assert result.exit_code == 0, result.output
    assert load_keyframes(tmp_path / "again.csv") == load_keyframes(line)
    result = CliRunner().invoke(main, ["timeline", "convert", str(line), str(tmp_path / "line.txt")])
    assert result.exit_code == 2 and ".csv or .json" in result.stderr


def test_a_preview_of_a_table_without_times_takes_their_rate(tmp_path: Path) -> None:
    (tmp_path / "aus.csv").write_text("frame,AU12_r\n0,1\n1,2\n")
    result = preview(tmp_path / "aus.csv", tmp_path / "p.svg")
    assert result.exit_code == 2 and "--driver-fps" in result.stderr
    command = ["timeline", "preview", str(tmp_path / "aus.csv"), "-o", str(tmp_path / "p.svg")]
    assert CliRunner().invoke(main, [*command, "--driver-fps", "30"]).exit_code == 0
