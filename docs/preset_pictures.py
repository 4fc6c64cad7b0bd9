"""Draws the picture of every preset for the panel's buttons: python docs/preset_pictures.py."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

import reenact
from reenact.figures.captions import Pixels
from reenact.media.image_file import load_still
from reenact.programme.presets import PRESETS

_ROOT = Path(__file__).resolve().parents[1]
PORTRAIT = _ROOT / "reenact" / "data" / "portrait.jpg"
FOLDER = _ROOT / "reenact" / "panel" / "static" / "presets"
SIDE_PX = 96
"""The width and height of a picture: twice that of a button's, for screens with fine pixels."""
_MARGIN = 1.02
"""The side of the picture in widths or heights of the face, whichever is more."""
_CALM = "AU06=0,AU07=0,AU10=0,AU12=0,AU14=0,AU25=0,AU26=0"
"""Takes the portrait's smile away, which would hide what presets do."""


def face_of(image: Pixels) -> Pixels:
    """No more of the picture than its face."""
    places = reenact.read_aus(image).landmarks[0, :, :2]
    low, high = places.min(axis=0), places.max(axis=0)
    side = int(_MARGIN * (high - low).max())
    x, y = np.maximum(((low + high - side) / 2).astype(int), 0)
    return np.ascontiguousarray(image[y : y + side, x : x + side])


def main() -> None:
    """Writes the pictures; those of presets that are no more are deleted."""
    face = reenact.edit_image(face_of(load_still(PORTRAIT).image), _CALM)
    FOLDER.mkdir(exist_ok=True)
    for old in FOLDER.glob("*.jpg"):
        old.unlink()
    for name, preset in PRESETS.items():
        shown = reenact.edit_image(face, preset.spec)
        small = cv2.resize(shown, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA)
        cv2.imwrite(str(FOLDER / f"{name}.jpg"), small[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 80])


if __name__ == "__main__":
    main()
