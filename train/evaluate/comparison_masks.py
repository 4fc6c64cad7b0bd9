"""Masks of the regions of a face in which pictures are compared."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from calib.openings import LEFT_EYE, MOUTH, RIGHT_EYE
from calib.shape import IRIS_START

OUTER_LIPS = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146)
"""MediaPipe's outline of the red of the lips."""
LID_SHARE = 0.15
"""The margin around an eye that includes its lids, as a share of the eye's width."""

Mask = NDArray[np.bool_]
"""(height, width) bool."""


def inside_mouth(landmarks: NDArray[np.float32], size: int) -> Mask:
    """Returns (size, size), True between parted lips. landmarks: (478, 2 or 3) in the mask's pixels."""
    # A polygon without area still covers the pixels of its line; these are removed.
    inside = _polygon(landmarks, MOUTH.outline, size).astype(np.uint8)
    return cv2.erode(inside, np.ones((3, 3), np.uint8)) > 0


def mouth(landmarks: NDArray[np.float32], size: int) -> Mask:
    """Returns the mask of the lips and the space between them."""
    return _polygon(landmarks, OUTER_LIPS, size)


def eyes(landmarks: NDArray[np.float32], size: int) -> Mask:
    """Returns the mask of both eyes with the rims of their lids, open or shut."""
    width = np.linalg.norm(landmarks[LEFT_EYE.upper[0], :2] - landmarks[LEFT_EYE.upper[-1], :2])
    reach = max(1, round(LID_SHARE * float(width)))
    inside = _polygon(landmarks, LEFT_EYE.outline, size) | _polygon(landmarks, RIGHT_EYE.outline, size)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    return cv2.dilate(inside.astype(np.uint8), kernel) > 0


def face(landmarks: NDArray[np.float32], size: int) -> Mask:
    """Returns the mask of the whole face, from the chin to the top of the mesh."""
    return face_in(landmarks, (size, size))


def face_in(landmarks: NDArray[np.float32], shape: tuple[int, ...]) -> Mask:
    """Returns the mask of the whole face for a picture of any shape (height, width)."""
    hull = cv2.convexHull(np.rint(landmarks[:IRIS_START, :2]).astype(np.int32))
    return cv2.fillConvexPoly(np.zeros(shape, np.uint8), hull, 1) > 0


def skin(landmarks: NDArray[np.float32], size: int) -> Mask:
    """Returns the mask of the face without eyes and mouth, which shows how a picture is lit."""
    return face(landmarks, size) & ~mouth(landmarks, size) & ~eyes(landmarks, size)


def _polygon(landmarks: NDArray[np.float32], outline: tuple[int, ...], size: int) -> Mask:
    points = np.rint(landmarks[list(outline), :2] * 16).astype(np.int32)
    return cv2.fillPoly(np.zeros((size, size), np.uint8), [points], 1, shift=4) > 0


def glabella(landmarks: NDArray[np.float32], size: int) -> Mask:
    """Returns the mask between the brows."""
    return _hull(landmarks, (9, 107, 336, 55, 285, 8, 193, 417), size)


def nose_root(landmarks: NDArray[np.float32], size: int) -> Mask:
    """Returns the mask of the root of the nose."""
    return _hull(landmarks, (193, 417, 122, 351, 196, 419, 217, 437), size)


def forehead(landmarks: NDArray[np.float32], size: int) -> Mask:
    """Returns the mask above the brows."""
    return _hull(landmarks, (67, 297, 103, 332, 104, 333, 105, 334, 107, 336, 9), size)


def folds(landmarks: NDArray[np.float32], size: int) -> Mask:
    """Returns the mask from the wings of the nose to beside the corners of the mouth, on both sides."""
    left, right = (129, 203, 206, 216, 212, 57, 186, 205, 50), (358, 423, 426, 436, 432, 287, 410, 425, 280)
    return _hull(landmarks, left, size) | _hull(landmarks, right, size)


def _hull(landmarks: NDArray[np.float32], around: tuple[int, ...], size: int) -> Mask:
    hull = cv2.convexHull(np.rint(landmarks[list(around), :2]).astype(np.int32))
    return cv2.fillConvexPoly(np.zeros((size, size), np.uint8), hull, 1) > 0
