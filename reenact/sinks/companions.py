"""What travels beside the picture: sound, subtitles and data, copied or at worst transcoded."""

from __future__ import annotations

import io
from collections.abc import Generator, Iterator
from contextlib import suppress
from fractions import Fraction
from types import TracebackType
from typing import TYPE_CHECKING, Protocol

import av
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.filter import Graph
from av.packet import Packet
from av.stream import Disposition, Stream

from reenact.capture.file import FileCapture

if TYPE_CHECKING:
    from av.container.core import Chapter

# For sound that a container cannot hold as it is.
_SOUND_CODECS = {"webm": "libopus"}
_SOUND_CODEC = "aac"
_SOUND_BITS_PER_S = 96_000
"""For each channel: hard to tell from the original."""
# Every encoder knows these; the original may name its channels otherwise, or not at all.
_LAYOUTS = {1: "mono", 2: "stereo", 3: "3.0", 4: "4.0", 5: "5.0", 6: "5.1", 8: "7.1"}


class Route(Protocol):
    """What becomes of one stream's packets. A packet without data means the end."""

    def __call__(self, packet: Packet) -> list[Packet]: ...


class Companions:
    """All streams of a file but its main picture, on their way into `output`, in order of time."""

    notes: tuple[str, ...]
    """One line for each stream that does not arrive as it was."""
    metadata: dict[str, str]
    """Of the input as a whole."""

    def __init__(self, like: FileCapture, output: OutputContainer) -> None:
        """`like`: the file that they come from, whose picture comes to `output` in another way."""
        self._input: InputContainer = av.open(f"file:{like.path}", metadata_errors="replace")
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
        if self._input.chapters() and stream.name == "bin_data":
            return []  # QuickTime's chapters, which are carried over as such
        if _accepts(container, stream):
            self._routes[stream.index] = _Copy(_add_copy(output, stream))
            return []
        if isinstance(stream, AudioStream) and stream.codec_context is not None:
            codec = _SOUND_CODECS.get(container, _SOUND_CODEC)
            self._routes[stream.index] = _Transcode(stream, output, codec)
            return [f"{name} is converted to {codec}: {container} cannot hold it as it is"]
        return [f"{name} is dropped: {container} cannot hold it"]

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
        rate = 48000 if codec == "libopus" else source.rate
        layout = _LAYOUTS.get(source.channels, "stereo")
        target = output.add_stream(codec, rate=rate, layout=layout)
        assert isinstance(target, AudioStream)
        target.codec_context.bit_rate = _SOUND_BITS_PER_S * target.channels
        _copy_labels(source, target)
        self._target = target
        self._source_layout = layout if source.layout.name.endswith("channels") else source.layout.name
        self._graph: Graph | None = None

    def __call__(self, packet: Packet) -> list[Packet]:
        packets = []
        for frame in packet.decode():
            assert isinstance(frame, AudioFrame)
            if self._graph is None:
                self._graph = self._conversion(frame)
            self._graph.push(frame)
            packets += self._encoded()
        if packet.size == 0 and self._graph is not None:
            self._graph.push(None)
            packets += self._encoded() + self._target.encode(None)
        return packets

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
        """A graph from the decoder's samples to the encoder's, in step with the container's times."""
        context = self._target.codec_context
        context.open(strict=False)
        graph = Graph()
        graph.link_nodes(
            graph.add_abuffer(
                sample_rate=frame.sample_rate,
                format=frame.format.name,
                layout=self._source_layout,
                time_base=frame.time_base,
            ),
            # Silence goes in where sound is missing, and what overlaps is cut, from 30 ms on: sooner
            # than anybody sees lips and sound part, later than containers round.
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
    """Encoded sound mostly begins a little before 0. Matroska can say so only of what it held before."""
    if target not in ("matroska", "webm") or "matroska" in source:
        return []
    return [f"all times move by {round(-1000 * start_s)} ms: {target} holds none before 0"]


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


def _moved(chapter: Chapter, like: FileCapture) -> Chapter:
    """The chapter on the moved clock."""
    shift = round(like.clock.shift_s(like.stream_index) / (chapter["time_base"] or Fraction(1, 1000)))
    return {**chapter, "start": chapter["start"] + shift, "end": chapter["end"] + shift}


def _codec_name(stream: Stream) -> str:
    return stream.codec_context.name if stream.codec_context else stream.name or "unknown"


def _start_s(packet: Packet) -> Fraction:
    """When a packet is due; at once where it does not say."""
    ticks = packet.dts if packet.dts is not None else packet.pts
    return Fraction(0) if ticks is None else ticks * packet.time_base
