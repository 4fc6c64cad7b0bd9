"""What is shown while a camera delivers nothing."""

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


class Freeze:
    """The last picture stands while none comes. Once the camera counts as stalled or lost, its change fades
    out, to the camera's own last picture; when the camera is back, the change fades in again.

    A sink around others: what it repeats, they get as new pictures, without faces.
    """

    def __init__(
        self,
        sinks: Sequence[LiveSink],
        signal: Callable[[], Signal],
        rate: float = USUAL_RATE,
        fade_s: float = FADE_S,
        clock_ns: Callable[[], int] = time.perf_counter_ns,
    ) -> None:
        """`rate`: pictures a second of the fade."""
        self._sinks = sinks
        self._signal = signal
        self._period_ns = int(1e9 / rate)
        self._clock_ns = clock_ns
        self._fade = Fade(fade_s, self._now(), full=True)
        self._level = 1.0
        self._last: Finished | None = None
        self._due_ns = 0

    def write(self, record: Finished) -> None:
        self._last = record
        self._level = self._fade(True, self._now())
        self._pass_on(_faded(record, self._level))

    def idle(self) -> None:
        now_ns, before = self._clock_ns(), self._level
        self._level = self._fade(self._signal().state == "live", self._now())
        ended = self._level == 0
        if self._last is not None and self._level < before and (ended or now_ns >= self._due_ns):
            self._pass_on(_faded(stilled(self._last, now_ns), self._level))
        for sink in self._sinks:
            sink.idle()

    def _pass_on(self, record: Finished) -> None:
        self._due_ns = self._clock_ns() + self._period_ns
        for sink in self._sinks:
            sink.write(record)

    def _now(self) -> Fraction:
        return Fraction(self._clock_ns(), 10**9)


def stilled(record: Finished, now_ns: int) -> Finished:
    """The same picture as if it were captured now, of which nothing was measured."""
    frame = record.frame
    elapsed_ns = 0 if frame.captured_ns is None else now_ns - frame.captured_ns
    moved = replace(frame, captured_ns=now_ns, pts=frame.pts + Fraction(elapsed_ns, 10**9))
    output = replace(moved, image=record.output.image)
    return Finished(moved, (), output=output, mirrored=record.mirrored)


def _faded(record: Finished, level: float) -> Finished:
    """The record with so much of its change, 0..1."""
    if level == 1:
        return record
    return replace(record, output=replace(record.output, image=_mix(record, level)))


def _mix(record: Finished, level: float) -> NDArray[np.uint8]:
    before = cv2.flip(record.frame.image, 1) if record.mirrored else record.frame.image
    if level == 0:
        return before
    return cv2.addWeighted(record.output.image, level, before, 1 - level, 0)
