"""Records the frames of a live run without delaying them."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from types import TracebackType

from reenact.media.read.microphone import open_microphone, read_microphone
from reenact.media.write.encoding import SinkError
from reenact.pipeline.channel import Channel, Ended, NothingYet
from reenact.pipeline.runner import in_background
from reenact.records import Finished, Sound
from reenact.run.recording.recording_file import (
    Recording,
    RecordingFormat,
    SavedRecording,
    free_path,
    require_recordable,
)

log = logging.getLogger(__name__)

RESERVE_BYTES = 50_000_000
"""Free disk space, in bytes, at which a recording is ended and its file completed."""
DISK_CHECK_S = 1.0
"""The interval, in seconds, at which the free disk space is checked."""
_QUEUED_FRAMES = 15
"""Most frames in the queue of the encoder: half a second, 41 MB at 720p."""
_QUEUED_COMMANDS = 15
"""Places in the queue that are reserved for other commands, because those must not be dropped."""
_QUEUED_SOUND_PIECES = 1000
"""Most pieces of sound in the queue: ten seconds."""
_TIME_COMMAND_NS = 100_000_000
"""The interval, in nanoseconds, of time commands while there is no frame."""
_FINISH_TIMEOUT_S = 20.0
"""The longest wait for the last recording at the end, in seconds."""

ReadSound = Callable[[], Generator[Sound | None, None, None]]
"""Starts to read the sound of a microphone; it gives None while there is none."""
Latency = Callable[[], float | None]
"""Gives the latency in milliseconds. None: it is unknown."""


@dataclass(frozen=True)
class StartCommand:
    """Starts a new recording with the next frame."""

    path: Path
    """The file of the recording."""


@dataclass(frozen=True)
class StopCommand:
    """Ends the recording."""

    now_ns: int
    """The time of the command, in nanoseconds."""


@dataclass(frozen=True)
class TimeCommand:
    """Reports the time while there is no frame."""

    now_ns: int
    """The time of the command, in nanoseconds."""


Command = StartCommand | StopCommand | TimeCommand | Finished


@dataclass(frozen=True)
class RecordingEnd:
    """Reports the end of a recording."""

    path: Path
    """The file of the recording."""
    saved: SavedRecording | None
    """The recording that was saved. None: it had no frame."""
    reason: str | None = None
    """The error that ended the recording. None: it was stopped."""


@dataclass(frozen=True)
class SoundInput:
    """The source of the sound, and its delay."""

    read: ReadSound
    """Starts to read the sound; see read_microphone."""
    delay_ms: float | None = None
    """The delay of the sound, in milliseconds: it is recorded with the frame that is displayed so much later.
    None: the sound is recorded with the frame that was captured at the same time."""
    latency_ms: Latency = lambda: None
    """Gives the latency of the frames from capture to display, in milliseconds. None: it is unknown."""


@dataclass(frozen=True)
class RecordOptions:
    """The file and the sound of a recording."""

    path: Path
    """The file of the first recording; see Recorder."""
    audio: bool = True
    """Whether the sound of a microphone is recorded."""
    audio_device: str | None = None
    """The microphone's name, a part of it, or its number. None: the system's default microphone."""
    audio_delay_ms: float | None = None
    """The delay of the sound, in milliseconds; see SoundInput. None: sound is in step with the frames."""


class Recorder:
    """A sink that records from `start` to `stop`, each time to a new file. A context manager.

    Encoding and writing run in a thread of their own, so that the live run does not wait for them. A full
    disk or a slow encoder is reported in one warning, and the live run continues.

    `start`, `stop`, `write` and `idle` must be called in one thread; any thread may read `recording` and
    `saved`.
    """

    def __init__(
        self,
        path: Path,
        options: RecordingFormat = RecordingFormat(),
        sound_input: SoundInput | None = None,
        clock_ns: Callable[[], int] = time.perf_counter_ns,
    ) -> None:
        """path: the file of the first recording; later ones get a number, as the first one does if it exists.
        options: the format of the files. sound_input: the source of the sound. None: there is no sound.
        clock_ns: the clock of the frames' `captured_ns`.

        Raises SinkError where no recording can be written.
        """
        require_recordable(path, options.encoding)
        self._first_path = path
        self._options = options
        self._sound_input = sound_input
        self._clock_ns = clock_ns
        self._commands: Channel[Command] = Channel(_QUEUED_FRAMES + _QUEUED_COMMANDS)
        self._ends: Channel[RecordingEnd] = Channel(1)
        self._threads = ExitStack()
        self._path: Path | None = None
        self._time_command_ns = 0
        self._missed = 0
        self.saved: tuple[SavedRecording, ...] = ()
        """The completed recordings."""

    def __enter__(self) -> Recorder:
        with ExitStack() as stack:
            writer = RecordingWriter(self._options, self._sound_input, self._clock_ns)
            if self._sound_input is not None:
                sound = in_background(self._sound_input.read(), "microphone", capacity=_QUEUED_SOUND_PIECES)
                writer.sound_channel = stack.enter_context(sound)
            writing = in_background(
                writer(iter(self._commands)), "recorder", capacity=_QUEUED_COMMANDS, waits_at=self._commands
            )
            self._ends = stack.enter_context(writing)
            self._threads = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Completes the running recording, whatever ended the block."""
        with self._threads:
            self.stop()
            self._commands.close()
            self._await_end()

    @property
    def recording(self) -> bool:
        """Whether a recording is running."""
        return self._path is not None

    def start(self) -> None:
        """Starts a recording with the next frame; does nothing if one is running."""
        if self._path is None:
            self._path = free_path(self._first_path)
            self._commands.offer(StartCommand(self._path))

    def stop(self) -> None:
        """Ends the recording after the last frame; does nothing if none is running."""
        if self._path is not None:
            self._path = None
            self._commands.offer(StopCommand(self._clock_ns()))

    def toggle(self) -> str:
        """Starts or stops, and returns one line for the user."""
        if self._path is not None:
            line = f"recorded {self._path.name}"
            self.stop()
            return line
        self.start()
        assert self._path is not None
        return f"recording {self._path.name}"

    def write(self, record: Finished) -> None:
        """Records the frame; it is dropped and counted where the queue is full."""
        self._poll()
        if self.recording and not self._commands.offer(record, spare=_QUEUED_COMMANDS):
            self._missed += 1

    def idle(self) -> None:
        """Reports the time to the recording, at most ten times a second."""
        self._poll()
        now_ns = self._clock_ns()
        if now_ns - self._time_command_ns >= _TIME_COMMAND_NS:
            self._time_command_ns = now_ns
            self._commands.offer(TimeCommand(now_ns), spare=_QUEUED_COMMANDS)

    def _poll(self) -> None:
        """Handles the ends of recordings that were reported since the last call."""
        try:
            while True:
                self._handle(self._ends.get(0))
        except NothingYet:
            return

    def _await_end(self) -> None:
        try:
            while True:
                self._handle(self._ends.get(_FINISH_TIMEOUT_S))
        except Ended:
            return
        except NothingYet:
            log.warning("a recording is not finished after %g s and is left as it is", _FINISH_TIMEOUT_S)

    def _handle(self, end: RecordingEnd) -> None:
        if end.saved is not None:
            self.saved = (*self.saved, end.saved)
        if end.reason is not None:
            log.warning("the recording %s has ended: %s", end.path, end.reason)
            if end.path == self._path:
                self._path = None
        if self._missed:
            log.warning("%d pictures were not recorded: the encoder was too slow", self._missed)
            self._missed = 0


def open_recorder(
    options: RecordOptions, rate: Fraction | None, comment: str, latency_ms: Latency = lambda: None
) -> Recorder:
    """Makes a recorder of live frames with the sound of a microphone. Raises SinkError.

    rate: frames per second. None: they are unknown. comment: stored in the videos' metadata. latency_ms: see
    SoundInput.
    """
    sound_input = None
    if options.audio:
        read = partial(read_microphone, open_microphone(options.audio_device))
        sound_input = SoundInput(read, options.audio_delay_ms, latency_ms)
    return Recorder(options.path, RecordingFormat(rate, options.audio, comment), sound_input)


class RecordingWriter:
    """Writes the recordings: takes commands and gives a RecordingEnd for each recording."""

    def __init__(
        self, options: RecordingFormat, sound_input: SoundInput | None, clock_ns: Callable[[], int]
    ) -> None:
        self._options = options
        self._sound_input = sound_input
        self._clock_ns = clock_ns
        self.sound_channel: Channel[Sound] | None = None
        self._path: Path | None = None
        self._recording: Recording | None = None
        self._checked_ns = 0

    def __call__(self, commands: Iterator[Command]) -> Generator[RecordingEnd | None, None, None]:
        try:
            for command in commands:
                yield self._execute(command)
            yield self._end(self._clock_ns())
        finally:
            # The recording is completed after any error.
            self._end(self._clock_ns())

    def _execute(self, command: Command) -> RecordingEnd | None:
        try:
            match command:
                case StartCommand(path):
                    self._path = path
                case StopCommand(now_ns):
                    self._write_sound()
                    return self._end(now_ns)
                case TimeCommand(now_ns):
                    self._write_sound()
                    self._wait(now_ns)
                case Finished():
                    self._write(command)
                    self._write_sound()
        except OSError as error:
            return self._end(self._clock_ns(), str(error))
        return None

    def _write(self, record: Finished) -> None:
        if self._path is None:
            return  # the recording ended with an error that the recorder has not polled yet
        self._require_room(self._path)
        if self._recording is None:
            self._recording = Recording(self._path, record, self._options)
        self._recording.write(record)

    def _wait(self, now_ns: int) -> None:
        if self._recording is not None:
            self._require_room(self._recording.path)
            self._recording.advance(now_ns)

    def _write_sound(self) -> None:
        """Writes the sound since the last call to the recording; without a recording it is dropped."""
        if self.sound_channel is None:
            return
        delay_s = self._delay_s()
        try:
            while True:
                sound = self.sound_channel.get(0)
                if self._recording is not None:
                    self._recording.write_sound(sound, delay_s)
        except NothingYet:
            return

    def _delay_s(self) -> float:
        """The delay of the sound relative to the frames captured at the same time, in seconds."""
        assert self._sound_input is not None
        if self._sound_input.delay_ms is None:
            return 0.0
        latency_ms = self._sound_input.latency_ms()
        return 0.0 if latency_ms is None else (self._sound_input.delay_ms - latency_ms) / 1000

    def _require_room(self, path: Path) -> None:
        now_ns = self._clock_ns()
        if now_ns - self._checked_ns < DISK_CHECK_S * 1e9:
            return
        self._checked_ns = now_ns
        if shutil.disk_usage(path.resolve().parent).free <= RESERVE_BYTES:
            raise SinkError(f"the disk has only {RESERVE_BYTES // 10**6} MB left")

    def _end(self, now_ns: int, reason: str | None = None) -> RecordingEnd | None:
        recording, path = self._recording, self._path
        self._recording = self._path = None
        if path is None:
            return None
        if recording is None:
            return RecordingEnd(path, None, reason)
        try:
            recording.finish(now_ns)
        except OSError as error:
            reason = reason or str(error)
        return RecordingEnd(path, recording.saved, reason)
