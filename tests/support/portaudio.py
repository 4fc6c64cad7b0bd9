"""A PortAudio that is none, below the real sounddevice: what that calls of it for microphones.

It answers with the real one's error codes: calls before Pa_Initialize, devices that are not in the list, too
many channels, streams that are closed. As with the real one, the list of devices is made by the first
Pa_Initialize, so that what is plugged in later is not in it, and the last Pa_Terminate closes all streams.
"""

from __future__ import annotations

import atexit
import sys
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest


@dataclass
class Device:
    name: str
    channels: int = 1
    """That can be recorded; 0: a loudspeaker."""


@dataclass
class Stream:
    channels: int
    samples: int = 0
    """That can be read."""
    running: bool = False
    overflowed: bool = False
    """Whether sound was lost since the last read."""


@dataclass
class PortAudio:
    """What tests plug in, look at and break. The attributes that begin with Pa_ are PortAudio's."""

    ffi: Any
    """Of sounddevice."""
    plugged: list[Device] = field(default_factory=list)
    starts: bool = True
    """False: Pa_Initialize fails."""
    streams_start: bool = True
    streams: dict[int, Stream] = field(default_factory=dict)
    """Those that are open, by their addresses."""

    def __post_init__(self) -> None:
        self._constants = self.ffi.dlopen(None)
        self._initialized = 0
        self._listed: list[Device] = []
        self._kept: list[Any] = []  # cffi frees what nothing in Python refers to
        self._next_address = 0x1000

    def __getattr__(self, name: str) -> Any:
        """The constants, such as paFloat32; a function that is missing here is an AttributeError."""
        return getattr(self._constants, name)

    def Pa_Initialize(self) -> int:
        if not self.starts:
            return self.paUnanticipatedHostError
        if not self._initialized:
            self._listed = list(self.plugged)
        self._initialized += 1
        return self.paNoError

    def Pa_Terminate(self) -> int:
        if not self._initialized:
            return self.paNotInitialized
        self._initialized -= 1
        if not self._initialized:
            self.streams.clear()
        return self.paNoError

    def Pa_GetErrorText(self, error: int) -> Any:
        return self._text(f"error {error} of PortAudio")

    def Pa_GetLastHostErrorInfo(self) -> Any:
        return self._new("PaHostErrorInfo *", (self.paALSA, -19, self._text("No such device")))

    def Pa_HostApiTypeIdToHostApiIndex(self, kind: int) -> int:
        return 0 if kind == self.paALSA else self.paHostApiNotFound

    def Pa_GetHostApiInfo(self, index: int) -> Any:
        if not self._initialized or index != 0:
            return self.ffi.NULL
        inputs = [number for number, device in enumerate(self._listed) if device.channels]
        first = inputs[0] if inputs else self.paNoDevice
        name, count = self._text("ALSA"), len(self._listed)
        return self._new("PaHostApiInfo *", (1, self.paALSA, name, count, first, self.paNoDevice))

    def Pa_HostApiDeviceIndexToDeviceIndex(self, index: int, number: int) -> int:
        return number if index == 0 and 0 <= number < len(self._listed) else self.paInvalidDevice

    def Pa_GetDeviceCount(self) -> int:
        return len(self._listed) if self._initialized else self.paNotInitialized

    def Pa_GetDeviceInfo(self, index: int) -> Any:
        if not self._initialized or not 0 <= self._int(index) < len(self._listed):
            return self.ffi.NULL
        device = self._listed[index]
        outputs = 0 if device.channels else 2
        latencies = 0.01, 0.01, 0.04, 0.04
        told = (2, self._text(device.name), 0, device.channels, outputs, *latencies, 48000.0)
        return self._new("PaDeviceInfo *", told)

    def Pa_GetDefaultInputDevice(self) -> int:
        found = (number for number, device in enumerate(self._listed) if device.channels)
        return next(found, self.paNoDevice) if self._initialized else self.paNoDevice

    def Pa_GetDefaultOutputDevice(self) -> int:
        return self.paNoDevice

    def Pa_GetSampleSize(self, kind: int) -> int:
        return 4 if kind == self.paFloat32 else self.paSampleFormatNotSupported

    def Pa_OpenStream(
        self,
        stream: Any,
        inputs: Any,
        outputs: Any,
        rate: float,
        size: int,
        flags: int,
        callback: Any,
        _: Any,
    ) -> int:
        if not self._initialized:
            return self.paNotInitialized
        assert outputs == self.ffi.NULL and callback == self.ffi.NULL
        if not 0 <= inputs.device < len(self._listed):
            return self.paInvalidDevice
        device = self._listed[inputs.device]
        if not 1 <= inputs.channelCount <= device.channels:
            return self.paInvalidChannelCount
        if device not in self.plugged:
            return self.paDeviceUnavailable
        if rate != 48000:
            return self.paInvalidSampleRate
        self._next_address += 16
        self.streams[self._next_address] = Stream(inputs.channelCount)
        stream[0] = self.ffi.cast("void *", self._next_address)
        return self.paNoError

    def Pa_GetStreamInfo(self, stream: Any) -> Any:
        return self._new("PaStreamInfo *", (1, 0.01, 0.0, 48000.0)) if self._find(stream) else self.ffi.NULL

    def Pa_StartStream(self, stream: Any) -> int:
        found = self._find(stream)
        if found is None:
            return self.paBadStreamPtr
        if not self.streams_start:
            return self.paUnanticipatedHostError
        found.running = True
        return self.paNoError

    def Pa_GetStreamReadAvailable(self, stream: Any) -> int:
        found = self._find(stream)
        if found is None:
            return self.paBadStreamPtr
        if not found.running:
            return self.paStreamIsStopped
        return found.samples if self.plugged else self.paUnanticipatedHostError

    def Pa_ReadStream(self, stream: Any, buffer: Any, count: int) -> int:
        error = self.Pa_GetStreamReadAvailable(stream)
        if error < 0:
            return error
        found = self.streams[self._address(stream)]
        assert count <= found.samples, "the real one would wait for the rest"
        found.samples -= count
        sound = np.arange(count * found.channels, dtype=np.float32)
        self.ffi.memmove(buffer, sound.tobytes(), sound.nbytes)
        overflowed, found.overflowed = found.overflowed, False
        return self.paInputOverflowed if overflowed else self.paNoError

    def Pa_CloseStream(self, stream: Any) -> int:
        if self._find(stream) is None:
            return self.paBadStreamPtr
        del self.streams[self._address(stream)]
        return self.paNoError

    def _find(self, stream: Any) -> Stream | None:
        return self.streams.get(self._address(stream))

    def _address(self, pointer: Any) -> int:
        return int(self.ffi.cast("intptr_t", pointer))

    def _int(self, number: int) -> int:
        """As C takes it: OverflowError where that is too small for it."""
        return int(self.ffi.new("int *", number)[0])

    def _text(self, text: str) -> Any:
        return self._new("char[]", text.encode())

    def _new(self, kind: str, value: Any) -> Any:
        self._kept.append(self.ffi.new(kind, value))
        return self._kept[-1]


def install(monkeypatch: pytest.MonkeyPatch, *plugged: Device) -> PortAudio:
    """Lets the next `import sounddevice` find it, with these devices."""
    from _sounddevice import ffi

    portaudio = PortAudio(ffi, list(plugged))
    names = [name for name in dir(ffi) if not name.startswith("__")]
    over = {**{name: getattr(ffi, name) for name in names}, "dlopen": lambda name: portaudio}
    monkeypatch.setitem(sys.modules, "_sounddevice", SimpleNamespace(ffi=SimpleNamespace(**over)))
    monkeypatch.setattr("ctypes.util.find_library", lambda name: "libportaudio")
    monkeypatch.setattr(atexit, "register", lambda function: function)  # it would end what is gone by then
    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    monkeypatch.setitem(sys.modules, "sounddevice", None)  # so that what was there before comes back
    del sys.modules["sounddevice"]
    return portaudio
