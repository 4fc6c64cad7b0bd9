"""A microphone as pieces of sound that go on through whatever happens to it."""

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
"""Samples per second of all sound that is heard: what microphones and AAC both have."""
_PIECE = RATE // 100
"""Samples asked for at a time: 10 ms."""
_DRIFT = 500e-6
"""By which a sound card's clock may differ from the computer's; those of real ones do by a tenth of it."""


class MicrophoneError(OSError):
    """No microphone opens; the message is one line for the user."""


class Ear(Protocol):
    """An open microphone. After it is open, it raises nothing but MicrophoneError."""

    def available(self) -> int:
        """Samples that can be read at once."""

    def read(self, count: int) -> tuple[NDArray[np.float32], bool]:
        """(count, channels), -1..1, RATE a second, one channel or two; whether sound was lost before it."""

    def close(self) -> None: ...


@dataclass(frozen=True)
class MicrophoneOptions:
    """When to give up on a microphone."""

    stall_s: float = 1.0
    """One that has delivered nothing for so long is lost."""
    pause_s: float = 0.005
    """Between two looks at whether there is sound."""
    retry_s: float = 2.0
    """Between attempts to open a lost one again."""


class SoundClock:
    """When sound was heard, from when it arrived: arrivals are late now and then, and never early."""

    def __init__(self) -> None:
        self._heard = 0
        self._start_ns: int | None = None

    def __call__(self, count: int, arrived_ns: int) -> int:
        """When the first of these samples was heard, which follow those of the call before."""
        start_ns = arrived_ns - self._ns(self._heard + count)
        if self._start_ns is None:
            self._start_ns = start_ns
        # The creep lets it follow a card that is slower than it says.
        self._start_ns = min(self._start_ns + int(_DRIFT * self._ns(count)), start_ns)
        heard_ns = self._start_ns + self._ns(self._heard)
        self._heard += count
        return heard_ns

    @staticmethod
    def _ns(count: int) -> int:
        return count * 10**9 // RATE


def listen(
    open_ear: Callable[[], Ear],
    options: MicrophoneOptions = MicrophoneOptions(),
    clock_ns: Callable[[], int] = time.perf_counter_ns,
    sleep: Callable[[float], None] = time.sleep,
) -> Generator[Sound | None, None, None]:
    """What a microphone hears, for ever, piece by piece; None again and again while there is nothing.

    One that is missing or lost is opened again as soon as it is back; one warning says so.
    """
    lost = False
    while True:
        try:
            with closing(open_ear()) as ear:
                if lost:
                    log.warning("the microphone works again")
                lost = False
                yield from _heard(ear, options, clock_ns, sleep)
        except MicrophoneError as error:
            if not lost:
                log.warning("%s: what is recorded is silent until it works", error)
            lost = True
        until_ns = clock_ns() + int(options.retry_s * 1e9)
        while clock_ns() < until_ns:
            yield None
            sleep(options.pause_s)


def open_microphone(device: str | None) -> Callable[[], Ear]:
    """What opens the microphone of this name or number; None takes the system's usual one."""
    with suppress(MicrophoneError):
        # Now, by whoever asks: it turns standard error off for the whole process while it looks for devices.
        _import_sounddevice()
    return _PortAudioOpener(int(device) if device is not None and device.isdecimal() else device)


class _PortAudioOpener:
    """Opens a microphone, also one that was plugged in since the last attempt."""

    def __init__(self, device: int | str | None) -> None:
        self._device = device
        self._tried = False

    def __call__(self) -> PortAudioEar:
        """Raises MicrophoneError."""
        library = _import_sounddevice()
        if self._tried:
            _list_devices_again(library)
        self._tried = True
        return PortAudioEar(library, self._device)


class PortAudioEar:
    """A microphone, through PortAudio.

    Not through PyAV: the ALSA in its Linux wheels looks for its settings where it was built, and finds none.
    """

    def __init__(self, library: Any, device: int | str | None) -> None:
        """`library`: the module sounddevice. Raises MicrophoneError."""
        self._library = library
        self._name = "the microphone" if device is None else f"microphone {device!r}"
        if device is None and library.default.device[0] < 0:
            raise MicrophoneError("there is no microphone")
        with self._plain_errors("does not open"):
            told = library.query_devices(device, "input")
            channels = min(2, told["max_input_channels"])
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
    """What sounddevice says, in one line. It asks PortAudio for the words, and fails if that does not run."""
    try:
        return " ".join(str(error).split())
    except Exception:
        return str(error.args[0])


def _list_devices_again(library: Any) -> None:
    """PortAudio lists the devices when it starts, and never again while it runs. Raises MicrophoneError."""
    with suppress(library.PortAudioError):  # it did not start the last time
        library._terminate()
    try:
        library._initialize()
    except library.PortAudioError as error:
        raise MicrophoneError(f"PortAudio does not start: {_reason(error)}") from error


def _import_sounddevice() -> Any:
    """The library; raises MicrophoneError where it, or the PortAudio below it, is missing."""
    try:
        import sounddevice
    except ImportError as error:
        raise MicrophoneError(f"microphones need sounddevice ({error}): pip install sounddevice") from error
    except OSError as error:
        fix = this_system().install(["libportaudio.so.2"])
        raise MicrophoneError(f"microphones need PortAudio ({error}): {fix}") from error
    except Exception as error:  # its own PortAudioError, which nobody can name before it is imported
        raise MicrophoneError(f"PortAudio does not start: {_reason(error)}") from error
    return sounddevice


def _heard(
    ear: Ear, options: MicrophoneOptions, clock_ns: Callable[[], int], sleep: Callable[[float], None]
) -> Generator[Sound | None, None, None]:
    """What an open microphone hears, until it is lost. Raises MicrophoneError then."""
    sound_clock, last_ns = SoundClock(), clock_ns()
    while clock_ns() - last_ns < options.stall_s * 1e9:
        count = ear.available()
        if count < _PIECE:
            yield None
            sleep(options.pause_s)
            continue
        samples, lost = ear.read(count)
        last_ns = clock_ns()
        if lost:
            sound_clock = SoundClock()  # what it has counted is less than what was heard
        yield Sound(_stereo(samples), sound_clock(count, last_ns))
    raise MicrophoneError(f"the microphone has sent nothing for {options.stall_s:g} s")


def _stereo(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """(2, count) from (count, channels)."""
    return np.ascontiguousarray(np.broadcast_to(samples.T, (2, len(samples))))
