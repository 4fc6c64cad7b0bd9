"""Paint what moving cannot make: a network's colours over the warped face, where its alpha says so."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from calib.au import MAX_INTENSITY, AUVector
from calib.openings import OPENINGS
from engines.base import Engine
from reenact.generate.gate import gate
from reenact.generate.warp import Warp
from reenact.geometry import Alignment, align
from reenact.types import Face, Frame


@dataclass(frozen=True)
class FaceCrop:
    """What the network sees: an upright square of the face, after the move."""

    size: int = 256
    width_mm: float = 190.0
    centre_mm: tuple[float, float, float] = (0.0, 14.0, 0.0)

    def align(self, face: Face) -> Alignment:
        return align(face.pose, self.size, self.width_mm, self.centre_mm)


class Appearance:
    """The appearance network, on any engine.

    Its inputs, for a batch of n faces: `warped` (n, size, size, 3) uint8 RGB; `mask` (n, size, size, 2)
    uint8, first 255 inside mouth and eyes after the move, then reenact.generate.gate, by which the network
    multiplies its alpha; `relative_aus` (n, 17) float32, -1..1.
    Its outputs: `alpha` (n, size, size, 1) float32, 0..1, and `colour` (n, size, size, 3) float32, 0..255.
    """

    def __init__(self, engine: Engine, crop: FaceCrop = FaceCrop()):
        self.engine = engine
        self._crop = crop

    def __call__(self, frame: Frame, face: Face, change: AUVector, warp: Warp) -> Warp:
        """`warp` with the network's paint; its region's border pixels stay as they are."""
        alignment = self._crop.align(face)
        seen = self._see(frame, warp, alignment)
        openings = opening_mask(warp.moved, alignment)
        outputs = self.engine.run(
            {
                "warped": seen[None],
                "mask": np.dstack([openings, gate(warp.moved, change, alignment)])[None],
                "relative_aus": (change / MAX_INTENSITY).astype(np.float32)[None],
            }
        )
        return _composite(warp, alignment, seen, openings, outputs["alpha"][0], outputs["colour"][0])

    def _see(self, frame: Frame, warp: Warp, alignment: Alignment) -> NDArray[np.uint8]:
        """The aligned crop of the frame as the warp leaves it."""
        crop = alignment.crop(frame.image)
        moved = alignment.shifted(warp.region[:2])
        inside = moved.crop(np.full(warp.image.shape[:2], 255, np.uint8), cv2.BORDER_CONSTANT) == 255
        np.copyto(crop, moved.crop(warp.image), where=inside[..., None])
        return crop


def opening_mask(landmarks: NDArray[np.float32], alignment: Alignment) -> NDArray[np.uint8]:
    """(size, size) 255 inside mouth and eyes, 0 elsewhere, with soft edges; landmarks in the frame."""
    mask = np.zeros((alignment.size, alignment.size), np.uint8)
    points = np.round(alignment.points(landmarks)[:, :2] * 16).astype(np.int32)
    for opening in OPENINGS:
        cv2.fillPoly(mask, [points[list(opening.outline)]], 255, lineType=cv2.LINE_AA, shift=4)
    return mask


def _composite(
    warp: Warp,
    alignment: Alignment,
    seen: NDArray[np.uint8],
    openings: NDArray[np.uint8],
    alpha: NDArray[np.float32],
    colour: NDArray[np.float32],
) -> Warp:
    """warped + alpha * (colour - warped), at the frame's own resolution.

    On skin the difference that the network makes to what it has seen is added, so that pores and hair which
    are finer than its crop stay; inside mouth and eyes its colours replace what was there.
    """
    x0, y0, x1, y1 = warp.region
    matrix = alignment.shifted((x0, y0)).matrix
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    replaced = alpha * (openings[..., None] / np.float32(255))
    # image + alpha (colour - seen) + replaced (seen - image), what the crop knows in one layer.
    added = alpha * (colour - seen) + replaced * seen
    layers = np.dstack([added, replaced])
    layers = cv2.warpAffine(layers, matrix, (x1 - x0, y1 - y0), flags=flags, borderMode=cv2.BORDER_CONSTANT)
    layers[[0, -1]] = 0
    layers[:, [0, -1]] = 0
    image = np.rint(warp.image * (1 - layers[..., 3:]) + layers[..., :3])
    return replace(warp, image=np.clip(image, 0, 255).astype(np.uint8))
