"""Pictures that a Python program hands over: checked, so that a mistake is named and not painted into."""

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
"""Levels of 255 by which a face is bluer than red where its red and blue were exchanged. Of 177 faces in
films and portraits none was bluer than red by more than 1; once exchanged, 90 % were by more than this, and
the others are grey or nearly so."""


class ImageError(ValueError):
    """An array that is no picture; the message says what was given and what would be right."""


class ImageWarning(UserWarning):
    """A picture that is perhaps not what was meant: it shows no face, or red and blue are exchanged."""


def as_still(image: Picture) -> Still:
    """The picture in the array, or in the file of that name. An array is neither copied nor changed.

    Raises ImageError for an array that is no RGB picture, and StillError for a file that cannot be read.
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
    """What would make a picture of the array, one plain line; None where it is one."""
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
    """Warns where the picture shows no face, or one whose red and blue seem to be exchanged.

    consequence: what follows where there is no face, for the message.
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
    """How many levels of 255 more blue than red the picture has at a face's landmarks, at the median."""
    x, y = np.rint(landmarks[:, :2]).astype(int).T
    inside = (x >= 0) & (y >= 0) & (x < image.shape[1]) & (y < image.shape[0])
    if not inside.any():
        return 0.0
    colours = image[y[inside], x[inside]].astype(int)
    return float(np.median(colours[:, 2] - colours[:, 0]))


def _warn(text: str) -> None:
    warnings.warn(text, ImageWarning, stacklevel=_levels_of_ours())


def _levels_of_ours() -> int:
    """For warnings.warn in the function that calls this: the line of the program that uses reenact."""
    frame, levels = sys._getframe(1), 1
    while frame.f_back is not None and str(frame.f_globals.get("__name__")).split(".")[0] == "reenact":
        frame, levels = frame.f_back, levels + 1
    return levels
