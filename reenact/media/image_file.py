"""Reads pictures as upright RGB and writes them with the file's alpha, EXIF and colour profile."""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageOps, PngImagePlugin, UnidentifiedImageError

from engines.engine import one_line
from reenact.media.atomic import replacing
from reenact.media.read.spool import CaptureError, Source, needs_spooling, spooled

_ORIENTATION_TAG = 0x0112
_FORMATS = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".webp": "WEBP",
    ".heic": "HEIF",
    ".heif": "HEIF",
    ".hif": "HEIF",
}
_ANIMATED = frozenset({"GIF", "PNG", "WEBP", "AVIF"})
_HEIF_BRANDS = frozenset(
    {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"}
)
"""The brands of HEIC files, bytes 8 to 12 of a file."""


_UNREADABLE = (OSError, ValueError, SyntaxError, EOFError, RuntimeError, Image.DecompressionBombError)
"""The errors that Pillow and pillow-heif raise for a file that is damaged, cut short or too large."""


class StillError(OSError):
    """Raised where a picture cannot be read or written; the message is one line for the user."""


@dataclass(frozen=True, eq=False)
class Still:
    """A picture with the metadata of its file."""

    image: NDArray[np.uint8]
    """The picture, (height, width, 3) RGB, upright."""
    alpha: NDArray[np.uint8] | None = None
    """The opacity, (height, width): 0 transparent, 255 opaque. None: the picture is opaque."""
    exif: bytes | None = None
    """The file's EXIF data with its orientation set to upright. None: the file has none."""
    icc: bytes | None = None
    """The RGB colour profile of `image`. None: the picture is in sRGB."""
    notes: tuple[str, ...] = ()
    """What was lost when the file was read, one line each."""


def load_still(source: Source | str) -> Still:
    """Reads the picture `source`, rotated upright as its EXIF says. Raises StillError."""
    if isinstance(source, Path | str) and needs_spooling(source):
        try:
            with spooled(source) as picture:
                return load_still(picture)
        except CaptureError as error:
            raise StillError(str(error)) from error
    path = Path(source) if isinstance(source, str) else source
    try:
        _prepare_heif(path)
        with Image.open(path) as picture:
            count = _count(picture)
            if count > 1:
                raise StillError(
                    f"{path} is an animation of {count} pictures; use `reenact video` for animations"
                )
            return _still(ImageOps.exif_transpose(picture), dict(picture.info), _notes(path, picture))
    except StillError:
        raise
    except FileNotFoundError as error:
        raise StillError(f"{path}: no such file") from error
    except IsADirectoryError as error:
        raise StillError(f"{path} is a folder; a picture is needed") from error
    except UnidentifiedImageError as error:
        if Path(path).stat().st_size == 0:
            raise StillError(f"{path} is empty (0 bytes), not a picture that can be read") from error
        raise StillError(
            f"{path} is not a picture that can be read (use `reenact video` for films)"
        ) from error
    except _UNREADABLE as error:
        raise StillError(f"{path} cannot be read as a picture: {one_line(error)}") from error


def count_pictures(source: Source) -> int:
    """The number of pictures in an animation; 1 for a still, 0 for a file that is no picture."""
    try:
        _prepare_heif(source)
        with Image.open(source) as picture:
            return _count(picture)
    except StillError:
        return 1
    except _UNREADABLE:
        return 0


def _count(picture: Image.Image) -> int:
    # A phone's JPEG or HEIC may contain several pictures without being an animation: the first is used.
    return int(getattr(picture, "n_frames", 1)) if picture.format in _ANIMATED else 1


def _prepare_heif(source: Source) -> None:
    """Registers the reader of HEIC with Pillow, if the file is one. Raises StillError if it is missing."""
    with open(source, "rb") as file:
        head = file.read(12)
    if head[4:8] == b"ftyp" and head[8:12] in _HEIF_BRANDS:
        _register_heif(f"{source} is a HEIC picture")


def _register_heif(reason: str) -> None:
    try:
        import pillow_heif
    except ImportError as error:
        raise StillError(f"{reason}, which needs another library: pip install 'reenact[heic]'") from error
    pillow_heif.register_heif_opener()


def save_still(
    still: Still, path: str | Path, quality: int = 95, comment: str | None = None
) -> tuple[str, ...]:
    """Writes the picture in the format of the path's ending. Returns what was lost, one line each.

    quality: 1..100 for JPEG, WebP and HEIC; 100 is lossless for WebP and HEIC. comment: the comment stored in
    a PNG or JPEG file; WebP and HEIC have none. None: no comment. Raises StillError.
    """
    path = Path(path)
    kind = _FORMATS.get(path.suffix.lower())
    if kind is None:
        raise StillError(
            f"{path}: no picture can be written as {path.suffix!r}; choose {', '.join(_FORMATS)}"
        )
    if path.exists() and not path.is_file():
        raise StillError(f"{path} is not a file that could be replaced")
    alpha = None if kind == "JPEG" else still.alpha
    pixels = still.image if alpha is None else np.dstack([still.image, alpha])
    kept = {"exif": still.exif, "icc_profile": still.icc}
    options = {key: value for key, value in kept.items() if value} | _options(kind, quality, comment)
    if kind == "HEIF":
        _register_heif(f"{path} is to be a HEIC picture")
        if kind not in Image.SAVE:
            raise StillError(
                f"{path} cannot be written: this pillow-heif reads HEIC only; "
                "pip install --force-reinstall pillow-heif, or choose a name that ends in .png"
            )
    try:
        with replacing(path) as beside:
            Image.fromarray(pixels).save(beside, kind, **options)
    except (OSError, ValueError, RuntimeError) as error:  # RuntimeError: HEIC's encoder
        reason = getattr(error, "strerror", None) or error
        raise StillError(f"{path} cannot be written: {one_line(reason)}") from error
    return ("alpha is dropped: JPEG has none",) if still.alpha is not alpha else ()


def _still(picture: Image.Image, info: dict[Any, Any], notes: tuple[str, ...]) -> Still:
    icc = info.get("icc_profile")
    if picture.mode == "CMYK" and icc:
        picture = _from_cmyk(picture, icc)
    exif = info.get("exif")
    alpha = picture.convert("RGBA").getchannel("A") if picture.has_transparency_data else None
    return Still(
        image=_rgb(picture),
        alpha=None if alpha is None else np.asarray(alpha),
        exif=_upright(exif) if exif else None,
        icc=icc if icc and _is_rgb_profile(icc) else None,
        notes=notes,
    )


def _rgb(picture: Image.Image) -> NDArray[np.uint8]:
    if picture.mode.startswith("I"):
        # Pillow clips where it should scale: 16-bit grey above 255 would all be white.
        grey = (np.asarray(picture).astype(np.uint32) >> 8).clip(0, 255).astype(np.uint8)
        return np.dstack([grey, grey, grey])
    return np.asarray(picture.convert("RGB"))


def _from_cmyk(picture: Image.Image, icc: bytes) -> Image.Image:
    converted = ImageCms.profileToProfile(
        picture, io.BytesIO(icc), ImageCms.createProfile("sRGB"), outputMode="RGB"
    )
    assert converted is not None
    return converted


def _is_rgb_profile(icc: bytes) -> bool:
    return icc[16:20] == b"RGB "


def _notes(path: Source, picture: Image.Image) -> tuple[str, ...]:
    notes = []
    if _bit_depth(path, picture) > 8:
        notes.append(f"{_bit_depth(path, picture)}-bit picture is processed at 8 bits")
    if picture.mode == "CMYK":
        notes.append("CMYK picture is converted to RGB")
    return tuple(notes)


def _bit_depth(path: Source, picture: Image.Image) -> int:
    """The bits of a channel. Pillow converts 16-bit PNG to 8 bits, so its header is read here."""
    if picture.format == "PNG":
        with open(path, "rb") as file:
            return file.read(25)[24]
    if "bit_depth" in picture.info:
        return int(picture.info["bit_depth"])  # HEIC
    return 16 if picture.mode.startswith("I") else 8


def _upright(exif: bytes) -> bytes:
    """The same EXIF data with orientation 1. Two bytes are patched, because Pillow would lose parts of it."""
    start = 6 if exif.startswith(b"Exif\0\0") else 0
    order = {b"II": "<", b"MM": ">"}.get(exif[start : start + 2])
    if order is None:
        return exif
    patched = bytearray(exif)
    try:
        (directory,) = struct.unpack_from(order + "I", exif, start + 4)
        (entries,) = struct.unpack_from(order + "H", exif, start + directory)
        for entry in range(entries):
            at = start + directory + 2 + 12 * entry
            if struct.unpack_from(order + "H", exif, at)[0] == _ORIENTATION_TAG:
                struct.pack_into(order + "H", patched, at + 8, 1)
    except struct.error:
        return exif
    return bytes(patched)


def _options(kind: str, quality: int, comment: str | None) -> dict[str, Any]:
    if kind == "PNG":
        information = PngImagePlugin.PngInfo()
        if comment:
            information.add_itxt("Comment", comment)
        return {"pnginfo": information}
    if kind == "JPEG":
        # Full chroma resolution: at half of it, colour bleeds over lips and teeth.
        return {"quality": quality, "subsampling": 0, **({"comment": comment} if comment else {})}
    if kind == "HEIF":
        lossless = {"quality": -1, "matrix_coefficients": 0}
        return {"chroma": "444", **(lossless if quality == 100 else {"quality": quality})}
    return {"quality": quality, "lossless": quality == 100, "exact": True}
