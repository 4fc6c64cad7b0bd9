"""Records, while an edit runs, what was measured in its input and what was asked."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calib.au import HIGHEST, LOWEST, AUVector, Change, both
from reenact.records import Face, Measured, Retargeted


@dataclass(frozen=True, eq=False)
class FaceReading:
    """The place of a face in a frame, and the action units that it shows."""

    track_id: int
    """The track id of the face."""
    position: NDArray[np.float32]
    """(3,) the translation of its pose in pixels."""
    scale: float
    """The scale of its pose in pixels per millimetre."""
    aus: AUVector
    """(AU_COUNT,) the measured intensities, 0..5."""


@dataclass(frozen=True, eq=False)
class FrameRequest:
    """What was asked of one face in one frame."""

    index: int
    """The index of the frame."""
    time_s: float
    """The presentation time of the frame in seconds."""
    face: FaceReading
    """The face in the input."""
    wanted: AUVector
    """(AU_COUNT,) the intensities 0..5 that the targets ask for, before limits and fades."""
    asked: AUVector
    """(AU_COUNT,) the measured intensities plus the change that was asked, 0..5."""


class RequestRecorder:
    """A stage that keeps every request and returns the record unchanged."""

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
        """The requests by track id, in the order of frames, of faces of which anything was ever asked."""
        known: dict[int, list[FrameRequest]] = defaultdict(list)
        for request in self._requests:
            known[request.face.track_id].append(request)
        return {
            track_id: requests
            for track_id, requests in sorted(known.items())
            if any(np.any(request.asked != request.face.aus) for request in requests)
        }


def face_reading(face: Face, aus: AUVector) -> FaceReading:
    """The reading of one face that shows `aus` (AU_COUNT,)."""
    return FaceReading(face.track_id, face.pose.translation, face.pose.scale, aus)


def face_readings(measured: Measured) -> tuple[FaceReading, ...]:
    """The readings of all faces of a frame."""
    return tuple(face_reading(*pair) for pair in zip(measured.faces, measured.aus, strict=True))


def shown(aus: AUVector, change: Change) -> AUVector:
    """(AU_COUNT,) the intensities `aus` (AU_COUNT,) after a change (2, AU_COUNT), in the mean of both
    sides."""
    return np.clip(aus + both(change), LOWEST, HIGHEST).astype(np.float32)
