"""Pictures given by a Python program: an array of the wrong kind is refused with a clear message."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from reenact.media.image_file import Still, load_still
from reenact.records import Measured

Picture: TypeAlias = "NDArray[np.uint8] | str | Path"
"""A (height, width, 3) RGB uint8 array, or the path or address of a picture."""

BLUE_SKIN = 15
"""The excess of blue over red in a face, in levels of 255, above which red and blue are taken for exchanged.
Of 177 faces in films and portraits none had an excess above 1; with red and blue exchanged, 90 % had more
than this, and the others were grey or nearly so."""


class ImageError(ValueError):
    """Raised for an array that is no picture; the message says what was given and what would be right."""


class ImageWarning(UserWarning):
    """Warns of a picture that is probably a mistake: it has no face, or its red and blue are exchanged."""


def as_still(image: Picture) -> Still:
    """The picture in an array or a file. An array is never changed, and copied only if it is not contiguous.

    Raises ImageError for an array that is no RGB uint8 picture, StillError for a file that cannot be read.
    """
    if isinstance(image, str | Path):
        return load_still(image)
    if not isinstance(image, np.ndarray):
        raise ImageError(
            f"a picture is a (height, width, 3) RGB uint8 array or a path, not a {type(image).__name__}; "
            "numpy.asarray(picture.convert('RGB')) makes an array of a PIL image"
        )
    reason = _why_no_picture(image)
    if reason is not None:
        raise ImageError(
            f"the array is {image.dtype} of shape {image.shape}; "
            f"a picture is (height, width, 3) RGB uint8: {reason}"
        )
    return Still(np.ascontiguousarray(image))


def _why_no_picture(image: NDArray) -> str | None:
    """One line that says how to make a picture of the array. None: it is one already."""
    shape = image.shape
    if image.ndim == 4:
        return "give the pictures one at a time"
    if image.ndim == 2:
        return "numpy.dstack([image] * 3) makes RGB of grey"
    if image.ndim != 3:
        return f"this array has {image.ndim} dimensions"
    if shape[2] == 4:
        return "image[..., :3] leaves out the alpha channel"
    if shape[2] == 1:
        return "numpy.repeat(image, 3, axis=2) makes RGB of grey"
    if shape[2] != 3:
        channels_first = shape[0] == 3
        return "image.transpose(1, 2, 0) puts the channels last" if channels_first else "three channels"
    if 0 in shape:
        return "this one has no pixels"
    if image.dtype != np.uint8:
        floats = np.issubdtype(image.dtype, np.floating)
        return (
            "(image * 255).round().astype(numpy.uint8) converts values of 0..1"
            if floats
            else "image.astype(numpy.uint8) converts values of 0..255"
        )
    return None


def warn_of_doubtful_picture(measured: Measured, consequence: str) -> None:
    """Warns where the picture has no face, or where red and blue seem to be exchanged.

    consequence: the second half of the message where there is no face, such as "the picture is unchanged".
    """
    largest = measured.largest
    if largest is None:
        _warn(f"no face was found: {consequence}")
    elif blueness(measured.frame.image, measured.faces[largest].landmarks) > BLUE_SKIN:
        _warn(
            "the face is bluer than it is red: is this the BGR array of OpenCV? "
            "image[..., ::-1] exchanges red and blue"
        )


def blueness(image: NDArray[np.uint8], landmarks: NDArray[np.float32]) -> float:
    """The median excess of blue over red at a face's landmarks (478, 3), in levels of 255."""
    x, y = np.rint(landmarks[:, :2]).astype(int).T
    inside = (x >= 0) & (y >= 0) & (x < image.shape[1]) & (y < image.shape[0])
    if not inside.any():
        return 0.0
    colours = image[y[inside], x[inside]].astype(int)
    return float(np.median(colours[:, 2] - colours[:, 0]))


def _warn(text: str) -> None:
    warnings.warn(text, ImageWarning, stacklevel=_own_stack_levels())


def _own_stack_levels() -> int:
    """The `stacklevel` for warnings.warn in the calling function that points to the user's own line."""
    frame, levels = sys._getframe(1), 1
    while frame.f_back is not None and str(frame.f_globals.get("__name__")).split(".")[0] == "reenact":
        frame, levels = frame.f_back, levels + 1
    return levels
