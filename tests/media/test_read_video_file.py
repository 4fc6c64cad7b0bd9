from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from reenact.media.colour import Colour
from reenact.media.read import CaptureError, open_capture
from reenact.media.read.truncation import is_cut_short
from reenact.media.read.video_file import Orientation
from tests.support.media import Film, gradient, picture_times, write_film

# Kr, Kb and the H.273 code of each matrix.
MATRICES = {"bt709": (0.2126, 0.0722, 1), "bt601": (0.299, 0.114, 6), "bt2020": (0.2627, 0.0593, 9)}
SKIN = (200, 150, 120)


def _flat_yuv(
    rgb: tuple[int, int, int], matrix: str, full_range: bool, size: tuple[int, int]
) -> av.VideoFrame:
    """A 4:4:4 picture of one colour, by the equations of ITU-T H.273."""
    kr, kb, _ = MATRICES[matrix]
    red, green, blue = (value / 255 for value in rgb)
    luma = kr * red + (1 - kr - kb) * green + kb * blue
    chroma = (blue - luma) / (2 - 2 * kb), (red - luma) / (2 - 2 * kr)
    scale = (0, 255, 255) if full_range else (16, 219, 224)
    values = [scale[0] + scale[1] * luma, *(128 + scale[2] * c for c in chroma)]
    planes = np.stack([np.full(size, round(value), np.uint8) for value in values])
    return av.VideoFrame.from_ndarray(planes, "yuv444p")


@pytest.mark.parametrize("full_range", [False, True])
@pytest.mark.parametrize("matrix", MATRICES)
def test_tagged_colours_come_out_as_meant(tmp_path: Path, matrix: str, full_range: bool) -> None:
    tags = {"colorspace": MATRICES[matrix][2], "color_range": 2 if full_range else 1}
    film = Film(ticks=(0, 512), pixel_format="yuv444p", tags=tags)
    picture = _flat_yuv(SKIN, matrix, full_range, film.size)
    with open_capture(write_film(tmp_path / "a.mp4", film, [picture, picture])) as capture:
        image = next(iter(capture)).image
    assert np.abs(image.astype(int) - SKIN).max() <= 2


@pytest.mark.parametrize(("height", "matrix"), [(480, "bt601"), (720, "bt709")])
def test_untagged_colours_are_taken_by_height(tmp_path: Path, height: int, matrix: str) -> None:
    film = Film(size=(height, 64), ticks=(0,), pixel_format="yuv444p")
    path = write_film(tmp_path / "a.mp4", film, [_flat_yuv(SKIN, matrix, False, film.size)])
    with open_capture(path) as capture:
        image = next(iter(capture)).image
    assert np.abs(image.astype(int) - SKIN).max() <= 2
    assert capture.colour == Colour()


def test_conversion_rounds_instead_of_truncating(tmp_path: Path) -> None:
    luma = np.tile(np.linspace(40, 200, 64).astype(np.uint8), (48, 1))
    planes = np.concatenate([luma.ravel(), np.full(24 * 32, 118, np.uint8), np.full(24 * 32, 140, np.uint8)])
    picture = av.VideoFrame.from_ndarray(planes.reshape(72, 64), "yuv420p")
    film = Film(
        codec="ffv1", ticks=(0,), time_base=Fraction(1, 1000), tags={"colorspace": 1, "color_range": 1}
    )
    with open_capture(write_film(tmp_path / "a.mkv", film, [picture])) as capture:
        image = next(iter(capture)).image.astype(float)
    grey = (luma - 16.0) / 219 * 255
    blue, red = (118 - 128) / 224 * 255, (140 - 128) / 224 * 255
    expected = np.dstack([grey + 1.5748 * red, grey - 0.1873 * blue - 0.4681 * red, grey + 1.8556 * blue])
    assert np.abs(image - expected).max() < 0.6
    assert np.abs((image - expected).mean((0, 1))).max() < 0.1


def test_uneven_times_are_exact_and_frames_numbered(tmp_path: Path) -> None:
    ticks = (100, 612, 613, 5000, 5001, 90000)
    path = write_film(tmp_path / "a.mp4", Film(ticks=ticks, time_base=Fraction(1, 90000)))
    with open_capture(path) as capture:
        frames = list(capture)
    expected = picture_times(path)
    assert np.diff([float(time) for time in expected]) == pytest.approx(np.diff(ticks) / 90000)
    assert [frame.pts for frame in frames] == expected
    assert [frame.index for frame in frames] == list(range(6))
    assert all((frame.pts / capture.time_base).denominator == 1 for frame in frames)


def test_every_iteration_starts_at_the_beginning(tmp_path: Path) -> None:
    with open_capture(write_film(tmp_path / "a.mp4")) as capture:
        first = next(iter(capture)).image
        again = [frame.image for frame in capture]
    assert len(again) == 30
    np.testing.assert_array_equal(first, again[0])


def test_facts_are_known_before_the_first_frame(tmp_path: Path) -> None:
    film = Film(sound="aac", pixel_aspect=Fraction(4, 3))
    with open_capture(write_film(tmp_path / "a.mp4", film)) as capture:
        assert capture.size == (48, 64)
        assert capture.rate == 30
        assert capture.frame_count == 30
        assert capture.duration == 1
        assert capture.pixel_aspect == Fraction(4, 3)
        assert capture.sound_rates == (44100,)
        assert capture.notes == ()


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_turned_phone_films_come_upright(tmp_path: Path, degrees: int) -> None:
    upright = np.zeros((48, 64, 3), np.uint8)
    upright[:24, :32], upright[:24, 32:], upright[24:, :32] = (220, 30, 30), (30, 220, 30), (30, 30, 220)
    stored = np.ascontiguousarray(np.rot90(upright, -degrees // 90))
    film = Film(size=stored.shape[:2], ticks=(0, 512), pixel_format="yuv444p", rotation=degrees)
    picture = av.VideoFrame.from_ndarray(stored, "rgb24").reformat(format="yuv444p")
    path = write_film(tmp_path / "a.mp4", film, [picture, picture])
    with open_capture(path) as capture:
        image = next(iter(capture)).image
    assert capture.size == (48, 64) == image.shape[:2]
    for row, column in ((10, 10), (10, 50), (40, 10), (40, 50)):
        assert np.abs(image[row, column].astype(int) - upright[row, column]).max() < 12


def test_mirrored_display_matrix_is_honoured() -> None:
    image = np.arange(6, dtype=np.uint8).reshape(2, 3)
    one = 1 << 16
    mirrored = Orientation.from_display_matrix(np.array([-one, 0, 0, 0, one, 0, 0, 0, 1 << 30], np.int32))
    np.testing.assert_array_equal(mirrored(image), image[:, ::-1])
    transposed = Orientation.from_display_matrix(np.array([0, one, 0, one, 0, 0, 0, 0, 1 << 30], np.int32))
    np.testing.assert_array_equal(transposed(image), image.T)
    assert transposed.size((2, 3)) == (3, 2)


@pytest.mark.parametrize("pixel_format", ["yuv444p", "bgr0"])
def test_odd_sizes_are_read_whole(tmp_path: Path, pixel_format: str) -> None:
    film = Film(
        size=(37, 53), codec="ffv1", pixel_format=pixel_format, ticks=(0, 33), time_base=Fraction(1, 1000)
    )
    with open_capture(write_film(tmp_path / "a.mkv", film)) as capture:
        image = next(iter(capture)).image
    assert image.shape == (37, 53, 3)
    assert np.abs(image.astype(int) - gradient(0, (37, 53))).max() <= 3


@pytest.mark.parametrize(
    ("pixel_format", "note"),
    [("yuv420p10le", "10-bit video is processed at 8 bits"), ("yuva420p", "alpha is dropped")],
)
def test_what_is_lost_is_said(tmp_path: Path, pixel_format: str, note: str) -> None:
    film = Film(codec="ffv1", pixel_format=pixel_format, ticks=(0, 33), time_base=Fraction(1, 1000))
    with open_capture(write_film(tmp_path / "a.mkv", film)) as capture:
        image = next(iter(capture)).image
    assert capture.notes == (note,)
    assert np.abs(image.astype(int) - gradient(0, film.size)).mean() < 3


def test_pictures_are_sent_to_the_image_command(tmp_path: Path) -> None:
    for name in ("a.png", "a.jpg", "a.webp", "a.bmp", "a.mp4"):
        kind = "PNG" if name == "a.mp4" else None
        Image.fromarray(gradient(0, (48, 64))).save(tmp_path / name, kind)
        with pytest.raises(CaptureError, match="reenact image"):
            open_capture(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("missing.mp4", None, "no such file"),
        ("empty.mp4", b"", "empty"),
        ("notes.txt", b"dear diary\n" * 50, "text"),
        ("notes.mp4", b"dear diary\n" * 50, "not a video"),
    ],
)
def test_bad_inputs_are_named_in_one_line(
    tmp_path: Path, name: str, content: bytes | None, words: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(CaptureError, match=words) as caught:
        open_capture(tmp_path / name)
    assert name in str(caught.value) and "\n" not in str(caught.value)


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match="folder"):
        open_capture(tmp_path)


def test_sound_alone_is_refused(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.wav"), "w") as output:
        stream = output.add_stream("pcm_s16le", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), "s16", "mono")
        frame.sample_rate = 8000
        output.mux(stream.encode(frame))
    with pytest.raises(CaptureError, match="no video in it, only audio"):
        open_capture(tmp_path / "a.wav")


def _cut(path: Path) -> Path:
    whole = path.read_bytes()
    cut = path.with_name("cut_" + path.name)
    cut.write_bytes(whole[: len(whole) * 6 // 10])
    return cut


CONTAINERS = {
    "a.mp4": Film(options={"movflags": "faststart"}, sound="aac"),
    "a.mkv": Film(time_base=Fraction(1, 1000), ticks=range(0, 990, 33), sound="aac"),
    "a.avi": Film(codec="mpeg4", time_base=Fraction(1, 30), ticks=range(30), sound="mp3"),
    "a.wmv": Film(codec="wmv2", time_base=Fraction(1, 30), ticks=range(30), sound="wmav2"),
}


@pytest.mark.parametrize("name", CONTAINERS)
def test_a_file_that_breaks_off_is_read_up_to_there(tmp_path: Path, name: str) -> None:
    path = write_film(tmp_path / name, CONTAINERS[name])
    with open_capture(path) as capture:
        whole = [frame.pts for frame in capture]
    assert len(whole) == 30
    read = []
    with (
        pytest.raises(CaptureError, match=r"breaks off at 0\.\d\d s") as caught,
        open_capture(_cut(path)) as cut,
    ):
        for frame in cut:
            read.append(frame.pts)
    # A frame that is shown before the last one may have come after it in the file, and be lost.
    assert read[:-2] == whole[: len(read) - 2]
    assert set(read) < set(whole)
    assert len(read) > 5
    assert f"breaks off at {float(read[-1]):.2f} s" in str(caught.value)


def test_a_long_wmv_that_breaks_off_is_noticed(shared: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.wmv"
    cut.write_bytes((shared / "data" / "clips" / "webcam_15fps.wmv").read_bytes()[:600_000])
    with pytest.raises(CaptureError, match=r"breaks off at 5\.\d\d s"), open_capture(cut) as capture:
        for _ in capture:
            pass


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.avi", "a.wmv"])
def test_containers_tell_whether_they_are_whole(tmp_path: Path, name: str) -> None:
    path = write_film(tmp_path / name, CONTAINERS[name])
    assert not is_cut_short(path)
    assert is_cut_short(_cut(path))


def test_a_file_without_its_index_says_that_the_end_is_lost(tmp_path: Path) -> None:
    cut = _cut(write_film(tmp_path / "a.mp4"))
    with pytest.raises(CaptureError, match="lost its end"):
        open_capture(cut)


def test_damage_in_the_middle_is_passed_over(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write_film(tmp_path / "a.mp4", Film(options={"movflags": "faststart"}, codec="mpeg4"))
    with av.open(str(path)) as container:
        middle = [packet.pos for packet in container.demux(video=0) if packet.pos][15]
    content = bytearray(path.read_bytes())
    content[middle : middle + 4] = b"\xff\xff\xff\xff"
    path.write_bytes(content)
    with open_capture(path) as capture:
        frames = list(capture)
    assert 28 <= len(frames) <= 30
    assert frames[-1].pts == Fraction(29, 30)
