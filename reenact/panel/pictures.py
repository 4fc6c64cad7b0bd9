"""The pictures of the panel: the newest frame as a JPEG, beside the camera's own where they are compared."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from reenact.records import Finished

QUALITY = 80
"""The quality of the JPEGs of the live picture."""


@dataclass(frozen=True)
class PictureOptions:
    """What a client wants to see."""

    width: int = 960
    """The largest width in pixels."""
    split: float | None = None
    """The share of the width, from the left, that shows the camera's own picture. None: no part does."""


def picture_of(finished: Finished, options: PictureOptions) -> NDArray[np.uint8]:
    """(height, width, 3) RGB: the output, no wider than is wanted, beside the camera's own picture."""
    image = _shrunk(finished.image, options.width)
    if options.split is None:
        return image
    own = _shrunk(finished.frame.image, options.width)
    if finished.mirrored:
        own = cv2.flip(own, 1)
    column = round(options.split * image.shape[1])
    compared = image.copy()
    compared[:, :column] = own[:, :column]
    compared[:, max(column - 1, 0) : column + 1] = 255
    return compared


def jpeg(image: NDArray[np.uint8], quality: int = QUALITY) -> bytes:
    """The JPEG of a picture (height, width, 3) RGB."""
    _, data = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    return data.tobytes()


def png(image: NDArray[np.uint8]) -> bytes:
    """The PNG of a picture (height, width, 3) RGB."""
    _, data = cv2.imencode(".png", image[..., ::-1])
    return data.tobytes()


def _shrunk(image: NDArray[np.uint8], width: int) -> NDArray[np.uint8]:
    if image.shape[1] <= width:
        return image
    size = width, max(1, round(image.shape[0] * width / image.shape[1]))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)
