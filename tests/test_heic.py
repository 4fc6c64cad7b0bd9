"""HEIC pictures, with the library that the extra `heic` brings, and without it."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from reenact.capture import CaptureError, open_capture
from reenact.cli import main
from reenact.demo import PORTRAIT
from reenact.read import PICTURES, is_still
from reenact.stills import Still, StillError, load_still, save_still
from tests.media import gradient

HEAD = b"\x00\x00\x00\x1cftypheic\x00\x00\x00\x00mif1heic"


@pytest.fixture
def without_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)


@pytest.fixture
def fake_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pillow_heif that registers itself as the real one does, under Pillow's format "HEIF", and takes the
    same options; behind the head of a HEIC file it keeps a PNG."""
    from PIL import ImageFile

    class HeifImageFile(ImageFile.ImageFile):
        format = "HEIF"

        def _open(self) -> None:
            self._inner = Image.open(io.BytesIO(self.fp.read()[len(HEAD) :]))
            self._mode, self._size = self._inner.mode, self._inner.size
            self.info = {"exif": None, "bit_depth": 8, "primary": True}

        def load(self) -> object:
            self._inner.load()
            self.im = self._inner.im
            return None

    def save(picture: Image.Image, file: object, name: str) -> None:
        options = picture.encoderinfo
        assert set(options) <= {"quality", "chroma", "exif", "icc_profile", "matrix_coefficients"}
        assert options["chroma"] == "444" and -1 <= options["quality"] <= 100
        file.write(HEAD)
        picture.copy().save(inner := io.BytesIO(), "PNG")
        file.write(inner.getvalue())

    def register_heif_opener() -> None:
        Image.register_open("HEIF", HeifImageFile, lambda prefix: prefix[4:12] == b"ftypheic")
        Image.register_save("HEIF", save)

    module = ModuleType("pillow_heif")
    module.register_heif_opener = register_heif_opener  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pillow_heif", module)
    Image.init()  # all that Pillow knows, before what is registered here is forgotten again
    monkeypatch.setattr(Image, "OPEN", dict(Image.OPEN))
    monkeypatch.setattr(Image, "SAVE", dict(Image.SAVE))
    monkeypatch.setattr(Image, "ID", list(Image.ID))


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


def test_with_the_library_pictures_go_in_and_out(tmp_path: Path, fake_library: None) -> None:
    _round_trip(tmp_path)


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
