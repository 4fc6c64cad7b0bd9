"""HEIC pictures, with the library that the extra `heic` brings, and without it."""

from __future__ import annotations

import io
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image, ImageFile

from reenact.cli import main
from reenact.measure.read_aus import PICTURES, is_still
from reenact.media.image_file import Still, StillError, count_pictures, load_still, save_still
from reenact.media.read import CaptureError, open_capture
from reenact.run.demo import PORTRAIT
from tests.support.media import gradient

HEAD = b"\x00\x00\x00\x1cftypheic\x00\x00\x00\x00mif1heic"


@pytest.fixture
def without_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)


WIDEST = 16384
"""What the real library's encoder can be opened with, unless it is to lose nothing."""


@dataclass
class Library:
    """What tests break of the fake library."""

    encoder: bool = True
    """False: as a pillow_heif that was built to read only."""


@pytest.fixture
def fake_library(monkeypatch: pytest.MonkeyPatch) -> Library:
    """A pillow_heif that registers itself as the real one (1.8) does, under Pillow's format "HEIF", takes the
    same options and raises the same errors; behind the head of a HEIC file it keeps a PNG."""
    library = Library()

    class HeifImageFile(ImageFile.ImageFile):
        format = "HEIF"

        def _open(self) -> None:
            try:
                self._inner = Image.open(io.BytesIO(self.fp.read()[len(HEAD) :]))
            except OSError as error:  # so the real one, which Pillow then takes for "no such picture"
                raise SyntaxError(str(error)) from None
            self._mode, self._size = self._inner.mode, self._inner.size
            self.info = {"exif": None, "bit_depth": 8, "primary": True, "original_orientation": None}

        def load(self) -> object:
            try:
                self._inner.load()
            except (OSError, SyntaxError):
                raise EOFError("Decoder plugin generated an error: Unexpected end of file") from None
            self.im = self._inner.im
            return None

    def save(picture: Image.Image, file: object, name: str) -> None:
        options = picture.encoderinfo
        assert set(options) <= {"quality", "chroma", "exif", "icc_profile", "matrix_coefficients"}
        assert options["chroma"] == "444" and -1 <= options["quality"] <= 100
        if options["quality"] != -1 and max(picture.size) > WIDEST:
            raise RuntimeError(
                "Error during encoding or writing output file: Initialization problem: "
                "x265 encoder could not be opened with the given parameters"
            )
        file.write(HEAD)
        picture.copy().save(inner := io.BytesIO(), "PNG")
        file.write(inner.getvalue())

    def register_heif_opener(**options: object) -> None:
        assert not options, "the real one only warns of those that it does not know"
        brands = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1")
        Image.register_open(
            "HEIF", HeifImageFile, lambda prefix: prefix[4:8] == b"ftyp" and prefix[8:12] in brands
        )
        if library.encoder:
            Image.register_save("HEIF", save)

    module = ModuleType("pillow_heif")
    module.register_heif_opener = register_heif_opener  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pillow_heif", module)
    Image.init()  # all that Pillow knows, before what is registered here is forgotten again
    monkeypatch.setattr(Image, "OPEN", dict(Image.OPEN))
    monkeypatch.setattr(Image, "SAVE", dict(Image.SAVE))
    monkeypatch.setattr(Image, "ID", list(Image.ID))
    for known in (Image.OPEN, Image.SAVE):
        known.pop("HEIF", None)  # of the real library, where a test before has used it
    return library


def _round_trip(folder: Path) -> None:
    still = Still(gradient(3, (48, 64)))
    for quality in (95, 100):
        assert save_still(still, folder / "a.heic", quality) == ()
        back = load_still(folder / "a.heic")
        assert np.abs(back.image.astype(int) - still.image).mean() < 3
    assert is_still(folder / "a.heic")


def test_without_the_library_one_line_says_what_to_install(tmp_path: Path, without_library: None) -> None:
    (tmp_path / "a.heic").write_bytes(HEAD + bytes(100))
    (tmp_path / "named.jpg").write_bytes(HEAD + bytes(100))
    for name in ("a.heic", "named.jpg"):
        with pytest.raises(StillError, match=r"is a HEIC picture.*pip install 'reenact\[heic\]'"):
            load_still(tmp_path / name)
    with pytest.raises(StillError, match=r"b\.heic is to be a HEIC picture.*'reenact\[heic\]'"):
        save_still(Still(gradient(0, (48, 64))), tmp_path / "b.heic")
    assert not (tmp_path / "b.heic").exists()
    result = CliRunner().invoke(main, ["aus", str(tmp_path / "a.heic")])
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1 and "reenact[heic]" in result.stderr


def test_with_the_library_pictures_go_in_and_out(tmp_path: Path, fake_library: Library) -> None:
    _round_trip(tmp_path)


def _refused(path: Path) -> str:
    """The one line with which a damaged picture is refused, by the functions and by the command."""
    with pytest.raises(StillError, match="cannot be read as a picture") as caught:
        load_still(path)
    assert count_pictures(path) <= 1
    result = CliRunner().invoke(main, ["aus", str(path)])
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1, result.output
    return str(caught.value)


def test_a_heic_whose_end_is_missing_is_refused_in_one_line(tmp_path: Path, fake_library: Library) -> None:
    """The library raises EOFError, which is no OSError."""
    save_still(Still(gradient(3, (480, 640))), tmp_path / "a.heic")
    content = (tmp_path / "a.heic").read_bytes()
    (tmp_path / "a.heic").write_bytes(content[: len(content) // 2])
    assert "Unexpected end of file" in _refused(tmp_path / "a.heic")


@pytest.mark.parametrize("brand", [b"hevm", b"hevs", b"heix"])
def test_every_kind_of_heic_that_the_library_reads_is_read(
    brand: bytes, tmp_path: Path, fake_library: Library
) -> None:
    save_still(Still(gradient(3, (48, 64))), tmp_path / "a.heic")
    content = (tmp_path / "a.heic").read_bytes()
    (tmp_path / "a.heic").write_bytes(content[:8] + brand + content[12:])
    del Image.OPEN["HEIF"], Image.ID[Image.ID.index("HEIF")]  # as in a process that has written none
    assert load_still(tmp_path / "a.heic").image.shape == (48, 64, 3)


def test_a_picture_that_the_encoder_refuses_is_told_in_one_line_and_nothing_is_written(
    tmp_path: Path, fake_library: Library
) -> None:
    """The library raises RuntimeError."""
    wide = Still(np.zeros((2, WIDEST + 2, 3), np.uint8))
    with pytest.raises(StillError, match=r"a\.heic cannot be written: .*encoder could not be opened"):
        save_still(wide, tmp_path / "a.heic")
    assert list(tmp_path.iterdir()) == []


def test_a_library_that_only_reads_is_told_before_anything_is_written(
    tmp_path: Path, fake_library: Library
) -> None:
    fake_library.encoder = False
    with pytest.raises(StillError, match=r"a\.heic cannot be written: this pillow-heif reads HEIC only"):
        save_still(Still(gradient(3, (48, 64))), tmp_path / "a.heic")
    assert list(tmp_path.iterdir()) == []


def test_the_real_library_refuses_in_one_line_what_is_damaged(tmp_path: Path) -> None:
    pytest.importorskip("pillow_heif")
    save_still(Still(gradient(3, (48, 64))), tmp_path / "a.heic")
    content = (tmp_path / "a.heic").read_bytes()
    dice = np.random.default_rng(2)
    for _ in range(300):
        damaged = bytearray(content)
        for place in dice.integers(12, len(content), 3):
            damaged[place] = dice.integers(256)
        (tmp_path / "b.heic").write_bytes(damaged)
        assert count_pictures(tmp_path / "b.heic") <= 1
        try:
            load_still(tmp_path / "b.heic")
        except StillError as error:
            assert "\n" not in str(error)


def test_the_real_library_does_it(tmp_path: Path) -> None:
    pytest.importorskip("pillow_heif")
    _round_trip(tmp_path)
    exif = Image.Exif()
    exif[0x010F], exif[0x0112] = "Maker", 1
    picture = np.asarray(Image.open(PORTRAIT).convert("RGB"))
    save_still(Still(picture, exif=exif.tobytes()), tmp_path / "b.heif", quality=100)
    back = load_still(tmp_path / "b.heif")
    np.testing.assert_array_equal(back.image, picture)
    assert back.notes == ()
    assert back.exif is not None and b"Maker" in back.exif
    with pytest.raises(CaptureError, match="reenact image"):
        open_capture(tmp_path / "b.heif")


def test_a_heic_given_to_the_video_command_is_a_still(tmp_path: Path) -> None:
    """FFmpeg may read one of a single tile as a film of one picture."""
    assert {".heic", ".heif", ".hif"} <= PICTURES
    Image.fromarray(gradient(0, (48, 64))).save(tmp_path / "a.avif")
    content = (tmp_path / "a.avif").read_bytes()
    (tmp_path / "a.heic").write_bytes(content[:8] + b"heic" + content[12:])
    with pytest.raises(CaptureError, match="reenact image"):
        open_capture(tmp_path / "a.heic")
