"""Drawings and charts, as SVG and as pixels."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from reenact.figures.chart import Chart, Curve, Key, stacked
from reenact.figures.drawing import Box, Dot, Drawing, Line, Words, to_data_uri
from reenact.figures.storyboard import ABSOLUTE, RELATIVE, keyframes_drawing
from reenact.programme.keyframes import Keyframe, Keyframes, Marker, Track

SVG = "{http://www.w3.org/2000/svg}"
RED = "#ff0000"


def elements(drawing: Drawing, name: str) -> list[ElementTree.Element]:
    return ElementTree.fromstring(drawing.to_svg()).findall(f"{SVG}{name}")


def chart(values: list[float], **others: object) -> Drawing:
    times_s = np.arange(len(values), dtype=float)
    curve = Curve(times_s, np.array(values), RED)
    return stacked([Chart("AU12", 0, len(values) - 1, 0, 5, [curve], **others)], 300, 120)


def curve_points(drawing: Drawing) -> list[list[tuple[float, ...]]]:
    lines = [line for line in elements(drawing, "polyline") if line.get("stroke") == RED]
    return [[tuple(map(float, point.split(","))) for point in line.get("points").split()] for line in lines]


def test_the_same_shapes_are_in_both_kinds_of_picture() -> None:
    drawing = Drawing(40, 20, [Box((10, 5), 20, 10, RED), Dot((20, 10), 3, "#0000ff")])
    picture = drawing.to_picture()
    assert picture.shape == (20, 40, 3)
    for x, y, colour in ((12, 7, (255, 0, 0)), (20, 10, (0, 0, 255)), (1, 1, (255, 255, 255))):
        np.testing.assert_allclose(picture[y, x], colour, atol=4)
    (box,), (dot,) = elements(drawing, "rect"), elements(drawing, "circle")
    assert (box.get("x"), box.get("width"), box.get("fill")) == ("10", "20", RED)
    assert (dot.get("cx"), dot.get("r")) == ("20", "3")


def test_a_dashed_line_has_gaps_that_run_on_around_its_corners() -> None:
    picture = Drawing(100, 60, [Line(((10, 10), (90, 10), (90, 50)), "#000000", 2, dashed=True)]).to_picture()
    along, down = picture[10, 10:90, 0] < 128, picture[10:50, 89, 0] < 128
    for part in (along, down):
        assert 0.4 < part.mean() < 0.75
    assert Drawing(9, 9, [Line(((0, 0), (5, 5)), RED, dashed=True)]).to_svg().count("stroke-dasharray") == 1


def test_words_cannot_break_the_page() -> None:
    (words,) = elements(Drawing(50, 20, [Words((0, 10), '<script>"&', anchor="end")]), "text")
    assert words.text == '<script>"&'
    assert words.get("text-anchor") == "end"


def test_a_picture_inside_a_page_is_a_jpeg() -> None:
    uri = to_data_uri(np.zeros((4, 4, 3), np.uint8))
    assert uri.startswith("data:image/jpeg;base64,/9j/")


def test_a_curve_goes_from_edge_to_edge_and_higher_is_higher() -> None:
    ((first, *_, last),) = curve_points(chart([0, 1, 2, 3, 4, 5]))
    assert first[0] == 30 and last[0] == 292
    assert first[1] == 102 and last[1] == 20


def test_a_gap_in_what_is_known_is_a_gap_in_the_curve() -> None:
    parts = curve_points(chart([0, 1, np.nan, np.nan, 4, 5, np.nan, 3]))
    assert [len(part) for part in parts] == [2, 2, 2], "and a single reading can be seen"


def test_values_beyond_the_scale_stay_in_the_frame() -> None:
    ((first, second),) = curve_points(chart([9, -3]))
    assert (first[1], second[1]) == (20, 102)


def test_a_long_film_makes_a_small_drawing() -> None:
    values = np.abs(np.sin(np.arange(50_000) / 9000)) * 5
    ((*points,),) = curve_points(chart(list(values)))
    assert len(points) < 3000


def test_moments_outside_the_time_shown_are_left_out() -> None:
    drawing = chart([0, 1, 2], markers=[Marker(1, "smile"), Marker(9, "late")])
    texts = [text.text for text in elements(drawing, "text")]
    assert "smile" in texts and "late" not in texts


def test_keys_are_dots_that_tell_their_kind() -> None:
    drawing = chart([0, 1], keys=[Key(0, 1, RED), Key(1, 2, RED, hollow=True)])
    assert [dot.get("fill") for dot in elements(drawing, "circle")] == [RED, "#ffffff"]


def storyboard(loop_s: float | None = None) -> Drawing:
    keys = Keyframe(0, 0, False), Keyframe(1, 2, False, "linear"), Keyframe(3, 1, True), Keyframe(4, 1, True)
    tracks = [Track(8, keys), Track(2, keys[:2], face=1)]
    return keyframes_drawing(Keyframes(tracks, loop_s, [Marker(2, "now")]), "line.json")


def test_a_storyboard_tells_relative_from_absolute() -> None:
    drawing = storyboard()
    texts = [text.text for text in elements(drawing, "text")]
    assert texts.index("AU04, face 1") < texts.index("AU12"), "in the order of action units"
    lines = {
        line.get("stroke") for line in elements(drawing, "polyline") if line.get("stroke-width") == "1.6"
    }
    assert {RELATIVE, ABSOLUTE} < lines
    assert texts.count("now") == 2
    assert len(elements(drawing, "circle")) == 2 + 6, "the two of the legend, and every keyframe"


@pytest.mark.parametrize(("loop_s", "again"), [(None, 0), (2.0, 2)])
def test_a_loop_is_seen_to_begin_anew(loop_s: float | None, again: int) -> None:
    texts = [text.text for text in elements(storyboard(loop_s), "text")]
    assert texts.count("again") == again
    assert any("every 2 s" in str(text) for text in texts) == (loop_s is not None)
