"""Pictures as other programs hand them over and get them back."""

from __future__ import annotations

import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import reenact
from reenact import errors
from reenact.media.image_array import BLUE_SKIN, blueness
from reenact.media.image_file import Still, load_still
from reenact.programme import parse_targets
from reenact.retarget.options import RetargetOptions
from reenact.run.demo import PORTRAIT
from reenact.run.files import EditOptions, open_still_edit
from tests.project.test_architecture import ROOT

WARP = EditOptions(generator="warp")


@pytest.fixture(autouse=True)
def no_warnings() -> Iterator[None]:
    """A warning that a test does not expect is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", errors.ImageWarning)
        yield


@pytest.fixture(scope="module")
def portrait() -> np.ndarray:
    image = load_still(PORTRAIT).image[20:260, 100:350].copy()
    image.setflags(write=False)
    return image


@pytest.fixture(scope="module")
def couple(portrait: np.ndarray) -> np.ndarray:
    """A face on the left, a smaller one on the right."""
    small = cv2.resize(portrait, None, fx=0.8, fy=0.8, interpolation=cv2.INTER_AREA)
    beside = np.full((len(portrait), small.shape[1], 3), 128, np.uint8)
    beside[: len(small)] = small
    return np.hstack([portrait, beside])


@pytest.fixture(scope="module")
def editor() -> Iterator[reenact.ImageEditor]:
    with reenact.ImageEditor(generator="warp") as opened:
        yield opened


def changed(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """(height, width) where two pictures differ."""
    return (one != other).any(axis=2)


def test_importing_reenact_loads_nothing_heavy():
    program = "import sys, reenact; sys.exit(bool({'cv2', 'av', 'mediapipe', 'numpy'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False).returncode == 0


def test_a_module_without_such_a_name_says_so():
    with pytest.raises(AttributeError, match="edit_picture"):
        reenact.edit_picture  # noqa: B018
    assert reenact.errors is errors


def test_a_picture_comes_back_edited_as_the_command_line_does_it(portrait: np.ndarray):
    edited = reenact.edit_image(portrait, "surprise")
    with open_still_edit(Still(portrait)) as edit:
        expected = edit(parse_targets("surprise")).image
    np.testing.assert_array_equal(edited, expected)
    assert edited.dtype == np.uint8 and edited.shape == portrait.shape and changed(edited, portrait).any()


def test_an_editor_that_is_kept_open_does_what_a_new_one_does(portrait: np.ndarray):
    """Nothing of one picture is left for the next, also where they are of one size and face."""
    mirrored = np.ascontiguousarray(portrait[:, ::-1])
    with reenact.ImageEditor() as editor:
        kept = [editor.edit(image, wanted) for image, wanted in _asked(portrait, mirrored)]
    for (image, wanted), edited in zip(_asked(portrait, mirrored), kept, strict=True):
        np.testing.assert_array_equal(edited, reenact.edit_image(image, wanted))


def _asked(portrait: np.ndarray, mirrored: np.ndarray) -> list[tuple[np.ndarray, str]]:
    return [(portrait, "smile-open"), (mirrored, "smile-open"), (portrait, "laugh"), (portrait, "smile-open")]


def test_a_path_is_read_upright_and_without_alpha(portrait: np.ndarray, tmp_path: Path, editor: Any):
    path = tmp_path / "anna.png"
    cv2.imwrite(str(path), portrait[..., ::-1])
    expected = editor.edit(portrait, "AU12=+2")
    for name in (path, str(path)):
        np.testing.assert_array_equal(editor.edit(name, "AU12=+2"), expected)
    np.testing.assert_array_equal(reenact.edit_image(path, "AU12=+2", generator="warp"), expected)


def test_views_of_other_arrays_are_taken_and_nothing_given_is_changed(portrait: np.ndarray, editor: Any):
    bgr = portrait[..., ::-1].copy()
    before = bgr.copy()
    edited = editor.edit(bgr[..., ::-1], "smile")
    np.testing.assert_array_equal(edited, editor.edit(portrait, "smile"))
    np.testing.assert_array_equal(bgr, before)


def test_what_comes_back_is_the_callers_own_also_where_nothing_changes(portrait: np.ndarray, editor: Any):
    unchanged = editor.edit(portrait, "none")
    np.testing.assert_array_equal(unchanged, portrait)
    assert unchanged.flags.writeable and not np.shares_memory(unchanged, portrait)


def test_targets_may_be_a_programme_or_a_function(portrait: np.ndarray, editor: Any):
    smile = parse_targets("AU12=+2")
    asked: list[tuple[float, int]] = []

    def by_function(pts: Any, track_id: int) -> Any:
        asked.append((float(pts), track_id))
        return smile

    expected = editor.edit(portrait, "AU12=+2")
    np.testing.assert_array_equal(editor.edit(portrait, smile), expected)
    np.testing.assert_array_equal(editor.edit(portrait, by_function), expected)
    assert asked == [(0.0, 0)]


def test_more_strength_changes_more(portrait: np.ndarray, editor: Any):
    moved = [
        np.abs(editor.edit(portrait, "AU26=+2", strength=strength).astype(int) - portrait).sum()
        for strength in (0, 0.5, 1.5)
    ]
    assert moved[0] == 0 < moved[1] < moved[2]


def test_faces_are_the_largest_all_or_those_named(couple: np.ndarray, editor: Any):
    middle = 250
    table = editor.read(couple)
    assert list(table.face_ids) == [0, 1]
    left = int(table.face_ids[table.boxes[:, 0] < middle][0])

    def halves(**faces: Any) -> tuple[bool, bool]:
        difference = changed(editor.edit(couple, "AU26=+3", **faces), couple)
        return bool(difference[:, :middle].any()), bool(difference[:, middle:].any())

    assert halves() == halves(faces="largest") == halves(faces=[left]) == (True, False)
    assert halves(faces=(1 - left,)) == halves(faces=np.array([1 - left])) == (False, True)
    assert halves(faces="all") == halves(faces={0, 1}) == (True, True)
    assert halves(faces=[]) == (False, False)


@pytest.mark.parametrize(
    ("faces", "words"), [("biggest", "'biggest'"), ([0.5], "0.5"), ([-1], "-1"), ([7], "no face 7")]
)
def test_faces_that_are_not_there_are_named(portrait: np.ndarray, editor: Any, faces: Any, words: str):
    with pytest.raises(errors.FaceChoiceError, match=words):
        editor.edit(portrait, "smile", faces=faces)


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.zeros((20, 30, 3)), r"float64 of shape \(20, 30, 3\).*\* 255"),
        (np.zeros((20, 30, 3), np.int64), "int64.*astype"),
        (np.zeros((20, 30), np.uint8), r"\(20, 30\).*dstack"),
        (np.zeros((20, 30, 1), np.uint8), "repeat"),
        (np.zeros((20, 30, 4), np.uint8), r"\[\.\.\., :3\]"),
        (np.zeros((3, 20, 30), np.uint8), "transpose"),
        (np.zeros((20, 30, 2), np.uint8), "three channels"),
        (np.zeros((2, 20, 30, 3), np.uint8), "one at a time"),
        (np.zeros((0, 30, 3), np.uint8), "no pixels"),
        (np.zeros(5, np.uint8), "1 dimensions"),
        ([[1, 2, 3]], "list"),
        (None, "NoneType"),
    ],
)
def test_what_is_no_picture_is_named_with_what_would_make_one(array: Any, words: str, editor: Any):
    for use in (lambda: reenact.edit_image(array, "smile"), lambda: reenact.read_aus(array)):
        with pytest.raises(errors.ImageError, match=words):
            use()
    with pytest.raises(ValueError, match=words):
        editor.edit(array, "smile")


def test_a_picture_of_pil_is_named(editor: Any):
    from PIL import Image

    with pytest.raises(errors.ImageError, match="PIL"):
        editor.edit(Image.new("RGB", (20, 20)), "smile")


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"targets": "grin"}, errors.TargetError),
        ({"targets": "AU12=+9"}, errors.TargetError),
        ({"targets": "smile", "strength": 2.0}, errors.ControlError),
        ({"targets": "smile", "strength": float("nan")}, errors.ControlError),
        ({"targets": "smile", "generator": "dall-e"}, ValueError),
    ],
)
def test_arguments_that_cannot_be_used_are_refused(
    portrait: np.ndarray, arguments: dict[str, Any], error: type[ValueError]
):
    with pytest.raises(error) as refused:
        reenact.edit_image(portrait, **arguments)
    assert isinstance(refused.value, ValueError) and "\n" not in str(refused.value)


def test_a_file_that_is_not_there_is_an_oserror():
    with pytest.raises(errors.StillError, match=r"nobody\.png: no such file"):
        reenact.edit_image("nobody.png", "smile")


def test_options_hold_and_what_is_given_beside_them_wins(portrait: np.ndarray):
    options = EditOptions(generator="warp", retarget=RetargetOptions(strength=0))
    assert not changed(reenact.edit_image(portrait, "smile", options=options), portrait).any()
    assert changed(reenact.edit_image(portrait, "smile", options=options, strength=1), portrait).any()


def test_a_picture_without_a_face_comes_back_with_a_warning_in_the_callers_line(editor: Any):
    grey = np.full((60, 50, 3), 90, np.uint8)
    for use in (
        lambda: reenact.edit_image(grey, "smile", options=WARP),
        lambda: editor.edit(grey, "smile"),
    ):
        with pytest.warns(errors.ImageWarning, match="no face was found") as told:
            np.testing.assert_array_equal(use(), grey)
        assert told[0].filename == __file__


def test_exchanged_red_and_blue_are_noticed(portrait: np.ndarray, editor: Any):
    with pytest.warns(errors.ImageWarning, match=r"BGR.*\[\.\.\., ::-1\]") as told:
        editor.edit(np.ascontiguousarray(portrait[..., ::-1]), "smile")
    assert told[0].filename == __file__
    grey = portrait.copy()
    grey[:] = portrait.mean(axis=2, keepdims=True)
    editor.edit(grey, "smile")


def test_blueness_is_that_of_the_face_and_not_of_the_picture():
    image = np.zeros((100, 100, 3), np.uint8)
    image[..., 2] = 200
    image[40:60, 40:60] = (150, 100, 80)
    landmarks = np.random.default_rng(1).uniform(42, 57, (478, 3)).astype(np.float32)
    assert blueness(image, landmarks) == -70
    assert blueness(image[..., ::-1], landmarks) == 70 > BLUE_SKIN
    assert blueness(image, landmarks + 500) == 0


def test_several_threads_may_use_one_editor(portrait: np.ndarray, editor: Any):
    wanted = ["smile", "surprise", "AU04=+3", "blink"]
    expected = [editor.edit(portrait, each) for each in wanted]
    found: dict[str, np.ndarray] = {}
    threads = [
        threading.Thread(target=lambda each=each: found.update({each: editor.edit(portrait, each)}))
        for each in wanted
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    for each, image in zip(wanted, expected, strict=True):
        np.testing.assert_array_equal(found[each], image)


@pytest.mark.usefixtures("tracks_faces")
def test_several_threads_may_edit_pictures_at_once(portrait: np.ndarray):
    wanted = ["smile", "surprise", "AU04=+3"]
    found: dict[str, np.ndarray] = {}
    threads = [
        threading.Thread(target=lambda each=each: found.update({each: reenact.edit_image(portrait, each)}))
        for each in wanted
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    for each in wanted:
        np.testing.assert_array_equal(found[each], reenact.edit_image(portrait, each))


def test_an_editor_that_is_closed_says_so_and_may_be_closed_again(portrait: np.ndarray):
    editor = reenact.ImageEditor(generator="warp")
    editor.close()
    editor.close()
    with pytest.raises(ValueError, match="closed"):
        editor.edit(portrait, "smile")
    with pytest.raises(ValueError, match="closed"):
        editor.read(portrait)


def test_an_editor_that_cannot_open_leaves_nothing(tmp_path: Path):
    missing = tmp_path / "none.onnx"
    with pytest.raises(errors.EngineError):
        reenact.ImageEditor(options=EditOptions(generator="paper", model=missing))
