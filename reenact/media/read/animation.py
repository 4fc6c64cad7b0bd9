"""Converts animated WebP and AVIF to films, because FFmpeg reads only their first picture."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from fractions import Fraction
from pathlib import Path

import av
from av.container import OutputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from PIL import Image, ImageSequence

from reenact.media.read.spool import CaptureError, Source, Spooled

_KINDS = ("WEBP", "AVIF")
_HEAD_BYTES = 12
_MILLISECOND = Fraction(1, 1000)
_DEFAULT_MS = 100
"""Duration of a picture without one, in milliseconds, as in browsers."""


def is_animation(source: Source) -> bool:
    """Whether the file is an animated WebP or AVIF; FFmpeg reads other animations."""
    try:
        with open(source, "rb") as file:
            head = file.read(_HEAD_BYTES)
        if not (head.startswith(b"RIFF") and head.endswith(b"WEBP")) and not head.endswith(b"ftypavis"):
            return False
        with Image.open(source, formats=_KINDS) as picture:
            return int(getattr(picture, "n_frames", 1)) > 1
    except (OSError, ValueError, SyntaxError):
        return False  # the error is reported when the file is opened as a film


@contextmanager
def as_film(source: Source) -> Iterator[Spooled]:
    """Converts the animation to a lossless film that is deleted when the block ends. Raises CaptureError."""
    with ExitStack() as stack:
        descriptor, path = tempfile.mkstemp(prefix="reenact-", suffix=".mkv")
        os.close(descriptor)
        stack.callback(os.unlink, path)
        try:
            _convert(source, Path(path))
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            reason = getattr(error, "strerror", None) or error
            raise CaptureError(f"{source} cannot be read as an animation: {reason}") from error
        yield Spooled(str(source), Path(path))


def _convert(source: Source, path: Path) -> None:
    with (
        Image.open(source, formats=_KINDS) as animation,
        av.open(str(path), "w", format="matroska") as output,
    ):
        stream: VideoStream | None = None
        due_ms = 0
        for picture in ImageSequence.Iterator(animation):
            image = picture.convert("RGBA")
            stream = stream or _add_stream(output, image)
            frame = VideoFrame.from_image(image).reformat(format=stream.codec_context.pix_fmt)
            frame.pts, frame.time_base = due_ms, _MILLISECOND
            # Read after the conversion: WebP knows the duration only once the picture is loaded.
            due_ms += round(picture.info.get("duration", 0)) or _DEFAULT_MS
            output.mux(stream.encode(frame))
        if stream is not None:
            output.mux(stream.encode(None))


def _add_stream(output: OutputContainer, image: Image.Image) -> VideoStream:
    stream = output.add_stream("ffv1")
    assert isinstance(stream, VideoStream)
    context = stream.codec_context
    context.width, context.height = image.size
    opaque = image.getchannel("A").getextrema() == (255, 255)
    context.pix_fmt = "bgr0" if opaque else "bgra"
    context.time_base = _MILLISECOND
    return stream
