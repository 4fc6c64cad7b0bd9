"""Records live pictures while they are shown."""

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
from reenact.run.recording.recording_file import Saved, Take, TakeOptions, free_path, require_recordable

log = logging.getLogger(__name__)

RESERVE_BYTES = 50_000_000
"""A recording ends, whole, when the disk has no more than this left."""
CHECK_S = 1.0
"""Between two looks at how much is left."""
_PICTURES = 15
"""That may wait for the encoder: half a second, 41 MB at 720p."""
_OTHERS = 15
"""Places for other orders: they must not be lost."""
_PIECES = 1000
"""Of sound that may wait: ten seconds."""
_LOOK_NS = 100_000_000
"""Between two looks at the clock and for sound while no picture comes."""
_FINISH_S = 20.0
"""How long the end waits for the last recording."""

Listen = Callable[[], Generator[Sound | None, None, None]]
Latency = Callable[[], float | None]


@dataclass(frozen=True)
class Begin:
    """A new recording, from the next picture on."""

    path: Path


@dataclass(frozen=True)
class End:
    """The recording is over."""

    now_ns: int


@dataclass(frozen=True)
class Wait:
    """Time passes without a picture."""

    now_ns: int


Order = Begin | End | Wait | Finished


@dataclass(frozen=True)
class Over:
    """A recording has come to its end."""

    path: Path
    saved: Saved | None
    """None where there was not one picture."""
    reason: str | None = None
    """Why it ended, where nobody wanted that."""


@dataclass(frozen=True)
class Hearing:
    """What is heard, and where it belongs."""

    listen: Listen
    delay_ms: float | None = None
    """How long after it was heard sound belongs to the picture that is shown then. None takes the delay that
    each picture has itself."""
    latency_ms: Latency = lambda: None
    """That delay, from a picture's capture until it is shown, if it is known."""


@dataclass(frozen=True)
class RecordOptions:
    """What to record, and under which name."""

    path: Path
    audio: bool = True
    """Whether a microphone is heard."""
    audio_device: str | None = None
    """Which: its name, a part of it, or its number; None takes the system's usual one."""
    audio_delay_ms: float | None = None
    """See Hearing."""


class Recorder:
    """A sink that records from `start` to `stop`, and again from the next `start`, each time to another file.

    Encoding and writing happen in a thread of its own, so that the live picture waits for neither. What a
    full disk or a slow encoder costs is said in one line, and the live picture goes on.

    `start`, `stop` and what the sink gets come from one thread; `recording` and `saved` any may read.
    """

    def __init__(
        self,
        path: Path,
        options: TakeOptions = TakeOptions(),
        hearing: Hearing | None = None,
        clock_ns: Callable[[], int] = time.perf_counter_ns,
    ) -> None:
        """`path`: of the first recording; those after it are numbered, as are all if there is one already.

        Raises SinkError where nothing could be recorded.
        """
        require_recordable(path, options.encoding)
        self._first_path = path
        self._options = options
        self._hearing = hearing
        self._clock_ns = clock_ns
        self._orders: Channel[Order] = Channel(_PICTURES + _OTHERS)
        self._over: Channel[Over] = Channel(1)
        self._threads = ExitStack()
        self._path: Path | None = None
        self._looked_ns = 0
        self._missed = 0
        self.saved: tuple[Saved, ...] = ()
        """The recordings that are done."""

    def __enter__(self) -> Recorder:
        with ExitStack() as stack:
            scribe = Scribe(self._options, self._hearing, self._clock_ns)
            if self._hearing is not None:
                heard = in_background(self._hearing.listen(), "microphone", capacity=_PIECES)
                scribe.heard = stack.enter_context(heard)
            writing = in_background(
                scribe(iter(self._orders)), "recorder", capacity=_OTHERS, waits_at=self._orders
            )
            self._over = stack.enter_context(writing)
            self._threads = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Whatever ends the run, what is being recorded is finished."""
        with self._threads:
            self.stop()
            self._orders.close()
            self._await_end()

    @property
    def recording(self) -> bool:
        return self._path is not None

    def start(self) -> None:
        """Records from the next picture on; goes on where it does already."""
        if self._path is None:
            self._path = free_path(self._first_path)
            self._orders.offer(Begin(self._path))

    def stop(self) -> None:
        """The recording is done with the picture before; nothing happens where there is none."""
        if self._path is not None:
            self._path = None
            self._orders.offer(End(self._clock_ns()))

    def toggle(self) -> str:
        """Starts if it does not record, and otherwise stops; says in one line which."""
        if self._path is not None:
            line = f"recorded {self._path.name}"
            self.stop()
            return line
        self.start()
        assert self._path is not None
        return f"recording {self._path.name}"

    def write(self, record: Finished) -> None:
        self._look()
        if self.recording and not self._orders.offer(record, spare=_OTHERS):
            self._missed += 1

    def idle(self) -> None:
        self._look()
        now_ns = self._clock_ns()
        if now_ns - self._looked_ns >= _LOOK_NS:
            self._looked_ns = now_ns
            self._orders.offer(Wait(now_ns), spare=_OTHERS)

    def _look(self) -> None:
        """Hears what has become of earlier orders."""
        try:
            while True:
                self._note(self._over.get(0))
        except NothingYet:
            return

    def _await_end(self) -> None:
        try:
            while True:
                self._note(self._over.get(_FINISH_S))
        except Ended:
            return
        except NothingYet:
            log.warning("a recording is not finished after %g s and is left as it is", _FINISH_S)

    def _note(self, over: Over) -> None:
        if over.saved is not None:
            self.saved = (*self.saved, over.saved)
        if over.reason is not None:
            log.warning("the recording %s has ended: %s", over.path, over.reason)
            if over.path == self._path:
                self._path = None
        if self._missed:
            log.warning("%d pictures were not recorded: the encoder was too slow", self._missed)
            self._missed = 0


def open_recorder(
    options: RecordOptions, rate: Fraction | None, comment: str, latency_ms: Latency = lambda: None
) -> Recorder:
    """A recorder of live pictures, `rate` a second, with the sound of a microphone; raises SinkError.

    `comment`: for the videos' metadata.
    """
    hearing = None
    if options.audio:
        listening = partial(read_microphone, open_microphone(options.audio_device))
        hearing = Hearing(listening, options.audio_delay_ms, latency_ms)
    return Recorder(options.path, TakeOptions(rate, options.audio, comment), hearing)


class Scribe:
    """Writes the recordings: orders in, their ends out."""

    def __init__(self, options: TakeOptions, hearing: Hearing | None, clock_ns: Callable[[], int]) -> None:
        self._options = options
        self._hearing = hearing
        self._clock_ns = clock_ns
        self.heard: Channel[Sound] | None = None
        self._path: Path | None = None
        self._take: Take | None = None
        self._checked_ns = 0

    def __call__(self, orders: Iterator[Order]) -> Generator[Over | None, None, None]:
        try:
            for order in orders:
                yield self._obey(order)
            yield self._end(self._clock_ns())
        finally:
            # Whatever has gone wrong, and where: the recording is closed.
            self._end(self._clock_ns())

    def _obey(self, order: Order) -> Over | None:
        try:
            match order:
                case Begin(path):
                    self._path = path
                case End(now_ns):
                    self._listen()
                    return self._end(now_ns)
                case Wait(now_ns):
                    self._listen()
                    self._wait(now_ns)
                case Finished():
                    self._write(order)
                    self._listen()
        except OSError as error:
            return self._end(self._clock_ns(), str(error))
        return None

    def _write(self, record: Finished) -> None:
        if self._path is None:
            return  # it has ended with an error, which whoever gives the orders does not know yet
        self._require_room(self._path)
        if self._take is None:
            self._take = Take(self._path, record, self._options)
        self._take.write(record)

    def _wait(self, now_ns: int) -> None:
        if self._take is not None:
            self._require_room(self._take.path)
            self._take.wait(now_ns)

    def _listen(self) -> None:
        """Takes what has been heard since; without a recording it is let go."""
        if self.heard is None:
            return
        delay_s = self._delay_s()
        try:
            while True:
                sound = self.heard.get(0)
                if self._take is not None:
                    self._take.hear(sound, delay_s)
        except NothingYet:
            return

    def _delay_s(self) -> float:
        """How much later than the pictures captured with it sound belongs."""
        assert self._hearing is not None
        if self._hearing.delay_ms is None:
            return 0.0
        latency_ms = self._hearing.latency_ms()
        return 0.0 if latency_ms is None else (self._hearing.delay_ms - latency_ms) / 1000

    def _require_room(self, path: Path) -> None:
        now_ns = self._clock_ns()
        if now_ns - self._checked_ns < CHECK_S * 1e9:
            return
        self._checked_ns = now_ns
        if shutil.disk_usage(path.resolve().parent).free <= RESERVE_BYTES:
            raise SinkError(f"the disk has only {RESERVE_BYTES // 10**6} MB left")

    def _end(self, now_ns: int, reason: str | None = None) -> Over | None:
        take, path = self._take, self._path
        self._take = self._path = None
        if path is None:
            return None
        if take is None:
            return Over(path, None, reason)
        try:
            take.finish(now_ns)
        except OSError as error:
            reason = reason or str(error)
        return Over(path, take.saved, reason)
