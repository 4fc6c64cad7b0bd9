"""Sound on its way into a recording: every piece where it belongs, silence where there is none."""

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
_SLACK = RATE // 200
"""Samples (5 ms) by which sound may be off before anything is done about it."""
_GAP = RATE // 20
"""From 50 ms on something was lost or paused: silence goes in, or what comes too late is cut off."""
_STRETCH = 1 / 400
"""By which a piece is made longer or shorter to come back to its time: too little to be heard."""


class Soundtrack:
    """Stereo AAC that goes on without a gap from the recording's beginning."""

    def __init__(self, output: OutputContainer) -> None:
        stream = output.add_stream("aac", rate=RATE, layout="stereo", bit_rate=_BITS_PER_S)
        assert isinstance(stream, AudioStream)
        self._output = output
        self._stream = stream
        self._written = 0

    def write(self, samples: NDArray[np.float32], at_s: float) -> None:
        """`samples`: (2, count), the first of which belongs at this time of the recording."""
        self._append(placed(samples, round(at_s * RATE) - self._written))

    def fill(self, until_s: float) -> None:
        """Silence up to this time, if there is nothing yet."""
        missing = round(until_s * RATE) - self._written
        if missing > 0:
            self._append(np.zeros((2, missing), np.float32))

    def finish(self, end_s: float) -> None:
        """Nothing comes any more; what is missing up to the recording's end is silence."""
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
    """(channels, count): what to append so that the samples come when they are due.

    `due`: samples from the end of what there is to where they belong; below 0 where they come too late.
    """
    if due > _GAP:
        return np.concatenate([np.zeros((len(samples), due), np.float32), samples], axis=1)
    if due < -_GAP:
        return samples[:, -due:]
    if abs(due) <= _SLACK or samples.shape[1] < 2:
        return samples
    most = max(1, int(_STRETCH * samples.shape[1]))
    return _stretched(samples, samples.shape[1] + int(np.clip(due, -most, most)))


def _stretched(samples: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """The same sound in `count` samples."""
    before = np.arange(samples.shape[1])
    after = np.linspace(0, samples.shape[1] - 1, count)
    return np.stack([np.interp(after, before, channel) for channel in samples]).astype(np.float32)


def _pieces(samples: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
    """At most a second each, so that a long silence takes little memory."""
    for start in range(0, samples.shape[1], RATE):
        yield np.ascontiguousarray(samples[:, start : start + RATE])
