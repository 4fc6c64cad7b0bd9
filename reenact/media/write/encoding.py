"""Encodes pictures to a video file: containers, codecs and colour tags."""

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
from reenact.media.colour import HD, LIMITED, RGB, UNSPECIFIED, Colour

PRESETS = ("ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow")
# Metadata that every muxer writes itself, or that belongs to the video stream (timecode).
_FORMAT_KEYS = frozenset({"major_brand", "minor_version", "compatible_brands", "encoder", "timecode"})
# Prefixes of the names of metadata that describe the video stream's former encoding.
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
    """Raised where the output cannot be written; the message is one line for the user."""


@dataclass(frozen=True)
class Encoding:
    """The compression of the output's video stream."""

    codec: str | None = None
    """A name in CODECS. None: the first one that the container supports, vp9 for WebM and otherwise h264."""
    crf: int | None = None
    """The constant rate factor: lower values give better quality. None: the codec's default."""
    preset: str = "veryfast"
    """One of PRESETS, x264's scale of speed against size, which is translated for other codecs."""
    threads: int = 0
    """The number of the encoder's threads; 0 is one for each core that this process may use."""


@dataclass(frozen=True)
class Codec:
    """A video codec and the options of its FFmpeg encoder."""

    encoder: str
    """FFmpeg's name of the encoder."""
    crf: int
    """The default constant rate factor, at which the output is hard to tell from the input."""
    containers: tuple[str, ...]
    """FFmpeg's names of the containers that support the codec."""
    worst_crf: int
    """The highest constant rate factor, which gives the lowest quality."""
    preset: Callable[[int], Mapping[str, str]]
    """Gives the encoder's options for an index in PRESETS; 0 is the fastest."""
    odd_sizes: bool
    """Whether 4:2:0 pictures with an odd number of rows or columns can be stored."""
    quality: Callable[[int], Mapping[str, str]] = lambda crf: {"crf": str(crf)}
    """Gives the encoder's options for a constant rate factor."""
    pixel_format: str = "yuv420p"
    """FFmpeg's name of the format in which the encoder takes pictures."""
    needs: str | None = None
    """The hardware that encodes. None: the processor encodes, on every machine."""
    bits_per_pixel: Callable[[int], float] | None = None
    """Gives the bit rate for a constant rate factor, in bits for a pixel. None: the encoder finds it."""

    def options(self, encoding: Encoding, threads: int = 0) -> dict[str, str]:
        """The encoder's options. threads: 0 lets the encoder choose."""
        options = {**self.quality(self._crf(encoding)), **self.preset(PRESETS.index(encoding.preset))}
        if threads and "x265-params" in options:
            options["x265-params"] += f":pools={threads}"  # x265 ignores FFmpeg's setting of threads
        return options

    def bit_rate(self, encoding: Encoding, size: tuple[int, int], rate: Fraction) -> int | None:
        """The bits per second for pictures of (height, width). None: the encoder finds them."""
        if self.bits_per_pixel is None:
            return None
        return round(self.bits_per_pixel(self._crf(encoding)) * size[0] * size[1] * rate)

    def _crf(self, encoding: Encoding) -> int:
        return self.crf if encoding.crf is None else encoding.crf


@dataclass(frozen=True)
class Container:
    """A container format."""

    format: str
    """FFmpeg's name of the format."""
    options: Mapping[str, str]
    """Options of FFmpeg's muxer."""


class Pictures(Protocol):
    """The properties of the pictures to encode; a FileCapture has them."""

    @property
    def size(self) -> tuple[int, int]:
        """The (height, width) in pixels."""

    @property
    def rate(self) -> Fraction | None:
        """The average frames per second. None: they are unknown."""

    @property
    def time_base(self) -> Fraction:
        """The time base in seconds: every `pts` is a whole multiple of it."""

    @property
    def pixel_aspect(self) -> Fraction:
        """The width of one pixel over its height."""

    @property
    def colour(self) -> Colour:
        """The colour tags."""


@dataclass(frozen=True)
class PictureFormat:
    """The properties of pictures that do not come from a file."""

    size: tuple[int, int]
    """The (height, width) in pixels."""
    rate: Fraction | None
    """The average frames per second. None: they are unknown."""
    time_base: Fraction
    """The time base in seconds: every `pts` is a whole multiple of it."""
    pixel_aspect: Fraction = Fraction(1)
    """The width of one pixel over its height."""
    colour: Colour = HD
    """The colour tags."""


_X265_DELAY = 2
"""The number of pictures by which x265's decoding times precede the display times."""
_MP4 = {"movflags": "+faststart"}
CONTAINERS: Mapping[str, Container] = {
    ".mp4": Container("mp4", _MP4),
    ".m4v": Container("mp4", _MP4),
    ".mov": Container("mov", _MP4),
    ".mkv": Container("matroska", {}),
    ".webm": Container("webm", {}),
}


def _x264(speed: int) -> Mapping[str, str]:
    # At some widths x264's code for AVX-512 gives another file at every run. With cpu-independent the file is
    # the same on every processor, in the same time (150 frames of 720p: 0.83 s and 0.80 s).
    return {"preset": PRESETS[speed], "x264-params": "cpu-independent=1"}


def _x265(speed: int) -> Mapping[str, str]:
    return {"preset": PRESETS[speed], "x265-params": "log-level=none"}


def _vpx(speed: int) -> Mapping[str, str]:
    return {"deadline": "good", "cpu-used": str(8 - speed), "row-mt": "1"}


def _nvenc(speed: int) -> Mapping[str, str]:
    return {"preset": f"p{1 + round(speed * 6 / (len(PRESETS) - 1))}"}


def _qsv(speed: int) -> Mapping[str, str]:
    return {"preset": PRESETS[max(speed, PRESETS.index("veryfast"))]}


def _one_speed(speed: int) -> Mapping[str, str]:
    return {}


def _nvenc_quality(crf: int) -> Mapping[str, str]:
    return {"rc": "vbr", "cq": str(max(crf, 1)), "b": "0"}  # 0 would be automatic


def _qsv_quality(crf: int) -> Mapping[str, str]:
    return {"global_quality": str(max(crf, 1))}


_LAMBDA = 118
"""FFmpeg's unit of `global_quality` where it stands for a quantiser (FF_QP2LAMBDA)."""


def _videotoolbox_quality(crf: int) -> Mapping[str, str]:
    # From 1 to 100, the best.
    return {"flags": "+qscale", "global_quality": str(_LAMBDA * max(1, round(100 * (51 - crf) / 51)))}


def _v4l2_bits_per_pixel(crf: int) -> float:
    """As many bits as x264 needs for talking people, and two thirds more; six steps halve them."""
    return float(0.1 * 2 ** ((23 - crf) / 6))


_H264_CONTAINERS = ("mp4", "mov", "matroska")
CODECS: Mapping[str, Codec] = {
    "h264": Codec("libx264", 20, _H264_CONTAINERS, 51, _x264, odd_sizes=False),
    "hevc": Codec("libx265", 22, _H264_CONTAINERS, 51, _x265, odd_sizes=False),
    "vp9": Codec("libvpx-vp9", 28, ("mp4", "matroska", "webm"), 63, _vpx, odd_sizes=True),
    "h264_nvenc": Codec(
        *("h264_nvenc", 20, _H264_CONTAINERS, 51, _nvenc, False, _nvenc_quality),
        needs="an NVIDIA GPU with its driver",
    ),
    "h264_qsv": Codec(
        *("h264_qsv", 20, _H264_CONTAINERS, 51, _qsv, False, _qsv_quality, "nv12"),
        needs="an Intel GPU with its media driver (on Debian: intel-media-va-driver and libmfx-gen1.2)",
    ),
    "h264_videotoolbox": Codec(
        *("h264_videotoolbox", 20, _H264_CONTAINERS, 51, _one_speed, False, _videotoolbox_quality),
        needs="a Mac with Apple silicon",
    ),
    "h264_v4l2m2m": Codec(
        *("h264_v4l2m2m", 20, _H264_CONTAINERS, 51, _one_speed, False, _one_speed, "nv12"),
        needs="an encoder of the kernel, as on a Raspberry Pi up to the fourth",
        bits_per_pixel=_v4l2_bits_per_pixel,
    ),
}
"""The codecs by name. Those that need hardware come last, so that none is ever chosen for the user."""


def choose(path: Path, encoding: Encoding) -> tuple[Container, Codec]:
    """The container for the path's ending and the codec for it.

    Raises SinkError where the ending, the codec, the preset or the quality is not supported.
    """
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


def require_writable(path: Path) -> None:
    """Raises SinkError where no file can be written under `path`."""
    folder = path.resolve().parent
    if not folder.is_dir():
        raise SinkError(f"{path}: the folder {folder} does not exist")
    if path.exists() and not path.is_file():
        raise SinkError(f"{path} is not a file that could be replaced")
    if not os.access(folder, os.W_OK):
        raise SinkError(f"{path} cannot be written: the folder {folder} is read-only for you")


@contextmanager
def named_errors(path: Path) -> Iterator[None]:
    """Turns errors of FFmpeg and the system within the block into a SinkError that names the file."""
    try:
        yield
    except SinkError:
        raise
    except (av.FFmpegError, OSError) as error:
        raise SinkError(f"{path} cannot be written: {error.strerror}") from error


@contextmanager
def open_output(path: Path, format: str, options: Mapping[str, str]) -> Iterator[OutputContainer]:
    """Opens a container for writing; the block's end completes the file. Raises av.FFmpegError or OSError."""
    output = av.open(f"file:{path}", "w", format=format, container_options=dict(options))
    try:
        yield output
    except BaseException:
        # The first error is reported, not a second one from closing the file.
        with suppress(av.FFmpegError):
            output.close()
        raise
    output.close()


def add_picture(
    output: OutputContainer, like: Pictures, codec: Codec, encoding: Encoding, size: tuple[int, int]
) -> VideoStream:
    """Adds a video stream for pictures with the properties of `like`, in the size (height, width)."""
    threads = encoding.threads or codec_threads()
    options = codec.options(encoding, threads)
    rate = like.rate or Fraction(25)
    try:
        stream = output.add_stream(codec.encoder, rate=rate, options=options)
    except av.codec.codec.UnknownCodecError as error:
        raise SinkError(_unavailable(codec, "is not in this FFmpeg")) from error
    assert isinstance(stream, VideoStream)
    context = stream.codec_context
    bit_rate = codec.bit_rate(encoding, size, rate)
    if bit_rate is not None:
        context.bit_rate = bit_rate
    height, width = size
    context.height = height if codec.odd_sizes else height + height % 2
    context.width = width if codec.odd_sizes else width + width % 2
    context.pix_fmt = codec.pixel_format
    context.time_base = like.time_base
    context.sample_aspect_ratio = like.pixel_aspect
    # Frames are encoded in parallel: slices, the encoder's default, are a fifth slower and larger.
    context.thread_type = "AUTO"
    context.thread_count = threads
    colour = output_colour(like.colour, like.size, size)
    context.color_range = colour.range
    context.colorspace = colour.matrix
    context.color_primaries = colour.primaries
    context.color_trc = colour.transfer
    return stream


def open_encoder(output: OutputContainer, codec: Codec) -> None:
    """Opens the encoder of the output, all of whose streams have been added.

    Raises SinkError where the machine lacks the hardware, and av.FFmpegError for other reasons.
    """
    try:
        output.start_encoding()
    except av.FFmpegError as error:
        if codec.needs is None or "avcodec_open2" not in str(error):
            raise
        raise SinkError(_unavailable(codec, "does not open on this machine")) from error


def _unavailable(codec: Codec, reason: str) -> str:
    needs = f": it needs {codec.needs}" if codec.needs else ""
    return f"the encoder {codec.encoder} {reason}{needs}; --codec h264 works everywhere"


def last_packets(stream: VideoStream) -> list[Packet[VideoStream]]:
    """The packets that the encoder still holds after the last picture.

    For a film of one or two pictures x265 leaves the decoding times uninitialised. They are set to the
    display times, because such pictures are decoded in the order in which they are shown.
    """
    packets = stream.encode(None)
    if stream.codec_context.codec.name == "libx265" and len(packets) <= _X265_DELAY:
        for packet in packets:
            packet.dts = packet.pts
    return packets


def output_colour(colour: Colour, input_size: tuple[int, int], output_size: tuple[int, int]) -> Colour:
    """The input's colour tags, changed where they would be wrong for the output. Sizes are (height, width).

    RGB becomes limited-range YUV, which every player supports. An unspecified matrix, which players choose by
    the size, is specified where the size changes.
    """
    if colour.matrix == RGB:
        return replace(colour, range=LIMITED, matrix=colour.effective_matrix(output_size[0]))
    if colour.matrix == UNSPECIFIED and input_size != output_size:
        return replace(colour, matrix=colour.effective_matrix(input_size[0]))
    return colour


def label(output: OutputContainer, metadata: Mapping[str, str], comment: str | None) -> None:
    """Copies the input's metadata and appends a comment. comment: None appends nothing."""
    output.metadata.update({key: value for key, value in metadata.items() if key not in _FORMAT_KEYS})
    if comment:
        earlier = metadata.get("comment")
        output.metadata["comment"] = f"{earlier}; {comment}" if earlier else comment


def label_picture(stream: VideoStream, labels: Mapping[str, str], disposition: int) -> None:
    """Copies the metadata and flags of the input's video stream, such as its timecode and language."""
    stream.metadata.update(
        {key: value for key, value in labels.items() if not key.lower().startswith(_ENCODED_KEYS)}
    )
    stream.disposition = Disposition(disposition)


def size_notes(codec: Codec, size: tuple[int, int]) -> list[str]:
    """A line for the user where pictures of (height, width) are stored in another size."""
    height, width = size
    if codec.odd_sizes or not (height % 2 or width % 2):
        return []
    return [
        f"{width}x{height} is stored as {width + width % 2}x{height + height % 2} with its last row or "
        "column doubled, because players need even sizes (vp9 keeps odd ones)"
    ]
