"""The methods that are compared, and their contact sheets."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from calib.au import neutral_aus
from reenact.generate.generator import PAINTERS
from tests.support import tiny_models
from tests.support.evaluation import FRAME, copy, subject, written
from tests.support.faces import shows
from train.evaluate.methods import COPY, WARP, MethodSpec, method_specs, open_method
from train.evaluate.sheet_expressions import BY_NAME, EXPRESSIONS
from train.evaluate.sheets import CROP, PAGE_PX, Sheet, write_sheet
from train.evaluate.unchanged import measure_unchanged

SMILE = shows(AU12=3, AU25=3)


@pytest.fixture
def live_model(tmp_path):
    path = tmp_path / "live.onnx"
    path.write_bytes(tiny_models.described(tiny_models.blackener(), "live"))
    return path


def result(spec, asked=SMILE):
    one = subject()
    with open_method(spec) as method:
        return method(one.frame, one.face, asked, neutral_aus())


def test_copy_gives_the_picture_itself():
    assert result(COPY) is FRAME.image


def test_no_change_is_the_picture_itself():
    np.testing.assert_array_equal(result(WARP, neutral_aus()), FRAME.image)


def test_live_paints_over_the_warp(live_model):
    pytest.importorskip("onnxruntime")
    live, warp = result(MethodSpec("live", "live", live_model)), result(WARP)
    painted = (live != warp).any(axis=2)
    rows, columns = np.nonzero(painted)
    x, y = subject().face.landmarks[13, :2]
    assert painted.sum() > 20 and abs(rows.mean() - y) < 15 and abs(columns.mean() - x) < 15
    assert live[painted].mean() < 0.6 * warp[painted].mean(), "the network paints black"
    assert painted.mean() < 0.1


def test_a_painter_that_is_left_out_leaves_the_rest(live_model):
    without = MethodSpec("warp - mouth", "warp", None, frozenset({"mouth"}))
    whole, part = result(WARP), result(without)
    differs = (whole != part).any(axis=2)
    assert differs.any()
    rows, columns = np.nonzero(differs)
    x, y = subject().face.landmarks[13, :2]
    assert abs(rows.mean() - y) < 20 and abs(columns.mean() - x) < 20


def test_leaving_all_painters_out_of_live_still_runs_the_network(live_model):
    pytest.importorskip("onnxruntime")
    spec = MethodSpec("x", "live", live_model, frozenset(PAINTERS))
    mouth = (subject().face.landmarks[13, :2] + np.array([0, 3])).astype(int)
    assert result(spec)[mouth[1], mouth[0]].max() < 30, "but for what is finer than the crop"


def test_a_full_picture_is_pasted_back(tmp_path):
    pytest.importorskip("onnxruntime")
    path = tmp_path / "paper.onnx"
    crop = type(CROP)(size=64)
    path.write_bytes(tiny_models.described(tiny_models.inverter(64), "paper", crop))
    image = result(MethodSpec("paper", "paper", path))
    assert image.shape == FRAME.image.shape
    difference = np.abs(image.astype(int) - FRAME.image).mean(axis=2)
    assert difference[120:180, 120:180].mean() > 30
    assert difference[:4].max() == 0


def test_every_table_has_the_baselines_and_live_comes_with_its_parts_removed(tmp_path):
    assert [spec.name for spec in method_specs()] == ["copy", "warp"]
    names = [spec.name for spec in method_specs(live=tmp_path / "l", paper_film=tmp_path / "p")]
    assert names == [
        "copy", "warp", "live", "live - mouth", "live - lips", "live - lids", "live - creases",
        "live - all painters", "warp - all painters", "paper-film",
    ]  # fmt: skip


def test_parts_are_left_in_where_nobody_asks(tmp_path):
    names = [spec.name for spec in method_specs(live=tmp_path / "l", parts=False)]
    assert names == ["copy", "warp", "live"]


def test_expressions_stay_within_what_a_face_can_show():
    aus = shows(AU12=4, AU25=2)
    for expression in EXPRESSIONS:
        target = aus + expression.change(aus)
        assert target.min() >= 0 and target.max() <= 5
    assert BY_NAME["close the mouth"].change(aus)[14] == -2


def test_expressions_are_asked_of_faces_that_do_not_show_them():
    faces = np.array([shows(), shows(AU25=3, AU26=2), shows(AU45=4)])
    assert BY_NAME["smile with teeth"].eligible(faces).tolist() == [True, False, True]
    assert BY_NAME["close the mouth"].eligible(faces).tolist() == [False, True, False]
    assert BY_NAME["blink"].eligible(faces).tolist() == [True, True, False]


def test_sheets_show_every_method_at_full_size_on_pages_that_fit_a_screen(tmp_path):
    methods = {"copy": copy, "written": written, "again": copy}
    sheet = Sheet(BY_NAME["blink"], tuple(subject(name=f"{index}.jpg") for index in range(10)))
    pages = write_sheet(sheet, methods, tmp_path)
    assert [page.name for page in pages] == ["blink-1.png", "blink-2.png"]
    first = cv2.imread(str(pages[0]))[:, :, ::-1]
    assert first.shape[0] <= PAGE_PX[0] and first.shape[1] <= PAGE_PX[1]
    one = subject()
    crop = CROP.align(one.face).crop(one.frame.image)
    np.testing.assert_array_equal(first[54 : 54 + 256, :256], crop)
    np.testing.assert_array_equal(first[54 : 54 + 256, 512:768], crop)


def test_background_that_changes_is_noticed():
    def darker(frame, face, change, measured):
        return frame.image // 2 if change.any() else frame.image

    spilled, kept = measure_unchanged(darker, [subject()]), measure_unchanged(copy, [subject()])
    assert spilled.exact == kept.exact == 1
    assert kept.background == (0.0,)
    assert spilled.background[0] > 30
