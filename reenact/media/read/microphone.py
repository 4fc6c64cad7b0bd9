"""The sound of a microphone, which is opened again whenever it is lost."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from reenact.doctor.machine import this_system
from reenact.records import Sound

log = logging.getLogger(__name__)

RATE = 48_000
"""Samples per second of recorded sound; both microphones and AAC support this rate."""
_PIECE_SAMPLES = RATE // 100
"""The least number of samples that are read at a time: 10 ms."""
_DRIFT = 500e-6
"""Largest relative error of a sound card's clock; that of real ones is a tenth of it."""


class MicrophoneError(OSError):
    """Raised where no microphone opens or one is lost; the message is one line for the user."""


class Microphone(Protocol):
    """An open microphone. Its methods raise only MicrophoneError."""

    def available(self) -> int:
        """The number of samples that can be read without waiting."""

    def read(self, count: int) -> tuple[NDArray[np.float32], bool]:
        """The samples, and whether sound before them was lost.

        The samples are (count, channels) in -1..1, RATE a second, with one or two channels."""

    def close(self) -> None:
        """Releases the microphone."""


@dataclass(frozen=True)
class MicrophoneOptions:
    """The time limits of a microphone."""

    stall_s: float = 1.0
    """The time without sound, in seconds, after which the microphone counts as lost."""
    pause_s: float = 0.005
    """The interval, in seconds, at which new sound is polled."""
    retry_s: float = 2.0
    """The interval, in seconds, between attempts to open a lost microphone again."""


class SoundClock:
    """Estimates when sound was captured from when it arrived: arrivals may be late, but are never early."""

    def __init__(self) -> None:
        self._count = 0
        self._start_ns: int | None = None

    def __call__(self, count: int, arrived_ns: int) -> int:
        """When the first of the next `count` samples was captured, in nanoseconds."""
        start_ns = arrived_ns - self._ns(self._count + count)
        if self._start_ns is None:
            self._start_ns = start_ns
        # The small increase lets the estimate follow a card whose clock is too slow.
        self._start_ns = min(self._start_ns + int(_DRIFT * self._ns(count)), start_ns)
        heard_ns = self._start_ns + self._ns(self._count)
        self._count += count
        return heard_ns

    @staticmethod
    def _ns(count: int) -> int:
        return count * 10**9 // RATE


def read_microphone(
    open_device: Callable[[], Microphone],
    options: MicrophoneOptions = MicrophoneOptions(),
    clock_ns: Callable[[], int] = time.perf_counter_ns,
    sleep: Callable[[float], None] = time.sleep,
) -> Generator[Sound | None, None, None]:
    """The sound of a microphone in pieces, without end; None repeatedly while there is none.

    A microphone that is missing or lost is opened again as soon as it is back; one warning says so.
    open_device: opens the microphone, or raises MicrophoneError. clock_ns: the clock of `Sound.heard_ns`.
    """
    lost = False
    while True:
        try:
            with closing(open_device()) as microphone:
                if lost:
                    log.warning("the microphone works again")
                lost = False
                yield from _sound_pieces(microphone, options, clock_ns, sleep)
        except MicrophoneError as error:
            if not lost:
                log.warning("%s: recordings are silent until it works", error)
            lost = True
        until_ns = clock_ns() + int(options.retry_s * 1e9)
        while clock_ns() < until_ns:
            yield None
            sleep(options.pause_s)


def open_microphone(device: str | None) -> Callable[[], Microphone]:
    """A function that opens the microphone `device`, a name or number. None: the default microphone."""
    with suppress(MicrophoneError):
        # Imported in the caller's thread, because the import redirects standard error meanwhile.
        _import_sounddevice()
    return _PortAudioOpener(int(device) if device is not None and device.isdecimal() else device)


class _PortAudioOpener:
    """Opens a microphone, also one that was plugged in since the last attempt."""

    def __init__(self, device: int | str | None) -> None:
        self._device = device
        self._tried = False

    def __call__(self) -> PortAudioMicrophone:
        """Opens the microphone. Raises MicrophoneError."""
        library = _import_sounddevice()
        if self._tried:
            _restart(library)
        self._tried = True
        return PortAudioMicrophone(library, self._device)


class PortAudioMicrophone:
    """A microphone opened by PortAudio.

    PyAV is not used for this, because the ALSA in its Linux wheels does not find its settings.
    """

    def __init__(self, library: Any, device: int | str | None) -> None:
        """library: the module sounddevice. device: a name, a part of it, or a number. None: the default one.

        Raises MicrophoneError."""
        self._library = library
        self._name = "the microphone" if device is None else f"microphone {device!r}"
        if device is None and library.default.device[0] < 0:
            raise MicrophoneError("there is no microphone")
        with self._plain_errors("does not open"):
            properties = library.query_devices(device, "input")
            channels = min(2, properties["max_input_channels"])
            self._stream = library.InputStream(RATE, device=device, channels=channels, dtype="float32")
            try:
                self._stream.start()
            except library.PortAudioError:
                self.close()
                raise

    def available(self) -> int:
        with self._plain_errors("is gone"):
            return int(self._stream.read_available)

    def read(self, count: int) -> tuple[NDArray[np.float32], bool]:
        with self._plain_errors("is gone"):
            samples, lost = self._stream.read(count)
            return samples, bool(lost)

    def close(self) -> None:
        self._stream.close(ignore_errors=True)

    @contextmanager
    def _plain_errors(self, what: str) -> Iterator[None]:
        try:
            yield
        except (self._library.PortAudioError, ValueError, OverflowError) as error:  # overflow: 99999999999
            raise MicrophoneError(f"{self._name} {what}: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    """The error's text in one line. sounddevice asks PortAudio for it, which may not run."""
    try:
        return " ".join(str(error).split())
    except Exception:
        return str(error.args[0])


def _restart(library: Any) -> None:
    """Restarts PortAudio, which lists devices only when it starts. Raises MicrophoneError."""
    with suppress(library.PortAudioError):  # PortAudio is not running
        library._terminate()
    try:
        library._initialize()
    except library.PortAudioError as error:
        raise MicrophoneError(f"PortAudio does not start: {_reason(error)}") from error


def _import_sounddevice() -> Any:
    """The module sounddevice. Raises MicrophoneError where it or PortAudio is missing."""
    try:
        import sounddevice
    except ImportError as error:
        raise MicrophoneError(f"microphones need sounddevice ({error}): pip install sounddevice") from error
    except OSError as error:
        fix = this_system().install(["libportaudio.so.2"])
        raise MicrophoneError(f"microphones need PortAudio ({error}): {fix}") from error
    except Exception as error:  # PortAudioError, which cannot be named before the import
        raise MicrophoneError(f"PortAudio does not start: {_reason(error)}") from error
    return sounddevice


def _sound_pieces(
    microphone: Microphone,
    options: MicrophoneOptions,
    clock_ns: Callable[[], int],
    sleep: Callable[[float], None],
) -> Generator[Sound | None, None, None]:
    """The sound of an open microphone in pieces. Raises MicrophoneError when it is lost."""
    sound_clock, last_ns = SoundClock(), clock_ns()
    while clock_ns() - last_ns < options.stall_s * 1e9:
        count = microphone.available()
        if count < _PIECE_SAMPLES:
            yield None
            sleep(options.pause_s)
            continue
        samples, lost = microphone.read(count)
        last_ns = clock_ns()
        if lost:
            sound_clock = SoundClock()  # its count would be too low after a loss
        yield Sound(_stereo(samples), sound_clock(count, last_ns))
    raise MicrophoneError(f"the microphone has sent nothing for {options.stall_s:g} s")


def _stereo(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Converts (count, channels) to (2, count)."""
    return np.ascontiguousarray(np.broadcast_to(samples.T, (2, len(samples))))
