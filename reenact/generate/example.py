"""Inputs for a model that are like real ones, without a camera or a tracker: to measure engines with."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

import reenact
from calib.au import AU_COUNT
from engines.base import Tensors
from reenact.generate.contract import ModelInfo

RANGES = {
    "live": {"alpha": 1.0, "colour": 255.0},
    "paper": {"edited": 255.0},
    "ganimation": {"alpha": 1.0, "colour": 255.0},
}
"""Of each contract's outputs: the greatest value less the least."""

_PORTRAIT = Path(reenact.__file__).parent / "data" / "portrait.jpg"
_FACE_PX = 226.0, 116.0, 140.0
"""Centre (x, y) and width of the face in it, with what a crop shows around."""
_OPENINGS = ((0.50, 0.70, 0.15, 0.05), (0.34, 0.40, 0.07, 0.03), (0.66, 0.40, 0.07, 0.03))
"""Mouth and eyes in a crop: centre (x, y) and half axes (x, y), as shares of its width."""


def example(info: ModelInfo, faces: int, seed: int = 0) -> Tensors:
    """A batch of faces for a model of any contract, the same each time for one seed: a portrait in several
    framings, with a camera's noise, and action units of which about three differ from 0."""
    random = np.random.default_rng(seed)
    size = info.crop.size
    pictures = np.stack([_crop(size, random) for _ in range(faces)])
    changes = random.uniform(-1, 1, (faces, AU_COUNT)) * (random.random((faces, AU_COUNT)) < 3 / AU_COUNT)
    aus = changes.astype(np.float32)
    match info.contract:
        case "live":
            masks = np.stack([_masks(size)] * faces)
            return {"warped": pictures, "mask": masks, "relative_aus": aus}
        case "ganimation":
            return {"image": pictures, "aus": np.abs(aus)}
        case "paper":
            return {"image": pictures, "relative_aus": aus}
    raise AssertionError(info.contract)


def compose(inputs: Tensors, outputs: Tensors) -> NDArray[np.uint8]:
    """(faces, size, size, 3) what is shown of a batch, before it is pasted back."""
    if "edited" in outputs:
        shown = outputs["edited"]
    else:
        seen = inputs["warped" if "warped" in inputs else "image"]
        shown = seen + outputs["alpha"] * (outputs["colour"] - seen)
    return np.clip(np.rint(shown), 0, 255).astype(np.uint8)


def _crop(size: int, random: np.random.Generator) -> NDArray[np.uint8]:
    """(size, size, 3) the portrait, moved, turned and enlarged a little."""
    portrait = cv2.cvtColor(cv2.imread(str(_PORTRAIT)), cv2.COLOR_BGR2RGB)
    *centre, width = _FACE_PX
    zoom = size / width * random.uniform(0.9, 1.1)
    matrix = cv2.getRotationMatrix2D(centre, random.uniform(-8, 8), zoom)
    matrix[:, 2] += size / 2 - np.array(centre)
    crop = cv2.warpAffine(
        portrait, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
    )
    return np.clip(np.rint(crop + random.normal(0, 3, crop.shape)), 0, 255).astype(np.uint8)


def _masks(size: int) -> NDArray[np.uint8]:
    """(size, size, 2) openings, and a gate that is open around them."""
    openings, gate = np.zeros((2, size, size), np.uint8)
    for x, y, half_width, half_height in _OPENINGS:
        centre = round(x * size), round(y * size)
        axes = round(half_width * size), round(half_height * size)
        cv2.ellipse(openings, centre, axes, 0, 0, 360, 255, cv2.FILLED, cv2.LINE_AA)
        cv2.ellipse(gate, centre, (2 * axes[0], 4 * axes[1]), 0, 0, 360, 255, cv2.FILLED)
    return np.dstack([openings, cv2.GaussianBlur(gate, (0, 0), size / 32)])
