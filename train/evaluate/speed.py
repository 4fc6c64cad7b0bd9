"""Measures a method's time for one face, paired with the other methods."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace

import cv2
import numpy as np

from reenact.records import Frame
from train.data.degrade import face_of
from train.evaluate.methods import MethodSpec, open_method
from train.evaluate.result_table import Cell, ResultTable
from train.evaluate.sheet_expressions import BY_NAME
from train.evaluate.subjects import Subject

HD = (720, 1280)
FACE_HEIGHT = 0.75
"""The face's height as a share of the frame's: a person in front of a webcam, with hair."""
ASKED = BY_NAME["surprise"]


@dataclass(frozen=True)
class Times:
    """A method's times for one face."""

    p50_ms: float
    """The median time."""
    p95_ms: float
    """The 95th percentile of the time."""
    ratio: float
    """The median ratio of the time to that of `warp` on the same picture in the same round."""


def measure_speed(specs: Sequence[MethodSpec], subjects: Sequence[Subject], rounds: int) -> dict[str, Times]:
    """Measures times by the methods' names. In every round each method has the same picture in turn."""
    with ExitStack() as opened:
        methods = {spec.name: opened.enter_context(open_method(spec)) for spec in specs}
        times_ms = np.zeros((rounds + 2, len(methods)))
        for index, row in enumerate(times_ms):
            subject = subjects[index % len(subjects)]
            change = ASKED.change(subject.measured)
            for column, method in enumerate(methods.values()):
                start = time.perf_counter()
                method(subject.frame, subject.face, change, subject.measured)
                row[column] = 1000 * (time.perf_counter() - start)
    # The first two rounds load caches and wake threads.
    times_ms = times_ms[2:]
    reference = times_ms[:, list(methods).index("warp")]
    return {
        name: Times(
            float(np.median(times)), float(np.quantile(times, 0.95)), float(np.median(times / reference))
        )
        for name, times in zip(methods, times_ms.T, strict=True)
    }


def in_hd(subject: Subject) -> Subject:
    """Returns the face in the middle of a 720p frame."""
    side = round(FACE_HEIGHT * HD[0])
    factor = side / subject.frame.size[0]
    image = np.full((*HD, 3), 90, np.uint8)
    x0, y0 = (HD[1] - side) // 2, (HD[0] - side) // 2
    image[y0 : y0 + side, x0 : x0 + side] = cv2.resize(
        subject.frame.image, (side, side), interpolation=cv2.INTER_CUBIC
    )
    half = np.array([0.5, 0.5, 0], np.float32)
    landmarks = (subject.face.landmarks + half) * np.float32(factor) - half
    face = face_of(landmarks + np.array([x0, y0, 0], np.float32))
    return replace(subject, frame=Frame(image), before=replace(subject.before, face=face))


def speed_table(crops: Mapping[str, Times], frames: Mapping[str, Times], rounds: int) -> ResultTable:
    """Returns the table of times on crops and on frames."""
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (
            name,
            *(
                figure
                for times in (crops[name], frames[name])
                for figure in (times.p50_ms, times.p95_ms, times.ratio)
            ),
        )
        for name in crops
    )
    note = (
        f"Milliseconds for one face, generating and pasting, {rounds} calls of each method in turn on the "
        "same pictures, in one process. crop: a face as large as the network's 256 px crop; 720p: a 1280x720 "
        f"frame whose face's square is {FACE_HEIGHT:.0%} of the height. Ratio: median of the paired ratios "
        "to warp."
    )
    figures = ("p50 ms", "p95 ms", "ratio")
    columns = ("method", *(f"{where} {figure}" for where in ("crop", "720p") for figure in figures))
    return ResultTable("speed", "Speed", note, columns, rows, 2)
