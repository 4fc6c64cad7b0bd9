"""How pictures become a video file, whatever they come from: kinds of files, codecs, colours."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Protocol

import av
from av.container import OutputContainer
from av.packet import Packet
from av.stream import Disposition
from av.video.stream import VideoStream

from engines.threads import codec_threads
from reenact.media.colour import LIMITED, RGB, UNSPECIFIED, Colour

PRESETS = ("ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow")
# Written anew by every muxer, or said of the picture (timecode).
_FORMAT_KEYS = frozenset({"major_brand", "minor_version", "compatible_brands", "encoder", "timecode"})
# Beginnings of the names of labels that hold for the picture as it was encoded before.
_ENCODED_KEYS = (
    "encoder",
    "vendor_id",
    "alpha_mode",
    "rotate",
    "duration",
    "bps",
    "number_of_",
    "_statistics_",
)


class SinkError(OSError):
    """The output cannot be written; the message is one line for the user."""


@dataclass(frozen=True)
class Encoding:
    """How the output's picture is compressed."""

    codec: str | None = None
    """None: the first of CODECS that the kind of file holds, which is vp9 for WebM and otherwise h264."""
    crf: int | None = None
    """Constant quality, lower is better and larger; None takes the codec's usual value."""
    preset: str = "veryfast"
    """x264's scale of speed against size, translated for other codecs."""
    threads: int = 0
    """Of the encoder; 0 lets it choose among the cores that this process may use."""


@dataclass(frozen=True)
class Codec:
    """How FFmpeg makes one kind of video."""

    encoder: str
    crf: int
    """The quality that is taken where none is asked for: hard to tell from the input."""
    containers: tuple[str, ...]
    worst_crf: int
    preset: Callable[[int], Mapping[str, str]]
    """Its own options for a speed, from 0, the fastest, as in PRESETS."""
    odd_sizes: bool
    """Whether 4:2:0 pictures with an odd number of rows or columns can be stored."""

    def options(self, encoding: Encoding, threads: int = 0) -> dict[str, str]:
        """threads: 0 lets the encoder choose."""
        crf = self.crf if encoding.crf is None else encoding.crf
        options = {"crf": str(crf), **self.preset(PRESETS.index(encoding.preset))}
        if threads and "x265-params" in options:
            options["x265-params"] += f":pools={threads}"  # it takes no other word for them
        return options


@dataclass(frozen=True)
class Container:
    """A file type, by its ending."""

    format: str
    options: Mapping[str, str]


class Pictures(Protocol):
    """What an encoder must know of the pictures to come; a FileCapture says it of its own."""

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) in pixels."""

    @property
    def rate(self) -> Fraction | None:
        """Pictures per second, on average."""

    @property
    def time_base(self) -> Fraction:
        """Every `pts` is a whole multiple of it, in seconds."""

    @property
    def pixel_aspect(self) -> Fraction:
        """Width over height of one pixel."""

    @property
    def colour(self) -> Colour: ...


_X265_DELAY = 2
"""Pictures by which x265 decodes ahead of showing."""
_MP4 = {"movflags": "+faststart"}
CONTAINERS: Mapping[str, Container] = {
    ".mp4": Container("mp4", _MP4),
    ".m4v": Container("mp4", _MP4),
    ".mov": Container("mov", _MP4),
    ".mkv": Container("matroska", {}),
    ".webm": Container("webm", {}),
}


def _x264(speed: int) -> Mapping[str, str]:
    return {"preset": PRESETS[speed]}


def _x265(speed: int) -> Mapping[str, str]:
    return {"preset": PRESETS[speed], "x265-params": "log-level=none"}


def _vpx(speed: int) -> Mapping[str, str]:
    return {"deadline": "good", "cpu-used": str(8 - speed), "row-mt": "1"}


CODECS: Mapping[str, Codec] = {
    "h264": Codec("libx264", 20, ("mp4", "mov", "matroska"), 51, _x264, odd_sizes=False),
    "hevc": Codec("libx265", 22, ("mp4", "mov", "matroska"), 51, _x265, odd_sizes=False),
    "vp9": Codec("libvpx-vp9", 28, ("mp4", "matroska", "webm"), 63, _vpx, odd_sizes=True),
}


def choose(path: Path, encoding: Encoding) -> tuple[Container, Codec]:
    container = CONTAINERS.get(path.suffix.lower())
    if container is None:
        raise SinkError(
            f"{path}: no video can be written as {path.suffix or 'a name without ending'!r}; "
            f"choose {', '.join(CONTAINERS)}"
        )
    fitting = [name for name, codec in CODECS.items() if container.format in codec.containers]
    name = encoding.codec or fitting[0]
    codec = CODECS.get(name)
    if codec is None:
        raise SinkError(f"unknown codec {name!r}; choose {', '.join(CODECS)}")
    if name not in fitting:
        raise SinkError(f"{path.suffix} files do not hold {name}; choose {', '.join(fitting)}")
    if encoding.preset not in PRESETS:
        raise SinkError(f"unknown preset {encoding.preset!r}; choose {', '.join(PRESETS)}")
    if encoding.crf is not None and not 0 <= encoding.crf <= codec.worst_crf:
        raise SinkError(f"crf {encoding.crf} is out of range for {name}: 0 to {codec.worst_crf}")
    return container, codec


def require_place(path: Path) -> None:
    """Refuses, now, a name under which no file could be written."""
    folder = path.resolve().parent
    if not folder.is_dir():
        raise SinkError(f"{path}: the folder {folder} does not exist")
    if path.exists() and not path.is_file():
        raise SinkError(f"{path} is not a file that could be replaced")
    if not os.access(folder, os.W_OK):
        raise SinkError(f"{path} cannot be written: the folder {folder} is read-only for you")


@contextmanager
def named_errors(path: Path) -> Iterator[None]:
    """Around what writes: what fails becomes a SinkError that names the file."""
    try:
        yield
    except SinkError:
        raise
    except (av.FFmpegError, OSError) as error:
        raise SinkError(f"{path} cannot be written: {error.strerror}") from error


@contextmanager
def open_output(path: Path, format: str, options: Mapping[str, str]) -> Iterator[OutputContainer]:
    output = av.open(f"file:{path}", "w", format=format, container_options=dict(options))
    try:
        yield output
    except BaseException:
        # What went wrong first is what the user should read, not that the end could not be written either.
        with suppress(av.FFmpegError):
            output.close()
        raise
    output.close()


def add_picture(
    output: OutputContainer, like: Pictures, codec: Codec, encoding: Encoding, size: tuple[int, int]
) -> VideoStream:
    """The output's picture, of (height, width), of pictures such as `like`."""
    threads = encoding.threads or codec_threads()
    options = codec.options(encoding, threads)
    stream = output.add_stream(codec.encoder, rate=like.rate or Fraction(25), options=options)
    assert isinstance(stream, VideoStream)
    context = stream.codec_context
    height, width = size
    context.height = height if codec.odd_sizes else height + height % 2
    context.width = width if codec.odd_sizes else width + width % 2
    context.pix_fmt = "yuv420p"
    context.time_base = like.time_base
    context.sample_aspect_ratio = like.pixel_aspect
    # Frames in parallel: the encoder's own choice, slices, is a fifth slower and costs bits.
    context.thread_type = "AUTO"
    context.thread_count = threads
    colour = output_colour(like.colour, like.size, size)
    context.color_range = colour.range
    context.colorspace = colour.matrix
    context.color_primaries = colour.primaries
    context.color_trc = colour.transfer
    return stream


def last_packets(stream: VideoStream) -> list[Packet[VideoStream]]:
    """What the encoder still holds when no more pictures come.

    x265 has a film of one or two pictures decoded at times that it never sets: whatever lies in memory there.
    Such pictures are decoded in the order in which they are shown.
    """
    packets = stream.encode(None)
    if stream.codec_context.codec.name == "libx265" and len(packets) <= _X265_DELAY:
        for packet in packets:
            packet.dts = packet.pts
    return packets


def output_colour(colour: Colour, input_size: tuple[int, int], output_size: tuple[int, int]) -> Colour:
    """The input's tags, made exact where they would not hold for the output.

    RGB becomes limited-range YUV, which every player knows. A matrix that was left to be guessed from the
    size is named once the size changes.
    """
    if colour.matrix == RGB:
        return replace(colour, range=LIMITED, matrix=colour.effective_matrix(output_size[0]))
    if colour.matrix == UNSPECIFIED and input_size != output_size:
        return replace(colour, matrix=colour.effective_matrix(input_size[0]))
    return colour


def label(output: OutputContainer, metadata: Mapping[str, str], comment: str | None) -> None:
    """Takes over what is said of the input, and adds a comment."""
    output.metadata.update({key: value for key, value in metadata.items() if key not in _FORMAT_KEYS})
    if comment:
        earlier = metadata.get("comment")
        output.metadata["comment"] = f"{earlier}; {comment}" if earlier else comment


def label_picture(stream: VideoStream, labels: Mapping[str, str], disposition: int) -> None:
    """Takes over what is said of the input's picture: its timecode, its language, that it is the default."""
    stream.metadata.update(
        {key: value for key, value in labels.items() if not key.lower().startswith(_ENCODED_KEYS)}
    )
    stream.disposition = Disposition(disposition)


def size_notes(codec: Codec, size: tuple[int, int]) -> list[str]:
    """What happens to pictures of (height, width) on their way into the file."""
    height, width = size
    if codec.odd_sizes or not (height % 2 or width % 2):
        return []
    return [
        f"{width}x{height} is stored as {width + width % 2}x{height + height % 2} with its last row or "
        "column doubled, because players need even sizes (vp9 keeps odd ones)"
    ]
