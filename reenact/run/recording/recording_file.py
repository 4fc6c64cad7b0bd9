"""One recording of live pictures: a video with sound, and a table beside it."""

from __future__ import annotations

import os
from contextlib import ExitStack
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from reenact.media.atomic import partial_path
from reenact.media.colour import HD, Colour
from reenact.media.read.devices import USUAL_RATE
from reenact.media.read.microphone import RATE
from reenact.media.write.au_csv import AUCsvSink
from reenact.media.write.encoding import (
    CONTAINERS,
    Encoding,
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
from reenact.run.freeze_frame import stilled
from reenact.run.recording.fragments import drop_torn_end
from reenact.run.recording.soundtrack import Soundtrack

LIVE_ENCODING = Encoding(preset="ultrafast")
"""5.7 ms of processor time for a 720p picture, where veryfast takes 14 from what else the live run does."""
HOLD_S = 1.0
"""After so long without a new picture the last one is written again, so that the file goes on."""
_SOUND_LATE_S = 1.0
"""Sound that has not come by then is not waited for."""
_TICK = Fraction(1, 90_000)
_KEYFRAME_S = 2
"""So far apart at most, for players that jump and editors that cut."""
_FRAGMENTED = {
    # Whole at every moment: what was written before the power went, or the program was killed, can be
    # played. At the end it becomes a plain file, where it lies.
    "movflags": "+hybrid_fragmented+delay_moov",
    "frag_duration": "1000000",
    "movie_timescale": "720000",  # the pictures' ticks and the sound's samples, so that neither is shifted
    "flush_packets": "1",
}
_CONTAINER_OPTIONS = {
    "mp4": _FRAGMENTED,
    "mov": _FRAGMENTED,
    "matroska": {"cluster_time_limit": "1000", "flush_packets": "1"},
}


@dataclass(frozen=True)
class LivePictures:
    """What an encoder must know of a camera's pictures."""

    size: tuple[int, int]
    rate: Fraction | None
    time_base: Fraction = _TICK
    pixel_aspect: Fraction = Fraction(1)
    colour: Colour = HD


@dataclass(frozen=True)
class TakeOptions:
    """What is the same for all recordings of a run."""

    rate: Fraction | None = None
    """Pictures a second to expect; they may come otherwise."""
    sound: bool = False
    """Whether there is a soundtrack, silent as long as no sound comes."""
    comment: str | None = None
    """For the video's metadata."""
    encoding: Encoding = LIVE_ENCODING


@dataclass(frozen=True)
class Saved:
    """A recording that is done."""

    path: Path
    frames: int
    duration_s: float


class Take:
    """A video of what is shown and, as `NAME.csv` beside it, its action units, measured and asked for.

    A row of the table, or as many as there are faces, belongs to each picture of the video, by number and by
    time. Pictures keep the times of their capture, so that the sound fits them whatever was dropped. Until it
    is done both files have .partial in their names, and can be read.
    """

    def __init__(self, path: Path, first: Finished, options: TakeOptions = TakeOptions()) -> None:
        """Opens the files. `first`: tells when it begins, and its size; it is still to be written.

        Raises SinkError, and leaves nothing behind then.
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
        """The next picture, whatever its size."""
        self._last = record
        self._write(record, _captured_ns(record.frame))
        self._fill(self._last_s)

    def hear(self, sound: Sound, delay_s: float = 0.0) -> None:
        """A piece of sound that belongs to the pictures captured `delay_s` after it was heard."""
        if self._soundtrack is not None:
            at_s = self._seconds(sound.heard_ns) + delay_s
            early = max(0, round(-at_s * RATE))
            if early < sound.samples.shape[1]:
                with named_errors(self.path):
                    self._soundtrack.write(sound.samples[:, early:], at_s + early / RATE)

    def wait(self, now_ns: int) -> None:
        """Says what time it is, while neither picture nor sound may come."""
        now_s = self._seconds(now_ns)
        if self._last is not None and now_s - self._last_s >= HOLD_S:
            self._hold(now_ns)
        self._fill(now_s)

    def finish(self, now_ns: int) -> Saved:
        """Closes the files and gives them their names. What can be saved is, also where that raises."""
        try:
            with named_errors(self.path), self._resources:
                self._end(now_ns)
        except SinkError:
            if self._output.format.name in ("mp4", "mov"):
                drop_torn_end(partial_path(self.path))
            raise
        finally:
            if self._frames:
                self._keep()
            else:
                self._remove()
        return self.saved

    @property
    def saved(self) -> Saved:
        """What there is of it so far."""
        return Saved(self.path, self._frames, self._last_s)

    def _open(self, stack: ExitStack, options: TakeOptions) -> None:
        container, codec = choose(self.path, options.encoding)
        pictures = LivePictures(self._size, options.rate)
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
        """Silence where sound is that late that it will not come."""
        if self._soundtrack is not None:
            with named_errors(self.path):
                self._soundtrack.fill(now_s - _SOUND_LATE_S)

    def _write(self, record: Finished, captured_ns: int) -> None:
        # A picture that was still under way when the one before was repeated comes a little too late.
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

    def _hold(self, now_ns: int) -> None:
        assert self._last is not None
        self._write(stilled(self._last, now_ns), now_ns)

    def _end(self, now_ns: int) -> None:
        # The last picture is shown as long as it was: until now.
        if self._seconds(now_ns) > self._last_s and self._last is not None:
            self._hold(now_ns)
        self._output.mux(last_packets(self._picture))
        if self._soundtrack is not None:
            self._soundtrack.finish(self._last_s)

    @property
    def _last_s(self) -> float:
        return float(self._last_ticks * _TICK)

    def _seconds(self, moment_ns: int) -> float:
        return (moment_ns - self._start_ns) / 1e9


def require_recordable(path: Path, encoding: Encoding = LIVE_ENCODING) -> None:
    """Refuses, now, a name under which nothing could be recorded. Raises SinkError."""
    kinds = [kind for kind, container in CONTAINERS.items() if container.format in _CONTAINER_OPTIONS]
    if path.suffix.lower() not in kinds:
        raise SinkError(f"{path}: a recording is written as {', '.join(kinds)}")
    choose(path, encoding)
    require_writable(path)


def free_path(path: Path) -> Path:
    """`out.mp4`, or `out-2.mp4` and so on where there is a recording already: none can be made again."""
    number, free = 1, path
    while any(taken.exists() for taken in _paths(free)):
        number += 1
        free = path.with_name(f"{path.stem}-{number}{path.suffix}")
    return free


def _paths(path: Path) -> list[Path]:
    return [path, partial_path(path), _table_path(path), partial_path(_table_path(path))]


def _table_path(path: Path) -> Path:
    return path.with_suffix(".csv")


def _captured_ns(frame: Frame) -> int:
    assert frame.captured_ns is not None, "live pictures say when they were captured"
    return frame.captured_ns
