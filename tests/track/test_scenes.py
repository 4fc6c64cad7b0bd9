"""A new scene is noticed, and nothing else is taken for one."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import cv2
import numpy as np
import pytest

from reenact.media.image_file import load_still
from reenact.records import Frame
from reenact.run.demo import PORTRAIT
from reenact.track import Tracker
from reenact.track.scenes import CutDetector
from tests.recognise.test_recogniser import other_person

SIZE = (240, 320)


def room(seed: int, height: int = SIZE[0], width: int = SIZE[1]) -> np.ndarray:
    """A picture with blotches of its own before the same soft light, as one room differs from another."""
    rows, columns = np.mgrid[0:height, 0:width]
    light = 70 * np.exp(-(((rows - height / 2) / height) ** 2 + ((columns - width / 2) / width) ** 2) / 0.1)
    rng = np.random.default_rng(seed)
    grid = rng.normal(0, 26, (max(2, height // 20), max(2, width // 20), 3)).astype(np.float32)
    blotches = cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(70 + light[..., None] + blotches, 0, 255).astype(np.uint8)


def cuts(pictures: Sequence[np.ndarray]) -> list[int]:
    """At which pictures a scene begins."""
    is_cut = CutDetector()
    return [index for index, picture in enumerate(pictures) if is_cut(np.ascontiguousarray(picture))]


def test_a_cut_between_pictures_of_like_brightness_is_found() -> None:
    assert cuts([room(0)] * 3 + [room(1)] * 3) == [3]


def test_a_cut_is_found_while_the_camera_moves() -> None:
    wide, other = room(0, 240, 800), room(1, 240, 800)
    film = [wide[:, 16 * i : 16 * i + 320] for i in range(10)]
    film += [other[:, 16 * i : 16 * i + 320] for i in range(10)]
    assert cuts(film) == [10]


def test_black_or_white_between_two_scenes_hides_no_cut() -> None:
    for level in (0, 255):
        blank = np.full((*SIZE, 3), level, np.uint8)
        assert cuts([room(0), blank, blank, room(1), room(1)]) == [3]


def test_a_scene_that_comes_back_after_black_or_white_is_the_same() -> None:
    for level in (0, 255):
        blank = np.full((*SIZE, 3), level, np.uint8)
        assert cuts([room(0), blank, blank, room(0), room(0)]) == []


def test_a_flash_is_no_cut() -> None:
    rows, columns = np.mgrid[0 : SIZE[0], 0 : SIZE[1]]
    for gain in (1.5, 2.5, 4.0):
        even = np.clip(room(0) * gain, 0, 255)
        near = np.exp(-(((rows - 60) / 100) ** 2 + ((columns - 80) / 130) ** 2))[..., None]
        from_the_left = np.clip(room(0) * (1 + gain * near), 0, 255)
        for flash in (even, from_the_left):
            assert cuts([room(0), flash.astype(np.uint8), room(0)]) == []


@pytest.mark.parametrize(("gain", "gamma"), [(0.5, 1.0), (1.4, 0.7), (0.8, 1.8)])
def test_a_jump_of_exposure_is_no_cut(gain: float, gamma: float) -> None:
    other = np.clip(255 * gain * (room(0) / 255) ** gamma, 0, 255).astype(np.uint8)
    assert cuts([room(0), other, other, room(0)]) == []


def test_a_fade_to_black_and_back_is_no_cut() -> None:
    assert cuts([(room(0) * abs(i / 15 - 1)).astype(np.uint8) for i in range(31)]) == []


def test_a_hand_before_half_of_the_picture_is_no_cut() -> None:
    film = []
    for share in (0.0, 0.2, 0.4, 0.5, 0.5, 0.3, 0.0):
        picture = room(0)
        picture[:, : round(share * SIZE[1])] = room(5)[:, : round(share * SIZE[1])] // 2 + 90
        film.append(picture)
    assert cuts(film) == []


def test_a_head_or_camera_that_moves_fast_is_no_cut() -> None:
    wide = room(0, 360, 480)
    shaken = [wide[10 * (i % 2) :, 16 * (i % 3) :][: SIZE[0], : SIZE[1]] for i in range(12)]
    assert cuts(shaken) == []
    head = [room(0) for _ in range(10)]
    for index, picture in enumerate(head):
        picture[60:200, 20 + 20 * index : 120 + 20 * index] = room(9)[60:200, 100:200]
    assert cuts(head) == []


def test_pictures_of_any_size_can_be_compared() -> None:
    for height, width in ((1, 1), (1, 300), (7, 3), (2000, 20)):
        first, second = room(0, max(height, 2), max(width, 2)), room(1, max(height, 2), max(width, 2))
        cuts([first[:height, :width], second[:height, :width]])


def person(image: np.ndarray) -> np.ndarray:
    """The face of a portrait, square and in flat light."""
    square = image[20:260, 104:344]
    return (0.5 * square + 60).astype(np.uint8)


def test_somebody_else_at_the_same_place_after_a_cut_is_somebody_new() -> None:
    portrait = load_still(PORTRAIT).image
    first, second = person(portrait), np.ascontiguousarray(person(other_person(portrait))[:, ::-1])
    with Tracker() as track:
        seen = [track(Frame([first, second][i // 5], Fraction(i, 30), i)) for i in range(10)]
    assert [[face.track_id for face in tracked.faces] for tracked in seen] == [[0]] * 5 + [[1]] * 5
    assert [tracked.cut for tracked in seen] == [i == 5 for i in range(10)]
