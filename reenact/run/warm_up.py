"""Prepares a live run, so that its first frames are not late."""

from __future__ import annotations

import cv2
import numpy as np

from calib.au import AU_INDEX, bilateral, neutral_aus
from calib.estimator import load_estimator
from calib.pose import Pose
from calib.shape import load_shape
from reenact.generate import Generator
from reenact.measure.measurer import Measurer
from reenact.occlusion.mouth_occlusion import load_mouth_occlusion
from reenact.records import Face, Frame, Retargeted, Tracked

_SIDE_PX, _SCALE = 480, 2.0
"""Side of the picture in pixels, and pixels per millimetre of the face in it."""
_SKIN = (200, 150, 130)
"""RGB of the picture."""
_NOBODY = -1
"""The track id of the face, which no face of the camera has."""
_CHANGE = {6: 1.0, 12: 2.0, 25: 1.0, 26: 1.0}
"""Relative action units that use all painters and the network."""


def warm_up(generator: Generator) -> None:
    """Uses once what loads files and sets up tables with its first use, on the average face.

    Together that takes about a third of a second, in which a camera's first ten frames would be dropped."""
    image = np.full((_SIDE_PX, _SIDE_PX, 3), _SKIN, np.uint8)
    frame, face = Frame(image), average_face()
    Measurer(load_estimator())(Tracked(frame, (face,)))
    load_mouth_occlusion()(image, face)
    # Mouths that are open are looked at in CIELAB, whose tables OpenCV makes with the first picture.
    cv2.cvtColor(np.zeros((1, 1, 3), np.float32), cv2.COLOR_RGB2LAB)
    change = neutral_aus()
    for number, amount in _CHANGE.items():
        change[AU_INDEX[number]] = amount
    generator(Retargeted(frame, (face,), aus=(neutral_aus(),), changes=(bilateral(change),)))


def average_face() -> Face:
    """The average face in the middle of the picture, looking at the camera."""
    pose = Pose(_SCALE, np.eye(3, dtype=np.float32), np.array([_SIDE_PX / 2, _SIDE_PX / 2, 0], np.float32))
    return Face(_NOBODY, pose.to_frame(load_shape().canonical).astype(np.float32), pose, 1.0)
