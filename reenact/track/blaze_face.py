"""Decodes the output of BlazeFace (short range), MediaPipe's face detector for pictures of 128 x 128 pixels.

The network has 896 anchors: a 16 x 16 grid with two anchors at each point, and an 8 x 8 grid with six. For
each anchor it gives a score and 16 numbers in pixels: the offset from the anchor to the box's centre, the
box's width and height, and the offsets from the anchor to six points of the face, the eyes first.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SIZE_PX = 128
"""Side of the network's square input, in pixels."""
OVERLAP = 0.3
"""Two boxes whose intersection over union is above this belong to one face."""
_GRIDS = ((16, 2), (8, 6))
"""The grids, each as (points along a side, anchors at each point)."""
_MOST_LOGIT = 100.0
"""Logits are clipped to plus and minus this, because their exponential would overflow."""


@dataclass(frozen=True)
class Detection:
    """One detected face, in pixels of the network's input."""

    score: float
    """The highest score, 0..1, among the anchors that were merged into this face."""
    box: tuple[float, float, float, float]
    """The bounding box as (left, top, width, height)."""
    right_eye: tuple[float, float]
    """The person's right eye as (x, y)."""
    left_eye: tuple[float, float]
    """The person's left eye as (x, y)."""


def anchors() -> NDArray[np.float32]:
    """The anchors (x, y) in pixels, in the order of the network's output: an array (896, 2)."""
    grids = []
    for points, repeats in _GRIDS:
        along = (np.arange(points, dtype=np.float32) + 0.5) * (SIZE_PX / points)
        grid = np.stack(np.meshgrid(along, along), axis=-1).reshape(-1, 2)
        grids.append(np.repeat(grid, repeats, axis=0))
    return np.concatenate(grids).astype(np.float32)


_ANCHORS = anchors()


def read_detections(
    offsets: NDArray[np.float32], logits: NDArray[np.float32], threshold: float
) -> list[Detection]:
    """The faces whose score reaches `threshold`, the highest score first.

    offsets: (896, 16), pixels. logits: (896,), the scores before the sigmoid.
    """
    scores = 1 / (1 + np.exp(-np.clip(logits.astype(np.float64), -_MOST_LOGIT, _MOST_LOGIT)))
    chosen = np.flatnonzero(scores >= threshold)  # NaN never reaches it
    chosen = chosen[np.argsort(-scores[chosen], kind="stable")]
    places = _places(offsets[chosen].astype(np.float64), _ANCHORS[chosen])
    return _merged(scores[chosen], places)


def _places(offsets: NDArray[np.float64], anchor: NDArray[np.float32]) -> NDArray[np.float64]:
    """The boxes and eyes of some anchors, an array (n, 8) in pixels.

    Each row holds the box's left, top, right and bottom, then the right eye's and the left eye's x and y."""
    centre, half = anchor + offsets[:, :2], offsets[:, 2:4] / 2
    return np.hstack([centre - half, centre + half, anchor + offsets[:, 4:6], anchor + offsets[:, 6:8]])


def _merged(scores: NDArray[np.float64], places: NDArray[np.float64]) -> list[Detection]:
    """One detection for each face: the mean of overlapping anchors, weighted by their scores.

    The mean jitters less from frame to frame than the best anchor alone (BlazeFace, arXiv 1907.05047, 3.2).
    """
    faces = []
    while len(scores):
        same = _overlaps(places[0], places) > OVERLAP
        same[0] = True
        left, top, right, bottom, *eyes = scores[same] @ places[same] / scores[same].sum()
        faces.append(
            Detection(
                float(scores[0]),
                (float(left), float(top), float(right - left), float(bottom - top)),
                (float(eyes[0]), float(eyes[1])),
                (float(eyes[2]), float(eyes[3])),
            )
        )
        scores, places = scores[~same], places[~same]
    return faces


def _overlaps(one: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """The intersection over union of one box with each of the others, an array (n,)."""
    low, high = np.maximum(one[:2], others[:, :2]), np.minimum(one[2:4], others[:, 2:4])
    shared = np.prod(np.clip(high - low, 0, None), axis=1)
    union = np.prod(one[2:4] - one[:2]) + np.prod(others[:, 2:4] - others[:, :2], axis=1) - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
