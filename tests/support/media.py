"""Small films for tests, made on the spot."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.stream import Disposition

RATE = Fraction(30)


@dataclass(frozen=True)
class Film:
    """What to put into a file; the default is one second of a moving gradient."""

    size: tuple[int, int] = (48, 64)
    ticks: Sequence[int] = tuple(range(0, 30 * 512, 512))
    """Times of the frames in units of `time_base`."""
    time_base: Fraction = Fraction(1, 15360)
    rate: Fraction = RATE
    codec: str = "libx264"
    pixel_format: str = "yuv420p"
    container: str | None = None
    sound: str | None = None
    sound_s: float = 1.0
    sound_start_s: Fraction = Fraction(0)
    sound_layout: str = "mono"
    sound_rate: int = 44100
    tags: dict[str, int] = field(default_factory=dict)
    """color_range, colorspace, color_primaries, color_trc: codes of H.273."""
    rotation: int | None = None
    """Degrees that a player turns the picture counter-clockwise."""
    pixel_aspect: Fraction = Fraction(1)
    metadata: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    """What is said of the picture."""
    disposition: int = 0
    """What the picture is for."""
    options: dict[str, str] = field(default_factory=dict)
    codec_options: dict[str, str] = field(default_factory=dict)


def gradient(index: int, size: tuple[int, int]) -> np.ndarray:
    """(height, width, 3): smooth, and different for every index."""
    rows, columns = np.mgrid[0 : size[0], 0 : size[1]]
    red = 40 + 150 * rows / size[0]
    green = 40 + 150 * columns / size[1]
    blue = np.full(size, 40 + (index * 7) % 160)
    return np.dstack([red, green, blue]).astype(np.uint8)


def write_film(path: Path, film: Film = Film(), pictures: Sequence[av.VideoFrame] | None = None) -> Path:
    """`pictures`: frames to encode as they are, instead of the gradient."""
    with av.open(str(path), "w", format=film.container, container_options=film.options) as output:
        output.metadata.update(film.metadata)
        video = output.add_stream(film.codec, rate=film.rate)
        video.height, video.width = film.size
        video.pix_fmt = film.pixel_format
        video.codec_context.time_base = film.time_base
        video.codec_context.sample_aspect_ratio = film.pixel_aspect
        for name, value in film.tags.items():
            setattr(video.codec_context, name, value)
        if film.codec == "libx264":
            video.options = {"preset": "veryfast", "crf": "10"}
        video.options = {**video.options, **film.codec_options}
        video.metadata.update(film.labels)
        video.disposition = Disposition(film.disposition)
        if film.rotation is not None:
            video.set_display_rotation(film.rotation)
        if film.sound:
            # All at once and first: the muxer interleaves.
            output.mux(_sound(output, film))
        for index, tick in enumerate(film.ticks):
            picture = pictures[index] if pictures else _picture(index, film)
            picture.pts, picture.time_base = tick, film.time_base
            output.mux(video.encode(picture))
        output.mux(video.encode(None))
    return path


def picture_times(path: Path) -> list[Fraction]:
    with av.open(str(path)) as container:
        return [frame.pts * frame.time_base for frame in container.decode(video=0)]


def packets_of(path: Path, kind: str) -> list[tuple[Fraction, str]]:
    """(time in seconds, checksum) of each packet of the first stream of a kind."""
    with av.open(str(path)) as container:
        stream = next(stream for stream in container.streams if stream.type == kind)
        return [
            (packet.pts * packet.time_base, hashlib.sha256(bytes(packet)).hexdigest())
            for packet in container.demux(stream)
            if packet.size
        ]


def _picture(index: int, film: Film) -> av.VideoFrame:
    image = gradient(index, film.size)
    return av.VideoFrame.from_ndarray(image, "rgb24").reformat(format=film.pixel_format)


def _sound(output: av.container.OutputContainer, film: Film) -> list[av.Packet]:
    rate, layout = film.sound_rate, av.AudioLayout(film.sound_layout)
    stream = output.add_stream(film.sound, rate=rate, layout=layout, bit_rate=64000 * layout.nb_channels)
    context = stream.codec_context
    context.open(strict=False)
    samples = context.frame_size or 1024
    convert = av.AudioResampler(context.format, layout, rate)
    packets = []
    for index in range(int(film.sound_s * rate / samples)):
        wave = 0.3 * np.sin(2 * np.pi * 440 * (np.arange(samples) + index * samples) / rate)
        waves = np.repeat(wave.astype(np.float32), layout.nb_channels)[None]
        frame = av.AudioFrame.from_ndarray(waves, "flt", layout)
        frame.sample_rate = rate
        frame.time_base = Fraction(1, rate)
        frame.pts = index * samples + round(film.sound_start_s * rate)
        for converted in convert.resample(frame):
            packets += stream.encode(converted)
    return packets + stream.encode(None)
