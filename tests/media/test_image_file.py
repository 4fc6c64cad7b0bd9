from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image, ImageCms

from reenact.media.image_file import Still, StillError, load_still, save_still


@pytest.fixture
def picture() -> np.ndarray:
    """(37, 52, 3): a gradient, different in every corner."""
    rows, columns = np.mgrid[0:37, 0:52]
    return np.dstack([rows * 6, columns * 4, 255 - rows * 3 - columns * 2]).astype(np.uint8)


def _srgb() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def _exif(orientation: int, maker: str) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = maker
    exif[0x8769] = {0x927C: b"maker's own notes"}
    return exif.tobytes()


@pytest.mark.parametrize("ending", ["png", "webp"])
def test_lossless_formats_return_pixels_alpha_exif_and_profile(
    tmp_path: Path, picture: np.ndarray, ending: str
) -> None:
    alpha = picture[..., 0].copy()
    still = Still(picture, alpha, _exif(1, "Maker"), _srgb())
    path = tmp_path / f"a.{ending}"
    assert save_still(still, path, quality=100) == ()
    back = load_still(path)
    np.testing.assert_array_equal(back.image, picture)
    assert back.alpha is not None
    np.testing.assert_array_equal(back.alpha, alpha)
    assert back.icc == still.icc
    assert Image.open(path).getexif()[0x010F] == "Maker"
    assert back.notes == ()


def test_jpeg_keeps_exif_and_profile_and_says_that_alpha_goes(tmp_path: Path, picture: np.ndarray) -> None:
    still = Still(picture, picture[..., 0].copy(), _exif(1, "Maker"), _srgb())
    notes = save_still(still, tmp_path / "a.jpg", comment="edited")
    back = load_still(tmp_path / "a.jpg")
    assert notes == ("alpha is dropped: JPEG has none",)
    assert back.alpha is None
    assert (back.exif, back.icc) == (still.exif, still.icc)
    assert np.abs(back.image.astype(int) - picture).mean() < 1.5
    assert Image.open(tmp_path / "a.jpg").info["comment"] == b"edited"


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_exif_orientation_comes_upright_once(
    tmp_path: Path, picture: np.ndarray, orientation: int
) -> None:
    turned = {
        1: picture,
        2: picture[:, ::-1],
        3: picture[::-1, ::-1],
        4: picture[::-1],
        5: picture.swapaxes(0, 1),
        6: np.rot90(picture),
        7: picture[::-1, ::-1].swapaxes(0, 1),
        8: np.rot90(picture, -1),
    }[orientation]
    path = tmp_path / "turned.png"
    Image.fromarray(np.ascontiguousarray(turned)).save(path, exif=_exif(orientation, "Maker"))
    still = load_still(path)
    np.testing.assert_array_equal(still.image, picture)
    save_still(still, tmp_path / "upright.png")
    np.testing.assert_array_equal(load_still(tmp_path / "upright.png").image, picture)
    saved = Image.open(tmp_path / "upright.png").getexif()
    assert (saved[0x0112], saved[0x010F]) == (1, "Maker")
    assert saved.get_ifd(0x8769)[0x927C] == b"maker's own notes"


def test_sixteen_bit_colour_is_halved_and_said(tmp_path: Path) -> None:
    values = np.linspace(0, 65535, 64 * 48 * 3).astype(np.uint16).reshape(48, 64, 3)
    encoder = av.CodecContext.create("png", "w")
    encoder.width, encoder.height, encoder.pix_fmt = 64, 48, "rgb48be"
    encoder.time_base = Fraction(1, 25)
    (packet,) = encoder.encode(av.VideoFrame.from_ndarray(values, "rgb48le").reformat(format="rgb48be"))
    (tmp_path / "deep.png").write_bytes(bytes(packet))
    still = load_still(tmp_path / "deep.png")
    assert still.notes == ("16-bit picture is processed at 8 bits",)
    assert np.abs(still.image.astype(int) - (values >> 8)).max() <= 1


def test_sixteen_bit_grey_is_scaled_not_clipped(tmp_path: Path) -> None:
    values = np.linspace(0, 65535, 64 * 48).astype(np.uint16).reshape(48, 64)
    Image.fromarray(values).save(tmp_path / "grey.png")
    still = load_still(tmp_path / "grey.png")
    assert still.notes == ("16-bit picture is processed at 8 bits",)
    np.testing.assert_array_equal(still.image[..., 1], values >> 8)


def test_palette_with_a_transparent_entry_has_alpha(tmp_path: Path) -> None:
    pixels = np.zeros((8, 8), np.uint8)
    pixels[:4] = 1
    palette = Image.fromarray(pixels, "P")
    palette.putpalette([255, 0, 0, 0, 255, 0])
    palette.save(tmp_path / "p.png", transparency=1)
    still = load_still(tmp_path / "p.png")
    assert still.alpha is not None
    assert still.alpha[0, 0] == 0 and still.alpha[7, 7] == 255
    assert tuple(still.image[7, 7]) == (255, 0, 0)


def test_grey_profile_does_not_stay_on_an_rgb_picture(tmp_path: Path, picture: np.ndarray) -> None:
    grey_profile = bytearray(_srgb())
    grey_profile[16:20] = b"GRAY"
    Image.fromarray(picture[..., 0]).save(tmp_path / "g.png", icc_profile=bytes(grey_profile))
    assert load_still(tmp_path / "g.png").icc is None


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("missing.png", None, "no such file"),
        ("text.png", b"hello there", "not a picture"),
        ("empty.jpg", b"", "not a picture"),
    ],
)
def test_bad_inputs_are_named_in_one_line(
    tmp_path: Path, name: str, content: bytes | None, words: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(StillError, match=words) as caught:
        load_still(tmp_path / name)
    assert name in str(caught.value) and "\n" not in str(caught.value)


def test_folder_and_cut_off_picture_are_refused(tmp_path: Path, picture: np.ndarray) -> None:
    with pytest.raises(StillError, match="folder"):
        load_still(tmp_path)
    memory = io.BytesIO()
    Image.fromarray(picture).save(memory, "JPEG")
    (tmp_path / "cut.jpg").write_bytes(memory.getvalue()[: len(memory.getvalue()) * 3 // 4])
    with pytest.raises(StillError, match=r"cut\.jpg cannot be read"):
        load_still(tmp_path / "cut.jpg")


def test_animation_is_refused(tmp_path: Path, picture: np.ndarray) -> None:
    first, second = Image.fromarray(picture), Image.fromarray(255 - picture)
    first.save(tmp_path / "a.gif", save_all=True, append_images=[second])
    with pytest.raises(StillError, match="animation of 2 pictures"):
        load_still(tmp_path / "a.gif")


def test_several_pictures_in_a_phones_jpeg_are_no_animation(tmp_path: Path, picture: np.ndarray) -> None:
    first, second = Image.fromarray(picture), Image.fromarray(255 - picture)
    first.save(tmp_path / "phone.jpg", "MPO", save_all=True, append_images=[second], quality=95)
    assert np.abs(load_still(tmp_path / "phone.jpg").image.astype(int) - picture).mean() < 4


def test_unknown_ending_and_unwritable_place_leave_nothing_behind(
    tmp_path: Path, picture: np.ndarray
) -> None:
    with pytest.raises(StillError, match=r"choose \.png"):
        save_still(Still(picture), tmp_path / "a.xyz")
    with pytest.raises(StillError, match="cannot be written"):
        save_still(Still(picture), tmp_path / "no" / "a.png")
    (tmp_path / "dir.png").mkdir()
    with pytest.raises(StillError, match="not a file"):
        save_still(Still(picture), tmp_path / "dir.png")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dir.png"]


def test_a_failed_write_keeps_the_old_picture(tmp_path: Path) -> None:
    path = tmp_path / "old.jpg"
    path.write_bytes(b"old")
    too_wide = np.zeros((1, 70000, 3), np.uint8)  # JPEG ends at 65535
    with pytest.raises(StillError, match="cannot be written"):
        save_still(Still(too_wide), path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
