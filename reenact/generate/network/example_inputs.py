"""Realistic inputs for a model, without a camera or a tracker, to measure engines with."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

import reenact
from calib.au import OPENFACE_COUNT
from calib.openings import Opening
from calib.shape import LANDMARK_COUNT
from engines.engine import Tensors
from reenact.generate.network.contract import WHOLE_FACE, ModelInfo
from reenact.generate.network.network_regions import REGIONS, NetworkRegion, geometry_planes, masks

RANGES = {
    "live": {"alpha": 1.0, "colour": 255.0},
    "paper": {"edited": 255.0},
    "ganimation": {"alpha": 1.0, "colour": 255.0},
}
"""The range of values, from the least to the greatest, of each contract's outputs."""

_PORTRAIT = Path(reenact.__file__).parent / "data" / "portrait.jpg"
_PLACES_PX = {
    WHOLE_FACE: (226.0, 116.0, 140.0),
    "mouth": (226.0, 144.0, 53.0),
    "eyes": (208.0, 102.0, 32.0),
}
"""The centre (x, y) and the width of each region's crop in the portrait."""
_OPENED_MM = 10.0
"""The gap of an opening after the move, in millimetres."""


def example(info: ModelInfo, faces: int, seed: int = 0) -> Tensors:
    """A batch of inputs for a model of any contract, which depends only on the arguments.

    It shows a portrait in several framings, with a camera's noise, and action units of which about three
    differ from 0.
    """
    random = np.random.default_rng(seed)
    pictures = np.stack([_crop(info, random) for _ in range(faces)])
    changes = random.uniform(-1, 1, (faces, OPENFACE_COUNT)) * (
        random.random((faces, OPENFACE_COUNT)) < 3 / OPENFACE_COUNT
    )
    aus = changes.astype(np.float32)
    match info.contract:
        case "live":
            return _refined(REGIONS[info.region], pictures)
        case "ganimation":
            return {"image": pictures, "aus": np.abs(aus)}
        case "paper":
            return {"image": pictures, "relative_aus": aus}
    raise AssertionError(info.contract)


def compose(inputs: Tensors, outputs: Tensors) -> NDArray[np.uint8]:
    """(faces, height, width, 3) the pictures that outputs make of a batch, before they are pasted."""
    if "edited" in outputs:
        shown = outputs["edited"]
    else:
        seen = inputs["warped" if "warped" in inputs else "image"]
        shown = seen + outputs["alpha"] * (outputs["colour"] - seen)
    return np.clip(np.rint(shown), 0, 255).astype(np.uint8)


def _crop(info: ModelInfo, random: np.random.Generator) -> NDArray[np.uint8]:
    """(size, size, 3) a crop of the portrait, slightly moved, turned and scaled."""
    size = info.crop.size
    portrait = cv2.cvtColor(cv2.imread(str(_PORTRAIT)), cv2.COLOR_BGR2RGB)
    x, y, width = _PLACES_PX[info.region]
    zoom = size / width * random.uniform(0.9, 1.1)
    matrix = cv2.getRotationMatrix2D((x, y), random.uniform(-8, 8), zoom)
    matrix[:, 2] += size / 2 - np.array((x, y))
    crop = cv2.warpAffine(
        portrait, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
    )
    return np.clip(np.rint(crop + random.normal(0, 3, crop.shape)), 0, 255).astype(np.uint8)


def _refined(region: NetworkRegion, pictures: NDArray[np.uint8]) -> Tensors:
    """The inputs of a region's network from pictures (faces, size, size, 3), with openings of _OPENED_MM."""
    opening = region.openings[0]
    before, after = (_places(region, opening, gap_mm) for gap_mm in (0.0, _OPENED_MM))
    geometry = geometry_planes(region, opening, before, after)
    faces = len(pictures)
    warped = np.ascontiguousarray(pictures[:, region.rows])
    # The light makes the lips count as teeth: else there would be hardly any, and no paint.
    light = [np.median(picture, axis=(0, 1)).astype(np.float32) for picture in warped]
    return {
        "warped": warped,
        "mask": np.stack(
            [masks(region, opening, geometry, after, *each) for each in zip(warped, light, strict=True)]
        ),
        "geometry": np.stack([geometry] * faces),
    }


def _places(region: NetworkRegion, opening: Opening, gap_mm: float) -> NDArray[np.float32]:
    """(478, 2) landmarks in the crop of a region; only those of the opening are meaningful."""
    places = np.full((LANDMARK_COUNT, 2), region.width_px / 2, np.float32)
    along = np.linspace(-1, 1, len(opening.upper), dtype=np.float32)
    for edge, side in ((opening.upper, -0.5), (opening.lower, 0.5)):
        places[list(edge), 0] += 0.35 * region.width_px * along
        places[list(edge), 1] += side * gap_mm * region.px_per_mm * (1 - along**2)
    return places
