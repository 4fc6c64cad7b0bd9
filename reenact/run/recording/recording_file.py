"""Writes one recording of a live run: a video with sound, and a table of action units beside it."""

from __future__ import annotations

import os
from contextlib import ExitStack
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from reenact.media.atomic import partial_path
from reenact.media.read.devices import USUAL_RATE
from reenact.media.read.microphone import RATE
from reenact.media.write.au_csv import AUCsvSink
from reenact.media.write.encoding import (
    CONTAINERS,
    Encoding,
    PictureFormat,
    SinkError,
    add_picture,
    choose,
    label,
    last_packets,
    named_errors,
    open_output,
    require_writable,
)
from reenact.media.write.virtual_camera import letterbox
from reenact.media.write.yuv import ToYuv
from reenact.records import Finished, Frame, Sound
from reenact.run.freeze_frame import repeated
from reenact.run.recording.fragments import truncate_to_last_fragment
from reenact.run.recording.soundtrack import Soundtrack

LIVE_ENCODING = Encoding(preset="ultrafast")
"""The encoding of recordings: 5.7 ms of processor time for a 720p frame; with veryfast it would be 14 ms."""
REPEAT_S = 1.0
"""The time without a frame, in seconds, after which the last frame is written again."""
_SOUND_TIMEOUT_S = 1.0
"""The time in seconds after which missing sound is replaced by silence."""
_TICK = Fraction(1, 90_000)
"""The time base of the frames, in seconds."""
_KEYFRAME_S = 2
"""The longest distance of keyframes, in seconds, for seeking and cutting."""
_FRAGMENTED = {
    # The file can be played at every moment, even if the program is killed or the power fails. At its end it
    # is converted to a plain MP4 file in place.
    "movflags": "+hybrid_fragmented+delay_moov",
    "frag_duration": "1000000",
    "movie_timescale": "720000",  # a multiple of frame ticks and sound samples, so that neither is shifted
    "flush_packets": "1",
}
_CONTAINER_OPTIONS = {
    "mp4": _FRAGMENTED,
    "mov": _FRAGMENTED,
    "matroska": {"cluster_time_limit": "1000", "flush_packets": "1"},
}


@dataclass(frozen=True)
class RecordingFormat:
    """The format of all recordings of a run."""

    rate: Fraction | None = None
    """The expected frames per second; the actual ones may differ. None: they are unknown."""
    sound: bool = False
    """Whether there is a soundtrack; it is silent where there is no sound."""
    comment: str | None = None
    """The comment in the video's metadata. None: there is none."""
    encoding: Encoding = LIVE_ENCODING
    """The compression of the video."""


@dataclass(frozen=True)
class SavedRecording:
    """A completed recording."""

    path: Path
    """The video file."""
    frames: int
    """The number of frames in it."""
    duration_s: float
    """Its duration in seconds."""


class Recording:
    """A video of the output and, beside it, the table `NAME.csv` of the measured and requested action units.

    The table has a row for each face of each frame of the video, with the frame's number and time. Frames
    have the times of their capture, so that the sound stays in step when frames are dropped. Until the
    recording is finished, both files have .partial in their names and can already be read.
    """

    def __init__(self, path: Path, first: Finished, options: RecordingFormat = RecordingFormat()) -> None:
        """Opens the files. Raises SinkError, and then leaves no file.

        first: the first frame, which gives the start time and the size; it is not written yet.
        """
        self.path = path
        self._start_ns = _captured_ns(first.frame)
        self._size = first.output.size
        self._frames = 0
        self._last_ticks = -1
        self._last: Finished | None = None
        try:
            with ExitStack() as stack, named_errors(path):
                self._open(stack, options)
                self._resources = stack.pop_all()
        except BaseException:
            self._remove()
            raise

    def write(self, record: Finished) -> None:
        """Writes the next frame; one of another size is fitted in. Raises SinkError."""
        self._last = record
        self._write(record, _captured_ns(record.frame))
        self._fill(self._last_s)

    def write_sound(self, sound: Sound, delay_s: float = 0.0) -> None:
        """Writes a piece of sound `delay_s` seconds after the frames captured with it. Raises SinkError."""
        if self._soundtrack is not None:
            at_s = self._seconds(sound.heard_ns) + delay_s
            early = max(0, round(-at_s * RATE))
            if early < sound.samples.shape[1]:
                with named_errors(self.path):
                    self._soundtrack.write(sound.samples[:, early:], at_s + early / RATE)

    def advance(self, now_ns: int) -> None:
        """Repeats the last frame and fills in silence where frames or sound are missing at `now_ns`."""
        now_s = self._seconds(now_ns)
        if self._last is not None and now_s - self._last_s >= REPEAT_S:
            self._repeat_last(now_ns)
        self._fill(now_s)

    def finish(self, now_ns: int) -> SavedRecording:
        """Completes the files and gives them their final names, even where it raises SinkError."""
        try:
            with named_errors(self.path), self._resources:
                self._end(now_ns)
        except SinkError:
            if self._output.format.name in ("mp4", "mov"):
                truncate_to_last_fragment(partial_path(self.path))
            raise
        finally:
            if self._frames:
                self._keep()
            else:
                self._remove()
        return self.saved

    @property
    def saved(self) -> SavedRecording:
        """The recording so far."""
        return SavedRecording(self.path, self._frames, self._last_s)

    def _open(self, stack: ExitStack, options: RecordingFormat) -> None:
        container, codec = choose(self.path, options.encoding)
        pictures = PictureFormat(self._size, options.rate, _TICK)
        table = stack.enter_context(
            partial_path(_table_path(self.path)).open("w", encoding="utf-8", newline="", buffering=1)
        )
        self._table = AUCsvSink(table, asked=True)
        self._output = stack.enter_context(
            open_output(partial_path(self.path), container.format, _CONTAINER_OPTIONS[container.format])
        )
        self._picture = add_picture(self._output, pictures, codec, options.encoding, self._size)
        self._picture.codec_context.gop_size = round(_KEYFRAME_S * (options.rate or USUAL_RATE))
        self._to_yuv = ToYuv(self._size, self._picture)
        self._soundtrack = Soundtrack(self._output) if options.sound else None
        label(self._output, {}, options.comment)

    def _keep(self) -> None:
        for path in (self.path, _table_path(self.path)):
            os.replace(partial_path(path), path)

    def _remove(self) -> None:
        for path in (self.path, _table_path(self.path)):
            partial_path(path).unlink(missing_ok=True)

    def _fill(self, now_s: float) -> None:
        """Fills in silence where sound has been missing for too long."""
        if self._soundtrack is not None:
            with named_errors(self.path):
                self._soundtrack.fill(now_s - _SOUND_TIMEOUT_S)

    def _write(self, record: Finished, captured_ns: int) -> None:
        # A frame that was captured before the last one was repeated comes a little too late.
        ticks = max(round(self._seconds(captured_ns) / _TICK), self._last_ticks + 1)
        self._last_ticks = ticks
        picture = self._to_yuv(letterbox(record.output.image, self._size))
        picture.pts = ticks
        picture.time_base = _TICK
        with named_errors(self.path):
            self._output.mux(self._picture.encode(picture))
            numbered = replace(record.frame, index=self._frames, pts=ticks * _TICK)
            self._table.write(replace(record, frame=numbered))
        self._frames += 1

    def _repeat_last(self, now_ns: int) -> None:
        assert self._last is not None
        self._write(repeated(self._last, now_ns), now_ns)

    def _end(self, now_ns: int) -> None:
        # The last frame is displayed until now.
        if self._seconds(now_ns) > self._last_s and self._last is not None:
            self._repeat_last(now_ns)
        self._output.mux(last_packets(self._picture))
        if self._soundtrack is not None:
            self._soundtrack.finish(self._last_s)

    @property
    def _last_s(self) -> float:
        """The time of the last frame in the recording, in seconds."""
        return float(self._last_ticks * _TICK)

    def _seconds(self, moment_ns: int) -> float:
        """The time in the recording at `moment_ns`, in seconds."""
        return (moment_ns - self._start_ns) / 1e9


def require_recordable(path: Path, encoding: Encoding = LIVE_ENCODING) -> None:
    """Raises SinkError where no recording can be written under `path`."""
    kinds = [kind for kind, container in CONTAINERS.items() if container.format in _CONTAINER_OPTIONS]
    if path.suffix.lower() not in kinds:
        raise SinkError(f"{path}: a recording is written as {', '.join(kinds)}")
    choose(path, encoding)
    require_writable(path)


def free_path(path: Path) -> Path:
    """The path itself, or a numbered one such as `out-2.mp4` where it exists; no file is replaced."""
    number, free = 1, path
    while any(used.exists() for used in _paths(free)):
        number += 1
        free = path.with_name(f"{path.stem}-{number}{path.suffix}")
    return free


def _paths(path: Path) -> list[Path]:
    return [path, partial_path(path), _table_path(path), partial_path(_table_path(path))]


def _table_path(path: Path) -> Path:
    return path.with_suffix(".csv")


def _captured_ns(frame: Frame) -> int:
    assert frame.captured_ns is not None, "live frames have a time of capture"
    return frame.captured_ns
