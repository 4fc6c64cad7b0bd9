"""Shows the last frame while a camera delivers none."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction

import cv2
import numpy as np
from numpy.typing import NDArray

from reenact.media.read.devices import USUAL_RATE
from reenact.pipeline.runner import LiveSink
from reenact.records import Finished, Signal
from reenact.retarget.transitions import Fade

FADE_S = 0.5
"""The duration of a complete fade, in seconds."""


class Freeze:
    """A sink that passes frames on to other sinks and repeats the last one while there is none.

    Once the camera counts as stalled or lost, the edit of the repeated frame fades out to the camera's own
    picture; when the camera is back, the edit fades in again. Repeated frames are passed on as new ones
    without faces.
    """

    def __init__(
        self,
        sinks: Sequence[LiveSink],
        signal: Callable[[], Signal],
        rate: float = USUAL_RATE,
        fade_s: float = FADE_S,
        clock_ns: Callable[[], int] = time.perf_counter_ns,
    ) -> None:
        """sinks: get every frame. signal: gives the camera's state. rate: frames per second during the fade.
        fade_s: the duration of a complete fade. clock_ns: the clock of the frames' `captured_ns`."""
        self._sinks = sinks
        self._signal = signal
        self._period_ns = int(1e9 / rate)
        self._clock_ns = clock_ns
        self._fade = Fade(fade_s, self._now(), full=True)
        self._level = 1.0
        self._last: Finished | None = None
        self._due_ns = 0

    def write(self, record: Finished) -> None:
        """Passes the frame on."""
        self._last = record
        self._level = self._fade(True, self._now())
        self._pass_on(_faded(record, self._level))

    def idle(self) -> None:
        """Passes on a repeated frame if the edit fades out and one is due."""
        now_ns, before = self._clock_ns(), self._level
        self._level = self._fade(self._signal().state == "live", self._now())
        ended = self._level == 0
        if self._last is not None and self._level < before and (ended or now_ns >= self._due_ns):
            self._pass_on(_faded(repeated(self._last, now_ns), self._level))
        for sink in self._sinks:
            sink.idle()

    def _pass_on(self, record: Finished) -> None:
        self._due_ns = self._clock_ns() + self._period_ns
        for sink in self._sinks:
            sink.write(record)

    def _now(self) -> Fraction:
        return Fraction(self._clock_ns(), 10**9)


def repeated(record: Finished, now_ns: int) -> Finished:
    """The same picture as a new frame captured at `now_ns`, without faces."""
    frame = record.frame
    elapsed_ns = 0 if frame.captured_ns is None else now_ns - frame.captured_ns
    moved = replace(frame, captured_ns=now_ns, pts=frame.pts + Fraction(elapsed_ns, 10**9))
    output = replace(moved, image=record.output.image)
    return Finished(moved, (), output=output, mirrored=record.mirrored)


def _faded(record: Finished, level: float) -> Finished:
    """The record with its edit blended at `level`, 0..1."""
    if level == 1:
        return record
    return replace(record, output=replace(record.output, image=_mix(record, level)))


def _mix(record: Finished, level: float) -> NDArray[np.uint8]:
    before = cv2.flip(record.frame.image, 1) if record.mirrored else record.frame.image
    if level == 0:
        return before
    return cv2.addWeighted(record.output.image, level, before, 1 - level, 0)
