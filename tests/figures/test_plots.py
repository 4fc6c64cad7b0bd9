"""Charts by matplotlib, as SVG and as pixels."""

from __future__ import annotations

import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import matplotlib
import numpy as np
import pytest

from reenact.figures.plots import FINER, Chart, ChartSheet, Curve, Key, draw_sheet, to_picture, to_svg
from reenact.figures.timeline_plot import ABSOLUTE, RELATIVE, keyframes_plot
from reenact.programme.keyframes import Keyframe, Keyframes, Marker, Track

ROOT = Path(__file__).resolve().parents[2]
SVG = "{http://www.w3.org/2000/svg}"
RED = "#ff0000"
WIDTH = 300


def sheet(values: list[float], *, count: int = 1, keys: tuple[Key, ...] = (), **others: object) -> ChartSheet:
    times_s = np.arange(len(values), dtype=float)
    curve = Curve(times_s, np.array(values), RED)
    chart = Chart("AU12", "lip corner puller", 0, 5, [curve], keys)
    return ChartSheet([chart] * count, 0, len(values) - 1, WIDTH, 80, **others)


def texts(svg: str) -> list[str | None]:
    return [text.text for text in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def red(picture: np.ndarray) -> np.ndarray:
    """(height, width): where the curve is."""
    return (picture[..., 0] > 200) & (picture[..., 1] < 120) & (picture[..., 2] < 120)


def curves(svg: str) -> list[list[tuple[float, float]]]:
    """The points of every piece of the curve."""
    pieces = []
    for path in ElementTree.fromstring(svg).iter(f"{SVG}path"):
        if f"stroke: {RED}" in path.get("style", "") and "clip-path" in path.attrib:
            for piece in path.get("d", "").split("M")[1:]:
                numbers = [float(number) for number in re.findall(r"-?[\d.]+", piece)]
                pieces.append(list(zip(numbers[::2], numbers[1::2], strict=True)))
    return pieces


def test_both_kinds_of_picture_show_the_same_and_pixels_are_finer() -> None:
    figure = draw_sheet(sheet([0, 5, 0]))
    root, picture = ElementTree.fromstring(to_svg(figure)), to_picture(figure)
    height = int(root.get("height", "0"))
    assert root.get("width") == str(WIDTH) and picture.shape == (FINER * height, FINER * WIDTH, 3)
    assert picture.dtype == np.uint8 and picture[0, 0].tolist() == [255, 255, 255]
    rows = red(picture).any(axis=1).nonzero()[0]
    assert FINER * 70 < rows[-1] - rows[0] < FINER * 82, "from the bottom of the scale to its top"


def test_the_same_figure_gives_the_same_text_without_date_scripts_or_addresses() -> None:
    first, again = (to_svg(draw_sheet(sheet([0, 5, 2], markers=[Marker(1, "now")])), "face 0") for _ in "ab")
    assert first == again and first.startswith("<svg ")
    assert "<metadata" not in first and "<script" not in first and "<!DOCTYPE" not in first
    addresses = set(re.findall(r'https?://[^"\s]+', first))
    assert addresses <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
    other = to_svg(draw_sheet(sheet([0, 5, 2], markers=[Marker(1, "now")])), "face 1")
    names, others = (set(re.findall(r' id="([^"]+)"', each)) for each in (first, other))
    assert names and not names & others, "two of them can stand on one page"


def test_words_cannot_break_the_page_and_are_no_formulas() -> None:
    name = '<script>"& $x_1$ \x07'
    svg = to_svg(draw_sheet(sheet([0, 1], title=name, markers=[Marker(0, name)])))
    assert texts(svg).count('<script>"& $x_1$  ') == 2


def test_names_that_the_font_lacks_are_drawn_without_a_warning(recwarn: pytest.WarningsRecorder) -> None:
    figure = draw_sheet(sheet([0, 1], title="笑顔"))
    assert "笑顔" in to_svg(figure) and to_picture(figure).size
    assert not recwarn.list


def test_a_curve_goes_from_edge_to_edge_and_higher_is_higher() -> None:
    ((first, *_, last),) = curves(to_svg(draw_sheet(sheet([0, 1, 2, 3, 4, 5]))))
    assert first[0] == pytest.approx(34 * 0.72, abs=0.1) and last[0] == pytest.approx(286 * 0.72, abs=0.1)
    assert first[1] > last[1] + 50


def test_a_gap_in_what_is_known_is_a_gap_in_the_curve() -> None:
    figure = draw_sheet(sheet([0, 1, np.nan, np.nan, 4, 5, np.nan, 3]))
    pieces = curves(to_svg(figure))
    assert [len(piece) for piece in pieces if len(piece) > 1] == [2, 2]
    columns = red(to_picture(figure)).any(axis=0).nonzero()[0]
    assert columns[-1] > FINER * 284, "a single reading can be seen"


def test_values_beyond_the_scale_stay_in_the_frame() -> None:
    within, beyond = (curves(to_svg(draw_sheet(sheet(values)))) for values in ([5, 0], [9, -3]))
    assert within == beyond


def test_a_long_film_makes_a_small_drawing() -> None:
    values = np.abs(np.sin(np.arange(50_000) / 9000)) * 5
    assert len(to_svg(draw_sheet(sheet(list(values))))) < 60_000


def test_moments_outside_the_time_shown_are_left_out() -> None:
    shown = texts(to_svg(draw_sheet(sheet([0, 1, 2], markers=[Marker(1, "smile"), Marker(9, "late")]))))
    assert "smile" in shown and "late" not in shown


def test_names_of_moments_never_cover_each_other() -> None:
    crowd = [Marker(0.1 * index, f"moment number {index}") for index in range(9)]
    svg = to_svg(draw_sheet(sheet([0, 1], markers=[*crowd, Marker(0.95, "end")])))
    names = [text for text in ElementTree.fromstring(svg).iter(f"{SVG}text") if "moment" in (text.text or "")]
    places = [tuple(map(float, re.findall(r"[-\d.]+", name.get("transform", ""))[-2:])) for name in names]
    rows = sorted({y for _, y in places})
    assert 1 < len(rows) <= 3 and len(names) < len(crowd)
    for row in rows:
        starts = sorted(x for x, y in places if y == row)
        assert all(np.diff(starts) > 15 * 4), starts


@pytest.mark.parametrize(
    ("end_s", "ticks"), [(2, {"0 s", "1 s"}), (60, {"0:00", "1:00"}), (7200, {"0:00", "1:00:00"})]
)
def test_times_are_told_as_people_do(end_s: float, ticks: set[str]) -> None:
    one = sheet([0, 1])
    assert ticks <= set(texts(to_svg(draw_sheet(ChartSheet(one.charts, 0, end_s, WIDTH, 80)))))


def test_only_the_lowest_chart_of_a_column_tells_the_times() -> None:
    shown = texts(to_svg(draw_sheet(sheet([0, 1, 2], count=5, columns=2))))
    assert shown.count("AU12") == 5 and shown.count("0 s") == 2


def test_a_sheet_without_charts_says_why() -> None:
    svg = to_svg(draw_sheet(ChartSheet([], 0, 1, WIDTH, 80, title="a.csv", empty="Nothing is asked.")))
    assert texts(svg) == ["a.csv", "Nothing is asked."]


def test_what_a_program_has_set_in_matplotlib_neither_changes_nor_counts() -> None:
    plain = to_svg(draw_sheet(sheet([0, 1])))
    with matplotlib.rc_context(
        {"axes.grid": True, "font.size": 30, "lines.linewidth": 9, "axes.facecolor": "k"}
    ):
        before = dict(matplotlib.rcParams)
        assert to_svg(draw_sheet(sheet([0, 1]))) == plain
        assert dict(matplotlib.rcParams) == before


def test_matplotlib_is_loaded_only_to_draw() -> None:
    program = (
        "import sys, reenact, reenact.cli.webcam, reenact.cli.video, calib.commands.timeline;"
        "sys.exit('matplotlib' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False).returncode == 0


def timeline(loop_s: float | None = None) -> str:
    keys = Keyframe(0, 0, False), Keyframe(1, 2, False, "linear"), Keyframe(3, 1, True), Keyframe(4, 1, True)
    tracks = [Track(8, keys), Track(2, keys[:2], face=1)]
    return to_svg(keyframes_plot(Keyframes(tracks, loop_s, [Marker(2, "now")]), "line.json"))


def test_a_time_line_tells_relative_from_absolute() -> None:
    svg = timeline()
    shown = texts(svg)
    assert shown.index("AU04, face 1") < shown.index("AU12"), "in the order of action units"
    assert {"added to what the face shows", "replaces what the face shows"} < set(shown)
    assert f"stroke: {RELATIVE}" in svg and f"stroke: {ABSOLUTE}" in svg
    assert shown.count("now") == 1


@pytest.mark.parametrize(("loop_s", "again"), [(None, 0), (2.0, 1)])
def test_a_loop_is_seen_to_begin_anew(loop_s: float | None, again: int) -> None:
    shown = texts(timeline(loop_s))
    assert shown.count("again") == again
    assert any("every 2 s" in str(text) for text in shown) == (loop_s is not None)


def test_a_blink_in_a_long_programme_can_be_seen() -> None:
    keys = [
        Keyframe(0, 0, True),
        Keyframe(1000, 0, True),
        Keyframe(1000.2, 5, True),
        Keyframe(1000.4, 0, True),
    ]
    figure = keyframes_plot(Keyframes([Track(16, (*keys, Keyframe(3600, 0, True)))], None, []), "blink.csv")
    (curve, *_) = (line for line in figure.axes[0].lines if len(line.get_xdata()) > 2)
    assert np.max(curve.get_ydata()) == pytest.approx(5, abs=0.1)
