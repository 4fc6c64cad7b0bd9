"""Draws the picture of every action unit for the page about them: python docs/au_pictures.py."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

import reenact
from calib.au import ACTION_UNITS
from reenact.figures.captions import Pixels, contact_sheet
from reenact.media.image_file import load_still
from reenact.programme.timeline import Scene

_ROOT = Path(__file__).resolve().parents[1]
PORTRAIT = _ROOT / "reenact" / "data" / "portrait.jpg"
PICTURE = _ROOT / "docs" / "pages" / "action_units.jpg"
CALM = "AU06=0,AU07=0,AU10=0,AU12=0,AU14=0,AU25=0,AU26=0"
"""Takes the portrait's smile away, which hides what lips and cheeks do."""
_MARGIN = 1.5
"""The side of the picture in widths or heights of the face."""
_AMOUNT = {5: 3.0, 30: 4.0, 45: 5.0, 61: 3.0, 62: 3.0, 63: 2.5, 64: 3.0}
"""The intensities that are not 4, by FACS number."""
_CREDIT = "Portrait of E. Collins, NASA (public domain). One action unit each, on a face without a smile."


def scenes() -> list[Scene]:
    """One scene for each action unit and direction, in the order of FACS numbers."""
    codes = {
        unit.number: f"{unit.code}L" if unit.number == unit.opposite else unit.code for unit in ACTION_UNITS
    }
    names = {unit.number: unit.name for unit in ACTION_UNITS}
    for unit in ACTION_UNITS:
        if unit.opposite and unit.opposite not in codes:
            codes[unit.opposite] = f"AU{unit.opposite}"
            names[unit.opposite] = {62: "eyes turn right", 64: "eyes down"}[unit.opposite]
    return [
        Scene(names[number], f"{codes[number]}=+{_AMOUNT.get(number, 4.0):g}") for number in sorted(codes)
    ]


def calm_face(margin: float = _MARGIN) -> Pixels:
    """The portrait without its smile, and no more of it than the face.

    margin: the side of the picture in widths or heights of the face, whichever is more.
    """
    image = load_still(PORTRAIT).image
    places = reenact.read_aus(image).landmarks[0, :, :2]
    (left, top), (right, bottom) = places.min(axis=0), places.max(axis=0)
    side = margin * max(right - left, bottom - top)
    x, y = int((left + right - side) / 2), int((top + bottom - side) / 2)
    calm = reenact.edit_image(image, CALM)
    return np.ascontiguousarray(calm[max(y, 0) : y + int(side), max(x, 0) : x + int(side)])


def main() -> None:
    """Writes the picture."""
    shown = scenes()
    face = calm_face()
    pictures = {index: reenact.edit_image(face, scene.spec) for index, scene in enumerate(shown)}
    sheet = contact_sheet(pictures, shown, _CREDIT, 6)
    small = cv2.resize(sheet, None, fx=0.55, fy=0.55, interpolation=cv2.INTER_AREA)
    cv2.imwrite(str(PICTURE), small[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 82])


if __name__ == "__main__":
    main()
