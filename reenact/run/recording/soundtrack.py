"""Writes the sound of a recording: every piece at its time, and silence where there is none."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import OutputContainer
from numpy.typing import NDArray

from reenact.media.read.microphone import RATE

_BITS_PER_S = 160_000
"""The bit rate of the soundtrack."""
_TOLERANCE = RATE // 200
"""The offset of sound, in samples (5 ms), up to which it is not corrected."""
_GAP = RATE // 20
"""The offset of sound, in samples (50 ms), above which silence is inserted or late sound is cut."""
_STRETCH = 1 / 400
"""The largest relative change of a piece's length to correct its offset; it is inaudible."""


class Soundtrack:
    """A continuous stereo AAC soundtrack from the beginning of the recording."""

    def __init__(self, output: OutputContainer) -> None:
        """Adds a sound stream to the output."""
        stream = output.add_stream("aac", rate=RATE, layout="stereo", bit_rate=_BITS_PER_S)
        assert isinstance(stream, AudioStream)
        self._output = output
        self._stream = stream
        self._written = 0

    def write(self, samples: NDArray[np.float32], at_s: float) -> None:
        """Writes samples (2, count) in -1..1, the first of them at the time `at_s` of the recording."""
        self._append(placed(samples, round(at_s * RATE) - self._written))

    def fill(self, until_s: float) -> None:
        """Writes silence up to the time `until_s`, if the soundtrack is shorter."""
        missing = round(until_s * RATE) - self._written
        if missing > 0:
            self._append(np.zeros((2, missing), np.float32))

    def finish(self, end_s: float) -> None:
        """Ends the soundtrack; silence is written up to the time `end_s`."""
        self.fill(end_s)
        self._output.mux(self._stream.encode(None))

    def _append(self, samples: NDArray[np.float32]) -> None:
        for piece in _pieces(samples):
            frame = AudioFrame.from_ndarray(piece, "fltp", "stereo")
            frame.sample_rate = RATE
            frame.time_base = Fraction(1, RATE)
            frame.pts = self._written
            self._written += piece.shape[1]
            self._output.mux(self._stream.encode(frame))


def placed(samples: NDArray[np.float32], due: int) -> NDArray[np.float32]:
    """The samples (channels, count) to append so that the given ones are at their time.

    due: the distance in samples from the end of the soundtrack to that time; negative where they are late.
    """
    if due > _GAP:
        return np.concatenate([np.zeros((len(samples), due), np.float32), samples], axis=1)
    if due < -_GAP:
        return samples[:, -due:]
    if abs(due) <= _TOLERANCE or samples.shape[1] < 2:
        return samples
    most = max(1, int(_STRETCH * samples.shape[1]))
    return _stretched(samples, samples.shape[1] + int(np.clip(due, -most, most)))


def _stretched(samples: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """The same sound, resampled linearly to `count` samples."""
    before = np.arange(samples.shape[1])
    after = np.linspace(0, samples.shape[1] - 1, count)
    return np.stack([np.interp(after, before, channel) for channel in samples]).astype(np.float32)


def _pieces(samples: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
    """Pieces of at most one second, so that the encoder needs little memory for a long silence."""
    for start in range(0, samples.shape[1], RATE):
        yield np.ascontiguousarray(samples[:, start : start + RATE])
