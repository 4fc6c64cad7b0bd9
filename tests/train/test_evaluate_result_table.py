"""Tables to read and to go on with."""

from __future__ import annotations

import csv
import json

from train.evaluate.result_table import ResultTable, write_tables

TABLE = ResultTable(
    "speed",
    "Speed",
    "10 calls.",
    ("method", "n", "ms"),
    (("copy", 10, 0.12345), ("warp", None, float("inf"))),
)


def test_markdown_rounds_and_names_what_is_exact():
    lines = TABLE.to_markdown().splitlines()
    assert lines[0] == "## Speed" and "10 calls." in lines
    assert lines[-2:] == ["| copy | 10 | 0.123 |", "| warp | - | exact |"]


def test_json_keeps_the_digits_and_stays_json():
    rows = json.loads(json.dumps(TABLE.to_json(), allow_nan=False))["rows"]
    assert rows == [{"method": "copy", "n": 10, "ms": 0.12345}, {"method": "warp", "n": None, "ms": "exact"}]


def test_a_number_that_is_unknown_is_a_dash_and_null():
    table = ResultTable("t", "T", "", ("x",), ((float("nan"),),))
    assert "| - |" in table.to_markdown()
    assert table.to_json()["rows"] == [{"x": None}]


def test_the_folder_has_a_report_and_each_table_as_csv(tmp_path):
    write_tables([TABLE], tmp_path, "# All")
    assert (tmp_path / "report.md").read_text().startswith("# All\n## Speed")
    assert list(json.loads((tmp_path / "report.json").read_text())) == ["speed"]
    with (tmp_path / "speed.csv").open(newline="") as stream:
        assert list(csv.reader(stream)) == [
            ["method", "n", "ms"],
            ["copy", "10", "0.12345"],
            ["warp", "", "exact"],
        ]
