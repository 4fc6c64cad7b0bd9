"""From RGB to what encoders take, and what stays as the decoder gave it."""

from __future__ import annotations

import pickle
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from av.video.frame import VideoFrame

from reenact.generate.paste import paste
from reenact.media.colour import BT601, BT709, BT2020, FULL, LIMITED, Colour
from reenact.media.read import open_capture
from reenact.media.read.video_file import pixels
from reenact.media.write.yuv import FORMAT, ToYuv
from reenact.records import Decoded, Frame, Generated, Patch
from tests.support.faces import change, posed_face
from tests.support.media import Film, write_film

SIZE = (48, 64)


def stream(size: tuple[int, int] = SIZE, range: int = LIMITED, matrix: int = BT709) -> Any:
    return SimpleNamespace(
        height=size[0], width=size[1], color_range=range, colorspace=matrix, pix_fmt=FORMAT
    )


def decoded(size: tuple[int, int] = SIZE, format: str = "yuv420p", range: int = LIMITED) -> VideoFrame:
    """A picture of noise."""
    picture = VideoFrame(size[1], size[0], format)
    for plane in picture.planes:
        pixels(plane)[:] = np.random.default_rng(3).integers(16, 235, pixels(plane).shape)
    picture.color_range, picture.colorspace = range, BT709
    return picture


def planes(picture: VideoFrame) -> list[np.ndarray]:
    return [pixels(plane).copy() for plane in picture.planes]


def smooth(size: tuple[int, int] = SIZE) -> np.ndarray:
    noise = np.random.default_rng(0).random((*size, 3), np.float32)
    return (255 * cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 6), None, 0, 1, cv2.NORM_MINMAX)).astype(
        np.uint8
    )


@pytest.mark.parametrize("matrix", [BT601, BT709, BT2020, 4, 7])
@pytest.mark.parametrize("range", [LIMITED, FULL])
def test_white_black_and_primaries_are_where_the_standard_puts_them(matrix: int, range: int) -> None:
    from_rgb = Colour(range, matrix).from_rgb(480)
    low, high, middle, swing = (16, 235, 128, 112) if range == LIMITED else (0, 255, 128, 127.5)
    np.testing.assert_allclose(from_rgb @ [0, 0, 0, 1], [low, middle, middle], atol=1e-3)
    np.testing.assert_allclose(from_rgb @ [255, 255, 255, 1], [high, middle, middle], atol=1e-3)
    assert (from_rgb @ [0, 0, 255, 1])[1] == pytest.approx(middle + swing)
    assert (from_rgb @ [255, 0, 0, 1])[2] == pytest.approx(middle + swing)


@pytest.mark.parametrize("range", [LIMITED, FULL])
def test_every_plane_is_within_a_level_of_the_equations(range: int) -> None:
    image = smooth()
    luma, blue, red = planes(ToYuv(SIZE, stream(range=range))(image))
    exact = image @ Colour(range, BT709).from_rgb(720)[:, :3].T + Colour(range, BT709).from_rgb(720)[:, 3]
    assert np.abs(luma - exact[..., 0]).max() < 0.75
    weights = np.array([1, 2, 1]) / 8
    beside = np.pad(exact, ((0, 0), (1, 1), (0, 0)), mode="edge")
    rows = beside[::2] + beside[1::2]
    sited = sum(weight * rows[:, place : place + SIZE[1] : 2] for place, weight in enumerate(weights))
    assert np.abs(blue - sited[..., 1]).max() < 1.5
    assert np.abs(red - sited[..., 2]).max() < 1.5
    assert abs(np.mean(luma - exact[..., 0])) < 0.05, "rounded, not cut off"


def test_odd_sizes_are_filled_up_by_doubling_the_last_row_and_column() -> None:
    image = smooth((47, 63))
    luma = planes(ToYuv((47, 63), stream((48, 64)))(image))[0]
    np.testing.assert_array_equal(luma[:, -1], luma[:, -2])
    np.testing.assert_array_equal(luma[-1], luma[-2])
    odd = planes(ToYuv((47, 63), stream((47, 63)))(image))
    assert odd[0].shape == (47, 63) and odd[1].shape == (24, 32)
    np.testing.assert_array_equal(odd[0], luma[:47, :63])


def test_what_nobody_changed_is_what_the_decoder_gave() -> None:
    picture, image = decoded(), smooth()
    kept = planes(ToYuv(SIZE, stream())(image, Decoded(picture)))
    for ours, theirs in zip(kept, planes(picture), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_what_was_changed_is_converted_to_the_pixel_pairs_that_it_touches() -> None:
    picture, image = decoded(), smooth()
    to_yuv = ToYuv(SIZE, stream())
    mixed = planes(to_yuv(image, Decoded(picture, ((11, 7, 30, 21),))))
    whole, before = planes(to_yuv(image)), planes(picture)
    for plane, (x0, y0, x1, y1) in zip(
        range(3), [(10, 6, 30, 22), (5, 3, 15, 11), (5, 3, 15, 11)], strict=True
    ):
        inside = np.zeros(mixed[plane].shape, bool)
        inside[y0:y1, x0:x1] = True
        np.testing.assert_array_equal(mixed[plane][~inside], before[plane][~inside])
        # At the right edge the next column is not known to the part.
        np.testing.assert_allclose(
            mixed[plane][inside].astype(int), whole[plane][inside].astype(int), atol=12 if plane else 0
        )


@pytest.mark.parametrize(
    "picture",
    [decoded(format="yuv444p"), decoded((50, 64)), decoded(range=FULL)],
    ids=["format", "size", "range"],
)
def test_pictures_whose_numbers_mean_something_else_are_converted_whole(picture: VideoFrame) -> None:
    image, to_yuv = smooth(), ToYuv(SIZE, stream())
    for ours, expected in zip(planes(to_yuv(image, Decoded(picture))), planes(to_yuv(image)), strict=True):
        np.testing.assert_array_equal(ours, expected)


def test_a_pasted_frame_says_where_it_was_changed_and_another_picture_forgets() -> None:
    frame = Frame(smooth((480, 640))).made_of(Decoded(decoded((480, 640))))
    patch = Patch(np.zeros((20, 30, 3), np.uint8), (100, 50))
    faces = (posed_face(),)
    pasted = paste(Generated(frame, faces, aus=(change(),), changes=(change(AU12=1),), patches=(patch,)))
    assert pasted.decoded is not None and pasted.decoded.changed == ((100, 50, 130, 70),)
    assert replace(pasted, image=frame.image).decoded is None
    assert paste(Generated(frame, faces, aus=(change(),), changes=(change(),), patches=(None,))) is frame


def test_a_frame_goes_to_another_process_without_what_it_was_decoded_from() -> None:
    frame = Frame(smooth(), Fraction(1, 25), 7).made_of(Decoded(decoded()))
    there = pickle.loads(pickle.dumps(frame))
    np.testing.assert_array_equal(there.image, frame.image)
    assert (there.pts, there.index, there.decoded) == (Fraction(1, 25), 7, None)


def test_a_capture_says_what_its_frames_were_made_of_unless_they_were_turned(tmp_path: Path) -> None:
    path = write_film(tmp_path / "a.mp4", Film((96, 128), range(0, 3 * 512, 512)))
    with open_capture(path) as capture:
        frame = next(iter(capture))
    assert frame.decoded is not None and frame.decoded.picture.height == 96
    assert frame.pts == Fraction(0)
