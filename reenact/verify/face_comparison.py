"""Matches the faces of the output with those of the input: one comparison for each face."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calib.au import AU_COUNT
from reenact.verify.request_recorder import FaceReading, FrameRequest

FAR = 0.5
"""Distance, as a share of a face's width, from which on a face of the output counts as another face."""
_FACE_MM = 140.0
"""The width of an adult's face in millimetres."""
SAME_TIME_S = 0.002
"""Largest difference in seconds between the times of one frame: containers round them by up to 1 ms."""


@dataclass(frozen=True, eq=False)
class OutputFrame:
    """The faces that were measured in one frame of the output."""

    index: int
    """The index of the frame."""
    time_s: float
    """Its presentation time in seconds."""
    faces: tuple[FaceReading, ...]
    """Its faces."""


@dataclass(frozen=True, eq=False)
class FaceComparison:
    """One face over its n frames, in input and output."""

    track_id: int
    """The track id of the face in the input."""
    frames: NDArray[np.int64]
    """(n,) the indices of the frames."""
    times_s: NDArray[np.float64]
    """(n,) their rising presentation times in seconds."""
    places: NDArray[np.float32]
    """(n, 3) x and y of the face in the input in pixels, and its scale in pixels per millimetre."""
    before: NDArray[np.float32]
    """(n, AU_COUNT) the intensities measured in the input, 0..5."""
    wanted: NDArray[np.float32]
    """(n, AU_COUNT) the intensities that the targets ask for, before limits and fades, 0..5."""
    asked: NDArray[np.float32]
    """(n, AU_COUNT) the intensities that were asked, after limits and fades, 0..5."""
    after: NDArray[np.float32]
    """(n, AU_COUNT) the intensities measured in the output, 0..5; NaN where its frame does not show the
    face."""


def compare_faces(
    requests: Mapping[int, Sequence[FrameRequest]], output: Sequence[OutputFrame]
) -> list[FaceComparison]:
    """The comparison of every face of `requests`, by track id; those of which most was asked come first."""
    times_s = np.array([reading.time_s for reading in output]) - _shift_s(requests, output)
    order = np.argsort(times_s, kind="stable")
    output, times_s = [output[index] for index in order], times_s[order]
    found = [
        _comparison(track_id, asked, [_same_face(request, output, times_s) for request in asked])
        for track_id, asked in requests.items()
    ]
    return sorted(found, key=lambda each: -float(np.abs(each.asked - each.before).sum()))


def _shift_s(requests: Mapping[int, Sequence[FrameRequest]], output: Sequence[OutputFrame]) -> float:
    """The time in seconds by which the whole output is later: Matroska shifts films that begin before 0."""
    times_s = {reading.index: reading.time_s for reading in output}
    shifts_s = [
        times_s[request.index] - request.time_s
        for asked in requests.values()
        for request in asked
        if request.index in times_s
    ]
    return float(np.median(shifts_s)) if shifts_s else 0.0


def _comparison(
    track_id: int, requests: Sequence[FrameRequest], found: Sequence[FaceReading | None]
) -> FaceComparison:
    nowhere = np.full(AU_COUNT, np.nan, np.float32)
    return FaceComparison(
        track_id,
        np.array([request.index for request in requests]),
        np.array([request.time_s for request in requests]),
        np.array([(*request.face.position[:2], request.face.scale) for request in requests], np.float32),
        np.array([request.face.aus for request in requests], np.float32),
        np.array([request.wanted for request in requests], np.float32),
        np.array([request.asked for request in requests], np.float32),
        np.array([nowhere if face is None else face.aus for face in found], np.float32),
    )


def _same_face(
    request: FrameRequest, output: Sequence[OutputFrame], times_s: NDArray[np.float64]
) -> FaceReading | None:
    """The face of the output at the request's time that is nearest to the input's. None: there is none."""
    if not len(times_s):
        return None
    at = int(np.clip(np.searchsorted(times_s, request.time_s), 1, max(len(times_s) - 1, 1)))
    nearest = min((at - 1, min(at, len(times_s) - 1)), key=lambda index: abs(times_s[index] - request.time_s))
    if abs(times_s[nearest] - request.time_s) > SAME_TIME_S:
        return None

    def distance(face: FaceReading) -> float:
        return float(np.linalg.norm(face.position[:2] - request.face.position[:2]))

    closest = min(output[nearest].faces, key=distance, default=None)
    if closest is None or distance(closest) > FAR * _FACE_MM * request.face.scale:
        return None
    return closest
