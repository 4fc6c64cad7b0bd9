"""Carries over the other streams of a film, such as sound and subtitles, copied or transcoded."""

from __future__ import annotations

import io
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import suppress
from fractions import Fraction
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, cast

import av
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.codec import Codec
from av.container import InputContainer, OutputContainer
from av.filter import Graph
from av.packet import Packet
from av.stream import Disposition, Stream

from reenact.media.read.video_file import FileCapture

if TYPE_CHECKING:
    from av.container.core import Chapter

# The codec for sound that a container cannot hold unchanged.
_SOUND_CODECS = {"webm": "libopus"}
_SOUND_CODEC = "aac"
_SOUND_BITS_PER_S = 96_000
"""Bit rate of each sound channel, at which the result is hard to tell from the original."""
# Channel layouts that every encoder supports; the original may have other names or none.
_LAYOUTS = {1: "mono", 2: "stereo", 3: "3.0", 4: "quad", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}
_MOST_PLANES = 7
"""Most planar channels that PyAV can take from an array; version 18.1 fails with eight."""
_TRIED_PACKETS = 3
"""Number of packets of a stream with which a container is tried; some refuse a stream only at a packet."""
_SEARCHED_PACKETS = 3000
"""Most packets of a file that are read to find the first ones of a stream, such as a late subtitle."""
_STEP_S = Fraction(1, 1000)
"""Step, in seconds, between packets that have the same time: a tick of the coarsest container."""


class Route(Protocol):
    """Converts the packets of one stream to those of the output. A packet without data ends the stream."""

    def __call__(self, packet: Packet) -> list[Packet]:
        """The output's packets for an input's packet."""


class OtherStreams:
    """All streams of a film but its main video stream, as packets for an output, in order of time."""

    notes: tuple[str, ...]
    """One line for each stream that is converted or dropped."""
    metadata: dict[str, str]
    """The metadata of the input file."""

    def __init__(self, like: FileCapture, output: OutputContainer) -> None:
        """like: the film whose streams are carried over. output: gets a stream for each, and the chapters."""
        self._input: InputContainer = av.open(f"file:{like.path}", metadata_errors="replace")
        self._path = like.path
        self._clock = like.clock
        self._routes: dict[int, Route] = {}
        notes: list[str] = []
        output.set_chapters([_moved(chapter, like) for chapter in self._input.chapters()])
        for stream in self._input.streams:
            if stream.index != like.stream_index:
                notes += self._add(stream, output)
        self.metadata = dict(self._input.metadata)
        self._packets = self._demux()
        self._next = next(self._packets, None)
        if self._next is not None and _start_s(self._next) < 0:
            notes += _shift_notes(_start_s(self._next), self._input.format.name, output.format.name)
        self.notes = tuple(notes)

    def __enter__(self) -> OtherStreams:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._packets.close()
        self._input.close()

    def until(self, time_s: Fraction | None) -> Iterator[Packet]:
        """The output's packets up to `time_s` in seconds. None: all that are left."""
        while self._next is not None and (time_s is None or _start_s(self._next) <= time_s):
            packet, self._next = self._next, next(self._packets, None)
            # Not packet.stream_index, which is 0 in the empty packets that mark the end.
            yield from self._routes[packet.stream.index](packet)

    def _add(self, stream: Stream, output: OutputContainer) -> list[str]:
        """Chooses the stream's route. Returns the lines for the user about it."""
        name = f"{stream.type} stream {stream.index} ({_codec_name(stream)})"
        container = output.format.name
        if stream.type == "video":
            return [f"{name} is dropped: only the main picture is carried over"]
        if self._input.chapters() and _codec_name(stream) == "bin_data":
            return []  # QuickTime stores chapters as a stream; they are carried over as chapters
        if _is_timecode(stream):
            return []  # the video stream's metadata has the timecode, from which the muxer makes a track
        routes = self._possible_routes(stream, container)
        for add, note in routes:
            if _works(container, add, _first_packets(self._path, stream.index)):
                self._routes[stream.index] = add(output)
                return [f"{name} {note}"] if note else []
        return [f"{name} is dropped: {container} cannot hold it"]

    def _possible_routes(self, stream: Stream, container: str) -> list[tuple[AddRoute, str]]:
        """The possible routes of a stream, the best first, each with a note for the user or ""."""
        routes: list[tuple[AddRoute, str]] = [(lambda output: _Copy(_add_copy(output, stream)), "")]
        if isinstance(stream, AudioStream) and stream.codec_context is not None and stream.rate:
            codec = _SOUND_CODECS.get(container, _SOUND_CODEC)
            note = f"is converted to {codec}: {container} cannot hold it as it is"
            routes.append((lambda output: _Transcode(stream, output, codec), note))
        return routes

    def _demux(self) -> Generator[Packet, None, None]:
        streams = [self._input.streams[index] for index in self._routes]
        if not streams:
            return
        movers = {stream.index: self._clock.mover(stream) for stream in streams}
        try:
            for packet in self._input.demux(streams):
                movers[packet.stream.index](packet)
                yield packet
        except av.FFmpegError:
            # The file breaks off here; the reader of its pictures reports the error.
            return


AddRoute = Callable[[OutputContainer], Route]


class _Copy:
    """Copies packets. Their times are made to increase, as containers require."""

    def __init__(self, target: Stream) -> None:
        self._target = target
        self._last: int | None = None

    def __call__(self, packet: Packet) -> list[Packet]:
        if packet.dts is None and packet.size == 0:
            return []
        dts = packet.dts if packet.dts is not None else packet.pts
        if self._last is not None and (dts is None or dts <= self._last):
            dts = self._last + max(1, round(_STEP_S / packet.time_base))
        self._last = packet.dts = dts or 0
        if packet.pts is None or packet.pts < self._last:
            packet.pts = self._last
        packet.stream = self._target
        return [packet]


class _Transcode:
    """Decodes sound and encodes it with another codec."""

    def __init__(self, source: AudioStream, output: OutputContainer, codec: str) -> None:
        target = output.add_stream(
            codec, rate=_encodable_rate(codec, source.rate), layout=_LAYOUTS.get(source.channels, "stereo")
        )
        assert isinstance(target, AudioStream)
        target.codec_context.bit_rate = _SOUND_BITS_PER_S * target.channels
        _copy_labels(source, target)
        self._target = target
        self._graph: Graph | None = None
        self._kind: tuple[str, str, int] | None = None

    def __call__(self, packet: Packet) -> list[Packet]:
        packets = []
        for frame in _decoded(packet):
            if self._kind != _kind(frame):  # at the first frame, and where a broadcast changes its format
                packets += self._drained()
                self._graph, self._kind = self._conversion(frame), _kind(frame)
            assert self._graph is not None
            self._graph.push(_named(frame))
            packets += self._encoded()
        if packet.size == 0 and self._graph is not None:
            packets += self._drained() + self._target.encode(None)
        return packets

    def _drained(self) -> list[Packet]:
        """The packets of the samples that the conversion graph still holds."""
        if self._graph is None:
            return []
        self._graph.push(None)
        return self._encoded()

    def _encoded(self) -> list[Packet]:
        assert self._graph is not None
        packets = []
        with suppress(av.BlockingIOError, av.EOFError):
            while True:
                frame = self._graph.pull()
                assert isinstance(frame, AudioFrame)
                packets += self._target.encode(frame)
        return packets

    def _conversion(self, frame: AudioFrame) -> Graph:
        """A filter graph from the decoder's samples to the encoder's that keeps to the container's times."""
        context = self._target.codec_context
        context.open(strict=False)
        graph = Graph()
        graph.link_nodes(
            graph.add_abuffer(
                sample_rate=frame.sample_rate,
                format=frame.format.name,
                layout=_named(frame).layout.name,
                time_base=frame.time_base,
            ),
            # From 30 ms on, missing sound is filled with silence and overlapping sound is cut. This is below
            # a visible offset of lips and sound, and above the rounding of containers.
            graph.add("aresample", "async=1:min_hard_comp=0.03"),
            graph.add(
                "aformat",
                f"sample_fmts={context.format.name}:sample_rates={context.sample_rate}"
                f":channel_layouts={context.layout.name}",
            ),
            graph.add("asetnsamples", f"n={context.frame_size}:p=0"),
            graph.add("abuffersink"),
        ).configure()
        return graph


def _shift_notes(start_s: Fraction, source: str, target: str) -> list[str]:
    """A line for the user where all times move, because encoded sound begins before 0.

    Matroska keeps negative times only of packets that come from Matroska."""
    if target not in ("matroska", "webm") or "matroska" in source:
        return []
    return [f"all times move by {round(-1000 * start_s)} ms: {target} holds none before 0"]


def _encodable_rate(codec: str, rate: int) -> int:
    """The encoder's lowest rate that is not below `rate`; 48 kHz for Opus, which supports few rates."""
    rates = Codec(codec, "w").audio_rates or [rate]
    if codec == "libopus" or rate > max(rates):
        return max(rates) if codec == "libopus" else 48000
    return min(known for known in rates if known >= rate)


def _decoded(packet: Packet) -> list[AudioFrame]:
    """The sound of a packet; empty for a damaged one."""
    try:
        return cast("list[AudioFrame]", packet.decode())
    except av.FFmpegError:
        return []


def _kind(frame: AudioFrame) -> tuple[str, str, int]:
    return frame.format.name, frame.layout.name, frame.sample_rate


def _named(frame: AudioFrame) -> AudioFrame:
    """The same sound with a standard channel layout where it has none: AVI and WAV files of cameras state
    only the number of channels."""
    channels = frame.layout.nb_channels
    if not frame.layout.name.endswith("channels") or channels not in _LAYOUTS:
        return frame
    if frame.format.is_planar and channels > _MOST_PLANES:
        return frame
    named = AudioFrame.from_ndarray(frame.to_ndarray(), frame.format.name, _LAYOUTS[channels])
    named.sample_rate, named.time_base, named.pts = frame.sample_rate, frame.time_base, frame.pts
    return named


def _is_timecode(stream: Stream) -> bool:
    """Whether the stream is a QuickTime timecode track."""
    return stream.type == "data" and "timecode" in stream.metadata


def _works(container: str, add: AddRoute, packets: Iterable[Packet]) -> bool:
    """Whether the container accepts a stream by this route, tried in memory with its first packets."""
    try:
        with av.open(io.BytesIO(), "w", format=container) as trial:
            route = add(trial)
            trial.start_encoding()
            for packet in packets:
                trial.mux(route(packet))
    except (av.FFmpegError, ValueError):
        return False
    return True


def _first_packets(path: Path, index: int) -> Iterator[Packet]:
    """A stream's first packets, read from the file again, because writing changes packets."""
    with av.open(f"file:{path}", metadata_errors="replace") as container, suppress(av.FFmpegError):
        packets = islice(container.demux(), _SEARCHED_PACKETS)
        own = (packet for packet in packets if packet.stream.index == index and packet.size)
        yield from islice(own, _TRIED_PACKETS)


def _add_copy(output: OutputContainer, stream: Stream) -> Stream:
    target = output.add_stream_from_template(stream, opaque=True)
    _copy_labels(stream, target)
    return target


def _copy_labels(source: Stream, target: Stream) -> None:
    target.metadata.update(source.metadata)
    target.disposition = Disposition(source.disposition)


def _moved(chapter: Chapter, like: FileCapture) -> Chapter:
    """The chapter with its times on the moved clock."""
    shift = round(like.clock.shift_s(like.stream_index) / (chapter["time_base"] or Fraction(1, 1000)))
    return {**chapter, "start": chapter["start"] + shift, "end": chapter["end"] + shift}


def _codec_name(stream: Stream) -> str:
    # A stream that FFmpeg has no decoder for has no codec, and PyAV then finds no name on some.
    return stream.codec_context.name if stream.codec_context else getattr(stream, "name", None) or "unknown"


def _start_s(packet: Packet) -> Fraction:
    """The time of a packet in seconds; 0 where it has none."""
    ticks = packet.dts if packet.dts is not None else packet.pts
    return Fraction(0) if ticks is None else ticks * packet.time_base
