"""Reads faces from the answer of BlazeFace (short range), MediaPipe's face detector for 128 x 128 pixels.

The network answers for 896 anchors: points on a 16 x 16 grid with two anchors each, and on an 8 x 8 grid with
six. For each it gives a score and 16 offsets in pixels: from the anchor to the box's centre, the box's width
and height, and from the anchor to six points of the face, the eyes first.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SIZE_PX = 128
"""Side of the picture that the network takes."""
OVERLAP = 0.3
"""Boxes that share more of their union than this are of one face."""
_GRIDS = ((16, 2), (8, 6))
"""(points a side, anchors a point) of each grid."""
_MOST_LOGIT = 100.0


@dataclass(frozen=True)
class Detection:
    """One face, in pixels of the picture that the network took."""

    score: float
    """The highest score, 0..1, of the anchors that agree on this face."""
    box: tuple[float, float, float, float]
    """Left, top, width and height."""
    right_eye: tuple[float, float]
    """The person's right eye, (x, y)."""
    left_eye: tuple[float, float]


def anchors() -> NDArray[np.float32]:
    """The anchors, (896, 2), as (x, y) in pixels, in the order of the network's answers."""
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
    """The faces whose score reaches `threshold`, the surest first.

    offsets: (896, 16). logits: (896,), the scores before their sigmoid.
    """
    scores = 1 / (1 + np.exp(-np.clip(logits.astype(np.float64), -_MOST_LOGIT, _MOST_LOGIT)))
    chosen = np.flatnonzero(scores >= threshold)  # a score that is no number never does
    chosen = chosen[np.argsort(-scores[chosen], kind="stable")]
    places = _places(offsets[chosen].astype(np.float64), _ANCHORS[chosen])
    return _merged(scores[chosen], places)


def _places(offsets: NDArray[np.float64], anchor: NDArray[np.float32]) -> NDArray[np.float64]:
    """(n, 8): left, top, right and bottom of the boxes, x and y of the right and of the left eye."""
    centre, half = anchor + offsets[:, :2], offsets[:, 2:4] / 2
    return np.hstack([centre - half, centre + half, anchor + offsets[:, 4:6], anchor + offsets[:, 6:8]])


def _merged(scores: NDArray[np.float64], places: NDArray[np.float64]) -> list[Detection]:
    """Each face once: where anchors agree, the mean of what they say, weighted by their scores.

    That is steadier from frame to frame than the surest anchor alone (BlazeFace, arXiv 1907.05047, 3.2).
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
    """(n,): what one box shares with each of the others, divided by their union."""
    low, high = np.maximum(one[:2], others[:, :2]), np.minimum(one[2:4], others[:, 2:4])
    shared = np.prod(np.clip(high - low, 0, None), axis=1)
    union = np.prod(one[2:4] - one[:2]) + np.prod(others[:, 2:4] - others[:, :2], axis=1) - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
