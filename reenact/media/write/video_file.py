"""Writes frames to a video file together with the other streams of the input file."""

from __future__ import annotations

import io
import logging
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from fractions import Fraction
from math import lcm
from pathlib import Path
from types import TracebackType

import av
from av.packet import Packet
from av.video.stream import VideoStream

from reenact.media.atomic import replacing
from reenact.media.read.video_file import FileCapture
from reenact.media.write.encoding import (
    Codec,
    Container,
    Encoding,
    SinkError,
    add_picture,
    choose,
    label,
    label_picture,
    last_packets,
    named_errors,
    open_encoder,
    open_output,
    require_writable,
    size_notes,
)
from reenact.media.write.other_streams import OtherStreams
from reenact.media.write.yuv import ToYuv
from reenact.records import Frame

log = logging.getLogger(__name__)


class FileSink:
    """Writes frames to `path` and carries over the input's sound, subtitles and metadata. A context manager.

    The file appears under `path` only when the block has ended well.
    """

    notes: tuple[str, ...]
    """What is changed or dropped in the output, one line each; complete once the block is entered."""

    def __init__(
        self,
        path: str | Path,
        like: FileCapture,
        encoding: Encoding = Encoding(),
        size: tuple[int, int] | None = None,
        keep_partial: bool = False,
        comment: str | None = None,
    ) -> None:
        """like: the input, whose streams, times and colour tags the output gets.
        size: the (height, width) of the frames. None: the input's. keep_partial: whether the unfinished file
        is kept when the block raises. comment: appended to the file's comment. None: nothing is appended.

        Raises SinkError where no such file can be written."""
        self.path = Path(path)
        self._like = like
        self._encoding = encoding
        self._size = size or like.size
        self._keep_partial = keep_partial
        self._comment = comment
        self._container, self._codec = choose(self.path, encoding)
        require_writable(self.path)
        _require_other_file(self.path, like.path)
        self.notes = ()
        self._resources = ExitStack()
        self._frame_ticks = round(1 / (like.rate * like.time_base)) if like.rate else 1
        self._last_ticks: int | None = None
        self._damaged = 0

    def __enter__(self) -> FileSink:
        with ExitStack() as stack, named_errors(self.path):
            beside = stack.enter_context(replacing(self.path, self._keep_partial))
            self._output = stack.enter_context(
                open_output(beside, self._container.format, _options(self._container, self._like))
            )
            self._picture = add_picture(self._output, self._like, self._codec, self._encoding, self._size)
            labels, dropped = self._labels()
            label_picture(self._picture, labels, self._like.disposition)
            self._to_yuv = ToYuv(self._size, self._picture)
            self._other_streams = stack.enter_context(OtherStreams(self._like, self._output))
            label(self._output, self._other_streams.metadata, self._comment)
            open_encoder(self._output, self._codec)
            self._resources = stack.pop_all()
        notes = _notes(self._like, self._container, self._codec, self._size)
        self.notes = (*self._like.encoding_losses, *notes, *dropped, *self._other_streams.notes)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            with named_errors(self.path), self._resources:
                self._finish(until_s=None)
            return
        if self._keep_partial and self._last_ticks is not None:
            with suppress(av.FFmpegError):
                self._finish(until_s=self._last_ticks * self._like.time_base)
        self._resources.__exit__(kind, error, trace)

    def write(self, frame: Frame) -> None:
        """Encodes one frame, whose `pts` must be later than that of the frame before. Raises SinkError."""
        assert frame.size == self._size, f"frame of {frame.size}, sink for {self._size}"
        ticks = round(frame.pts / self._like.time_base)
        assert self._last_ticks is None or ticks > self._last_ticks, "frames out of order"
        self._last_ticks = ticks
        picture = self._to_yuv(frame.image, frame.decoded)
        picture.pts = ticks
        picture.time_base = self._like.time_base
        picture.duration = self._frame_ticks
        with named_errors(self.path):
            self._mux(self._picture.encode(picture))

    def _labels(self) -> tuple[Mapping[str, str], list[str]]:
        """The metadata of the video stream, and a line for the user where its timecode is dropped.

        Whether container and rate support the timecode is tried by writing a header to memory.
        """
        labels = self._like.labels
        if "timecode" not in labels:
            return labels, []
        try:
            with av.open(io.BytesIO(), "w", format=self._container.format) as trial:
                picture = add_picture(trial, self._like, self._codec, self._encoding, self._size)
                label_picture(picture, labels, self._like.disposition)
                trial.start_encoding()
        except (av.FFmpegError, ValueError):
            note = f"the timecode {labels['timecode']} is dropped: {self._container.format} cannot hold it"
            return {key: value for key, value in labels.items() if key != "timecode"}, [note]
        return labels, []

    def _mux(self, packets: list[Packet[VideoStream]]) -> None:
        for packet in packets:
            # Sound is written just before the picture of its time, so that no packets accumulate in memory.
            assert packet.dts is not None
            self._mux_other_streams(packet.dts * packet.time_base)
            self._output.mux(packet)

    def _mux_other_streams(self, until_s: Fraction | None) -> None:
        for packet in self._other_streams.until(until_s):
            try:
                self._output.mux(packet)
            except (av.InvalidDataError, av.PatchWelcomeError):
                # The filter that repacks the AAC of broadcasts found a damaged packet.
                self._damaged += 1

    def _finish(self, until_s: Fraction | None) -> None:
        if self._last_ticks is None:
            raise SinkError(f"{self.path}: there were no frames to write")
        packets = last_packets(self._picture)
        for packet in packets:
            if packet.pts == self._last_ticks:
                packet.duration = self._last_frame_ticks()
        self._mux(packets)
        self._mux_other_streams(until_s)
        if self._damaged:
            log.warning("%s: %d damaged packets of sound were left out", self._like.name, self._damaged)

    def _last_frame_ticks(self) -> int:
        """The duration of the last frame in ticks: until the input's end, if that is within a second."""
        assert self._last_ticks is not None
        if self._like.end is None:
            return self._frame_ticks
        ticks = round(self._like.end / self._like.time_base) - self._last_ticks
        return ticks if 0 < ticks * self._like.time_base < 1 else self._frame_ticks


def _require_other_file(path: Path, input_path: Path) -> None:
    if path.exists() and path.samefile(input_path):
        raise SinkError(f"{path} is the input itself; give the output another name")


def _options(container: Container, like: FileCapture) -> dict[str, str]:
    options = {**container.options}
    if container.format in ("mp4", "mov"):
        options["movie_timescale"] = str(_movie_timescale(like))
    return options


def _movie_timescale(like: FileCapture) -> int:
    """The ticks per second of MP4's start times: the usual 1000 would shift the sound."""
    exact = lcm(like.time_base.denominator, *like.sound_rates)
    return exact if exact < 2**31 else like.time_base.denominator


def _notes(like: FileCapture, container: Container, codec: Codec, size: tuple[int, int]) -> tuple[str, ...]:
    notes = size_notes(codec, size)
    steps_s = (like.time_base, 1 / like.rate if like.rate else like.time_base)
    if container.format in ("matroska", "webm") and all((1000 * step).denominator > 1 for step in steps_s):
        notes.append("times are rounded to whole milliseconds, the finest that Matroska and WebM hold")
    return tuple(notes)
