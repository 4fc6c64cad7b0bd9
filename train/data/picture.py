"""From a picture to a sample: the main face, whether it can be used, and its crop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum

import cv2
import numpy as np
from numpy.typing import NDArray

from calib.au import openface
from calib.shape import load_shape
from reenact.records import Face, Frame, Measured, Tracked
from reenact.track.plausibility import visible_share
from train.data.items import PictureItem
from train.data.shards import CROP, FaceSample, PreparedFace

LABELS = ("given", "estimator")
_GREY_LEVELS = 2.0
"""Mean spread of the colour channels below which a picture is grey; JPEG's rounding gives up to 1."""


@dataclass(frozen=True)
class PrepareOptions:
    """The requirements of samples. Any change of them makes all shards anew."""

    labels: str = "given"
    """"given": labels of the picture, or our estimator's where there are none; "estimator": always ours."""
    min_face_px: float = 64.0
    """Smallest width of the face in its picture."""
    min_confidence: float = 0.5
    """Smallest confidence of the tracker; a hand over the mouth or a face partly outside lowers it."""
    max_yaw_deg: float = 50.0
    """Largest yaw of the head."""
    min_visible: float = 0.85
    """Smallest share of the landmarks inside the picture."""
    shard_size: int = 512
    """Pictures of one shard, before unusable ones are dropped."""


class Reason(Enum):
    """Why a picture is dropped."""

    DUPLICATE = "duplicate"
    MISSING = "missing"
    UNREADABLE = "unreadable"
    NO_FACE = "no face"
    TOO_SMALL = "too small"
    CUT_OFF = "cut off"
    TURNED = "turned away"
    UNSURE = "unsure fit"


def see(
    image: NDArray[np.uint8] | None, track: Callable[[Frame], Tracked], options: PrepareOptions
) -> Tracked | Reason:
    """Returns the picture with its main face, or the reason why it cannot be used."""
    if image is None:
        return Reason.UNREADABLE
    tracked = track(Frame(image))
    if not tracked.faces:
        return Reason.NO_FACE
    face = max(tracked.faces, key=lambda face: prominence(face, tracked.frame.size))
    return unfit(face, tracked.frame.size, options) or replace(tracked, faces=(face,))


def prominence(face: Face, size: tuple[int, int]) -> float:
    """Returns the prominence of a face in a picture of `size` (height, width): its size, halved in a
    corner."""
    height, width = size
    x, y = face.landmarks[:, :2].mean(axis=0)
    off_centre = np.hypot(2 * x / width - 1, 2 * y / height - 1) / np.sqrt(2)
    return face.pose.scale * (1 - 0.5 * min(float(off_centre), 1.0))


def unfit(face: Face, size: tuple[int, int], options: PrepareOptions) -> Reason | None:
    """Returns why a face in a picture of `size` (height, width) cannot be used. None: it can."""
    if face_width_px(face) < options.min_face_px:
        return Reason.TOO_SMALL
    if visible_share(face.landmarks, size) < options.min_visible:
        return Reason.CUT_OFF
    if abs(face.pose.angles[1]) > np.radians(options.max_yaw_deg):
        return Reason.TURNED
    return Reason.UNSURE if face.confidence < options.min_confidence else None


def face_width_px(face: Face) -> float:
    """Returns the width in pixels of an average face at this distance that looks ahead."""
    return face.pose.scale * float(np.ptp(load_shape().canonical[:, 0]))


def to_sample(
    item: PictureItem,
    digest: str,
    collection: str,
    tracked: Tracked,
    measure: Callable[[Tracked], Measured],
    options: PrepareOptions,
) -> PreparedFace:
    """Returns the sample of the one face in `tracked`: its crop and its labels."""
    (face,) = tracked.faces
    alignment = CROP.align(face)
    image = alignment.crop(tracked.frame.image)
    given = item.aus if options.labels == "given" else None
    if given is None or np.isnan(given).any():
        read = openface(measure(tracked).aus[0])
        aus = read if given is None else np.where(np.isnan(given), read, given)
    else:
        aus = given
    landmarks = alignment.points(face.landmarks)
    return PreparedFace(
        FaceSample(image, landmarks, aus, item.person, collection, item.name),
        labelled=given is not None,
        yaw=face.pose.angles[1],
        zoom=alignment.scale,
        sharpness=sharpness(image),
        grey=is_grey(image),
        digest=digest,
    )


def sharpness(image: NDArray[np.uint8]) -> float:
    """Returns the variance of the Laplacian divided by that of the grey levels, in the middle of a crop.

    After Pech-Pacheco et al., ICPR 2000; the division makes it independent of contrast.
    """
    quarter = image.shape[0] // 4
    grey = cv2.cvtColor(image[quarter:-quarter, quarter:-quarter], cv2.COLOR_RGB2GRAY)
    return float(cv2.Laplacian(grey, cv2.CV_32F).var() / max(float(grey.var()), 1.0))


def is_grey(image: NDArray[np.uint8]) -> bool:
    """Returns whether a picture has no colour, apart from JPEG's rounding."""
    spread = image.max(axis=2) - image.min(axis=2)
    return float(spread.mean()) < _GREY_LEVELS
