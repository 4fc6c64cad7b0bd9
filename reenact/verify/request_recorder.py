"""Writes down, while an edit runs, what was measured in its input and what was asked."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calib.au import MAX_INTENSITY, AUVector, Change, both
from reenact.records import Face, Measured, Retargeted


@dataclass(frozen=True, eq=False)
class FaceReading:
    """Where a face is, and what it shows there."""

    track_id: int
    position: NDArray[np.float32]
    """(3,) pixels, of its pose."""
    scale: float
    """Pixels per millimetre, of its pose."""
    aus: AUVector
    """(17,) measured."""


@dataclass(frozen=True, eq=False)
class FrameRequest:
    """What was asked of one face in one frame."""

    index: int
    """Of the frame."""
    time_s: float
    face: FaceReading
    """In the input."""
    wanted: AUVector
    """(17,) intensities 0..5 that the targets name, before limits and fades."""
    asked: AUVector
    """(17,) measured plus the change that was asked of it, 0..5."""


class RequestRecorder:
    """A stage that keeps every request and hands the record on as it is."""

    def __init__(self) -> None:
        self._requests: list[FrameRequest] = []

    def __call__(self, retargeted: Retargeted) -> Retargeted:
        for face, aus, wanted, change in zip(
            retargeted.faces, retargeted.aus, retargeted.wanted, retargeted.asked, strict=True
        ):
            self._requests.append(
                FrameRequest(
                    retargeted.frame.index,
                    float(retargeted.frame.pts),
                    face_reading(face, aus),
                    shown(aus, wanted),
                    shown(aus, change),
                )
            )
        return retargeted

    @property
    def faces(self) -> dict[int, list[FrameRequest]]:
        """By track id, those that something was asked of at any time, in the order of their frames."""
        known: dict[int, list[FrameRequest]] = defaultdict(list)
        for request in self._requests:
            known[request.face.track_id].append(request)
        return {
            track_id: requests
            for track_id, requests in sorted(known.items())
            if any(np.any(request.asked != request.face.aus) for request in requests)
        }


def face_reading(face: Face, aus: AUVector) -> FaceReading:
    return FaceReading(face.track_id, face.pose.translation, face.pose.scale, aus)


def face_readings(measured: Measured) -> tuple[FaceReading, ...]:
    """All faces of a frame."""
    return tuple(face_reading(*pair) for pair in zip(measured.faces, measured.aus, strict=True))


def shown(aus: AUVector, change: Change) -> AUVector:
    """(17,) what a face that shows `aus` is to show after a change, in the mean of both sides."""
    return np.clip(aus + both(change), 0, MAX_INTENSITY).astype(np.float32)
