"""Draws the picture of every preset for the panel's buttons: python docs/preset_pictures.py."""

from __future__ import annotations

from pathlib import Path

import cv2
from au_pictures import calm_face

import reenact
from reenact.programme.presets import PRESETS

_ROOT = Path(__file__).resolve().parents[1]
FOLDER = _ROOT / "reenact" / "panel" / "static" / "presets"
SIDE_PX = 96
"""The width and height of a picture: twice that of a button's, for screens with fine pixels."""
_MARGIN = 1.02
"""The side of the picture in widths or heights of the face, whichever is more."""


def main() -> None:
    """Writes the pictures; those of presets that are no more are deleted."""
    face = calm_face(_MARGIN)
    FOLDER.mkdir(exist_ok=True)
    for old in FOLDER.glob("*.jpg"):
        old.unlink()
    for name, preset in PRESETS.items():
        shown = reenact.edit_image(face, preset.spec)
        small = cv2.resize(shown, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA)
        cv2.imwrite(str(FOLDER / f"{name}.jpg"), small[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 80])


if __name__ == "__main__":
    main()
