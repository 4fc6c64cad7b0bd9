"""What travels beside the picture: sound, subtitles and data, copied or at worst transcoded."""

from __future__ import annotations

import io
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Protocol

import av
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.stream import Disposition, Stream

# For sound that a container cannot hold as it is.
_SOUND_CODECS = {"webm": "libopus"}
_SOUND_CODEC = "aac"


class Route(Protocol):
    """What becomes of one stream's packets. A packet without data means the end."""

    def __call__(self, packet: Packet) -> list[Packet]: ...


class Companions:
    """All streams of a file but its main picture, on their way into `output`, in order of time."""

    notes: tuple[str, ...]
    """One line for each stream that does not arrive as it was."""
    metadata: dict[str, str]
    """Of the input as a whole."""

    def __init__(self, path: Path, picture_index: int, output: OutputContainer) -> None:
        self._input: InputContainer = av.open(f"file:{path}", metadata_errors="replace")
        self._routes: dict[int, Route] = {}
        notes = []
        for stream in self._input.streams:
            if stream.index != picture_index:
                notes += self._add(stream, output)
        self.notes = tuple(notes)
        self.metadata = dict(self._input.metadata)
        self._packets = self._demux()
        self._next = next(self._packets, None)

    def __enter__(self) -> Companions:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._packets.close()
        self._input.close()

    def until(self, time_s: Fraction | None) -> Iterator[Packet]:
        """The packets up to `time_s`, ready to be written; all that are left where it is None."""
        while self._next is not None and (time_s is None or _start_s(self._next) <= time_s):
            packet, self._next = self._next, next(self._packets, None)
            # Not packet.stream_index: the empty packets that mark the end say 0 there.
            yield from self._routes[packet.stream.index](packet)

    def _add(self, stream: Stream, output: OutputContainer) -> list[str]:
        """Choose the stream's route; returns what there is to say about it."""
        name = f"{stream.type} stream {stream.index} ({_codec_name(stream)})"
        container = output.format.name
        if stream.type == "video":
            return [f"{name} is dropped: only the main picture is carried over"]
        if _accepts(container, stream):
            self._routes[stream.index] = _Copy(_add_copy(output, stream))
            return []
        if isinstance(stream, AudioStream) and stream.codec_context is not None:
            codec = _SOUND_CODECS.get(container, _SOUND_CODEC)
            self._routes[stream.index] = _Transcode(stream, output, codec)
            return [f"{name} is converted to {codec}: {container} cannot hold it as it is"]
        return [f"{name} is dropped: {container} cannot hold it"]

    def _demux(self) -> Iterator[Packet]:
        streams = [self._input.streams[index] for index in self._routes]
        if not streams:
            return
        try:
            yield from self._input.demux(streams)
        except av.FFmpegError:
            # The file breaks off here. Whoever reads its pictures will meet the break and report it.
            return


class _Copy:
    """Passes packets on as they are."""

    def __init__(self, target: Stream) -> None:
        self._target = target

    def __call__(self, packet: Packet) -> list[Packet]:
        if packet.dts is None and packet.size == 0:
            return []
        packet.stream = self._target
        return [packet]


class _Transcode:
    """Decodes sound and encodes it anew."""

    def __init__(self, source: AudioStream, output: OutputContainer, codec: str) -> None:
        # Opus knows only a few rates; 48 kHz holds everything.
        rate = 48000 if codec == "libopus" else source.codec_context.sample_rate
        self._target = output.add_stream(codec, rate=rate)
        assert isinstance(self._target, AudioStream)
        self._target.codec_context.layout = source.codec_context.layout
        _copy_labels(source, self._target)
        self._resampler = AudioResampler(
            format=self._target.codec_context.format,
            layout=source.codec_context.layout,
            rate=rate,
        )

    def __call__(self, packet: Packet) -> list[Packet]:
        packets = []
        for frame in packet.decode():
            for resampled in self._resampler.resample(frame):
                packets += self._target.encode(resampled)
        if packet.size == 0:
            for resampled in self._resampler.resample(None):
                packets += self._target.encode(resampled)
            packets += self._target.encode(None)
        return packets


def _accepts(container: str, stream: Stream) -> bool:
    """Whether the container takes the stream's packets: a header for it is written to memory as a trial."""
    try:
        with av.open(io.BytesIO(), "w", format=container) as trial:
            _add_copy(trial, stream)
            trial.start_encoding()
    except (av.FFmpegError, ValueError):
        return False
    return True


def _add_copy(output: OutputContainer, stream: Stream) -> Stream:
    target = output.add_stream_from_template(stream, opaque=True)
    _copy_labels(stream, target)
    return target


def _copy_labels(source: Stream, target: Stream) -> None:
    target.metadata.update(source.metadata)
    target.disposition = Disposition(source.disposition)


def _codec_name(stream: Stream) -> str:
    return stream.codec_context.name if stream.codec_context else stream.name or "unknown"


def _start_s(packet: Packet) -> Fraction:
    """When a packet is due; at once where it does not say."""
    ticks = packet.dts if packet.dts is not None else packet.pts
    return Fraction(-1) if ticks is None else ticks * packet.time_base
