"""Animated pictures of kinds of which FFmpeg sees only the first picture, as films."""

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
_USUAL_MS = 100
"""Of a picture that says nothing of how long it is shown, as in browsers."""


def is_animation(source: Source) -> bool:
    """Whether it is an animated WebP or AVIF; others FFmpeg knows."""
    try:
        with open(source, "rb") as file:
            head = file.read(_HEAD_BYTES)
        if not (head.startswith(b"RIFF") and head.endswith(b"WEBP")) and not head.endswith(b"ftypavis"):
            return False
        with Image.open(source, formats=_KINDS) as picture:
            return int(getattr(picture, "n_frames", 1)) > 1
    except (OSError, ValueError, SyntaxError):
        return False  # who opens it as a film says what is wrong


@contextmanager
def as_film(source: Source) -> Iterator[Spooled]:
    """The animation as a film without loss, which is gone afterwards. Raises CaptureError."""
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
        # Before the first picture, because WebP tells the time of a picture only once it is loaded.
        stream: VideoStream | None = None
        due_ms = 0
        for picture in ImageSequence.Iterator(animation):
            image = picture.convert("RGBA")
            stream = stream or _add_stream(output, image)
            frame = VideoFrame.from_image(image).reformat(format=stream.codec_context.pix_fmt)
            frame.pts, frame.time_base = due_ms, _MILLISECOND
            due_ms += round(picture.info.get("duration", 0)) or _USUAL_MS
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
