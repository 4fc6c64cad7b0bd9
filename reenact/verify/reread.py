"""Measures the faces of an output file, and shows frames of it beside the input's."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from reenact.alignment import Alignment
from reenact.measure.read_aus import ReadOptions, Watch, is_still, read_film, read_still, unwatched
from reenact.media.image_file import load_still
from reenact.media.read import open_capture
from reenact.media.read.spool import Source
from reenact.pipeline.runner import LeftThreads, closed_after_stages
from reenact.records import Measured
from reenact.track import TrackerOptions
from reenact.verify.face_comparison import FaceComparison, OutputFrame
from reenact.verify.request_recorder import face_readings

SHOWN_FRAMES = 4
"""The number of frames that are shown of a face."""
_PICTURE_PX = 220
"""Side, in pixels, of the square pictures of a face on the page."""
_REACH_MM = 135.0
"""Distance, in millimetres of an average face, from the middle of these pictures to their edge."""


@dataclass(frozen=True, eq=False)
class BeforeAfter:
    """A face in one frame of input and output."""

    time_s: float
    """The presentation time in seconds."""
    before: NDArray[np.uint8]
    """(_PICTURE_PX, _PICTURE_PX, 3) RGB, the face in the input."""
    after: NDArray[np.uint8]
    """(_PICTURE_PX, _PICTURE_PX, 3) RGB, the face in the output."""


def read_output(path: Path, options: TrackerOptions, watch: Watch = unwatched) -> list[OutputFrame]:
    """The faces of every frame of a file; a still picture is one frame at 0 s.

    watch: called after each frame with the number of its faces. Raises what `open_capture` raises.
    """
    if is_still(path):
        return [OutputFrame(0, 0.0, face_readings(read_still(load_still(path), options)))]
    readings: list[OutputFrame] = []

    def note(measured: Measured) -> None:
        readings.append(OutputFrame(measured.frame.index, float(measured.frame.pts), face_readings(measured)))

    left = LeftThreads()
    with closed_after_stages(left) as used:
        read_film(used.enter_context(open_capture(path)), note, ReadOptions(options), watch, left)
    return readings


def example_pairs(
    source: Source, output: Path, comparisons: Sequence[FaceComparison]
) -> list[list[BeforeAfter]]:
    """Pictures of each face, from each part of the film, in the frame in which most was asked."""
    rows = [_example_rows(comparison) for comparison in comparisons]
    indices = {
        int(each.frames[row]) for each, its_rows in zip(comparisons, rows, strict=True) for row in its_rows
    }
    stills = is_still(output)
    before, after = _frames(source, indices, stills), _frames(output, indices, stills)
    return [
        [
            _pair(comparison, row, before[index], after[index])
            for row in its_rows
            if (index := int(comparison.frames[row])) in before.keys() & after.keys()
        ]
        for comparison, its_rows in zip(comparisons, rows, strict=True)
    ]


def _example_rows(comparison: FaceComparison) -> list[int]:
    asked = np.abs(comparison.asked - comparison.before).sum(axis=1)
    parts = np.array_split(np.arange(len(asked)), min(SHOWN_FRAMES, len(asked)))
    return [int(part[asked[part].argmax()]) for part in parts]


def _pair(
    comparison: FaceComparison, row: int, before: NDArray[np.uint8], after: NDArray[np.uint8]
) -> BeforeAfter:
    place = comparison.places[row]
    return BeforeAfter(float(comparison.times_s[row]), _around(before, place), _around(after, place))


def _frames(path: Source, indices: Collection[int], stills: bool) -> dict[int, NDArray[np.uint8]]:
    """(height, width, 3) RGB images by the frames' indices; frames that the file lacks are left out."""
    if not indices:
        return {}
    if stills:
        return {0: load_still(path).image}
    found: dict[int, NDArray[np.uint8]] = {}
    with open_capture(path) as capture:
        for frame in capture:
            if frame.index in indices:
                found[frame.index] = frame.image
            if frame.index >= max(indices):
                break
    return found


def _around(image: NDArray[np.uint8], place: NDArray[np.float32]) -> NDArray[np.uint8]:
    """A square picture around a face, black outside the frame."""
    x, y, scale = place.tolist()
    shrink = _PICTURE_PX / (2 * _REACH_MM * scale)
    to_square = np.array(
        [[shrink, 0, _PICTURE_PX / 2 - shrink * x], [0, shrink, _PICTURE_PX / 2 - shrink * y]]
    )
    return Alignment(to_square.astype(np.float32), _PICTURE_PX).crop(image, cv2.BORDER_CONSTANT)
