"""Faces with mouths that are drawn: skin, lips, and teeth of known height between them."""

from __future__ import annotations

import cv2
import numpy as np

from calib.openings import MOUTH, OUTER_LIPS
from reenact.records import Face, Frame
from tests.support.faces import closed_mouth, posed_face

SKIN, LIPS, TEETH, DARK = (205, 160, 140), (165, 80, 85), (225, 215, 200), (30, 12, 10)
SHADOW = (120, 100, 90)
"""The dark between two rows of teeth that nearly touch."""
INSIDE = list(MOUTH.outline)


def open_lips(above_mm: float = 4.0, below_mm: float = 6.0):
    """The canonical landmarks with the lips so far above and below their line."""
    landmarks = closed_mouth()
    along = 1 - np.linspace(-1, 1, len(MOUTH.upper)) ** 2
    landmarks[list(MOUTH.upper), 1] -= above_mm * along
    landmarks[list(MOUTH.lower), 1] += below_mm * along
    for outer, by in ((OUTER_LIPS[1:10], -above_mm), (OUTER_LIPS[11:], below_mm)):
        landmarks[list(outer), 1] += by
    return landmarks


def open_face(scale: float = 3.0, **lips: float) -> Face:
    return posed_face(scale=scale, landmarks_mm=open_lips(**lips))


def drawn(
    face: Face, teeth_mm: float = 0.0, inside=DARK, notch_mm: float = 0.0, between_mm: float = 0.0
) -> Frame:
    """The face, with a band of upper teeth of this height below the upper lip.

    notch_mm: the height of the notches between the tips of teeth, which are 8 mm wide. between_mm: the height
    of a dark line below them.
    """
    image = np.full((480, 640, 3), SKIN, np.uint8)
    places = face.landmarks[:, :2]

    def fill(outline, colour):
        cv2.fillPoly(image, [np.rint(outline * 16).astype(np.int32)], colour, cv2.LINE_AA, shift=4)

    fill(places[list(OUTER_LIPS)], LIPS)
    fill(places[INSIDE], inside)
    if teeth_mm:
        x = np.linspace(*places[[MOUTH.upper[0], MOUTH.upper[-1]], 0], 120)
        upper, lowest = (np.interp(x, *places[list(edge)].T) for edge in (MOUTH.upper, MOUTH.lower))
        from_tip = np.abs((x - places[MOUTH.upper[5], 0]) / (4 * face.pose.scale) % 2 - 1)
        below = (teeth_mm - notch_mm * from_tip**4) * face.pose.scale
        edge = np.minimum(upper + below, lowest)
        line = np.minimum(edge + between_mm * face.pose.scale, lowest)
        if between_mm:
            fill(np.concatenate([np.stack([x, edge], 1), np.stack([x, line], 1)[::-1]]), SHADOW)
        fill(np.concatenate([np.stack([x, upper], 1), np.stack([x, edge], 1)[::-1]]), TEETH)
    return Frame(cv2.GaussianBlur(image, (0, 0), 0.7))
