"""Faces for tests, made without a tracker: the canonical face, posed into a picture."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from calib.au import AUVector, Change, au_index, bilateral, neutral_aus, rows, sided_au
from calib.openings import MOUTH
from calib.pose import Pose
from calib.shape import load_shape
from reenact.records import Face, Frame


def rotation(pitch: float = 0.0, yaw: float = 0.0, roll: float = 0.0) -> NDArray[np.float32]:
    """Rx @ Ry @ Rz, radians."""
    (cp, cy, cr), (sp, sy, sr) = np.cos([pitch, yaw, roll]), np.sin([pitch, yaw, roll])
    x = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    z = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    return (x @ y @ z).astype(np.float32)


def posed_face(
    scale: float = 2.0,
    centre: tuple[float, float] = (320.0, 240.0),
    turn: NDArray[np.float32] | None = None,
    landmarks_mm: NDArray[np.float32] | None = None,
    track_id: int = 0,
) -> Face:
    """The canonical face (or `landmarks_mm`) as a tracker would report it."""
    turn = rotation() if turn is None else turn
    pose = Pose(scale, turn, np.array([*centre, 0], np.float32))
    points = load_shape().canonical if landmarks_mm is None else landmarks_mm
    return Face(track_id, pose.to_frame(points), pose, 1.0)


def closed_mouth() -> NDArray[np.float32]:
    """The canonical landmarks with the lips together."""
    landmarks = load_shape().canonical.copy()
    upper, lower = list(MOUTH.upper), list(MOUTH.lower)
    landmarks[upper] = landmarks[lower] = (landmarks[upper] + landmarks[lower]) / 2
    return landmarks


def textured_frame(height: int = 480, width: int = 640, seed: int = 0) -> Frame:
    """A frame in which every place looks different, smooth enough to sample between pixels."""
    noise = np.random.default_rng(seed).integers(0, 256, (height // 8 + 1, width // 8 + 1, 3), np.uint8)
    return Frame(cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC))


def shows(**aus: float) -> AUVector:
    """(OPENFACE_COUNT,) shows(AU12=2, AU25=1)."""
    vector = neutral_aus()
    for name, value in aus.items():
        vector[au_index(name)] = value
    return vector


def change(**aus: float) -> Change:
    """(2, OPENFACE_COUNT) change(AU12=2, AU45L=1)."""
    sided = bilateral(neutral_aus())
    for name, value in aus.items():
        index, side, sign = sided_au(name)
        sided[rows(side), index] = sign * value
    return sided
