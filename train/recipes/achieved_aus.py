"""The action units that generated pictures show, read by the run-time's estimator, which is not in any loss.

A generator that paints nothing reconstructs perfectly. Only reading its pictures shows that it does not do
what is asked.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from calib.au import MAX_INTENSITY, OPENFACE_COUNT, AUVector, openface
from calib.shape import load_shape
from reenact.generate.geometry.face_crop import FaceCrop

LOST = 1.0
"""The squared error, of intensities / 5, of every action unit of a face that is no longer found."""


class Shown(Protocol):
    """The reading of a face."""

    @property
    def aus(self) -> AUVector:
        """(17,) intensities, 0..5."""


ReadPicture: TypeAlias = Callable[[NDArray[np.uint8], NDArray[np.float32]], Shown | None]
"""A function from a picture (height, width, 3) RGB and landmarks (478, 3) near its face. None: no face."""
OpenReader: TypeAlias = Callable[[], AbstractContextManager[ReadPicture]]


def asked_and_achieved(
    before_N3HW: Tensor, after_N3HW: Tensor, asked_NK: Tensor, open_reader: OpenReader
) -> Tensor | None:
    """Returns (n,) squared errors of the change of action units, / 5, for the n faces found in `before`.

    before, after: -1..1. asked: the change, / 5. An error of the reader that is equal in both pictures
    cancels. None: no face was found, so nothing can be said about the generator.
    """
    errors = []
    near = likely_landmarks(before_N3HW.shape[-1])
    with open_reader() as read:
        for before, after, asked in zip(
            to_pictures(before_N3HW), to_pictures(after_N3HW), asked_NK.float().cpu(), strict=True
        ):
            shown, shows = read(before, near), read(after, near)
            if shown is None:
                continue
            if shows is None:
                errors.append(LOST)
                continue
            achieved = torch.from_numpy(openface(shows.aus - shown.aus) / MAX_INTENSITY)
            errors.append(float((achieved - asked).square().sum()) / OPENFACE_COUNT)
    return torch.tensor(errors) if errors else None


def to_pictures(images_N3HW: Tensor) -> NDArray[np.uint8]:
    """Converts tensors, -1..1, to (n, height, width, 3) RGB."""
    levels = images_N3HW.detach().float().add(1).mul(127.5).clamp(0, 255).round().byte()
    return np.ascontiguousarray(levels.permute(0, 2, 3, 1).cpu().numpy())


def likely_landmarks(size: int) -> NDArray[np.float32]:
    """Returns (478, 3): an average face in the middle of the run-time's crop of `size` pixels."""
    crop = FaceCrop(size=size)
    places = (load_shape().canonical - np.array(crop.centre_mm, np.float32)) * (size / crop.width_mm)
    return (places + np.array([size / 2, size / 2, 0])).astype(np.float32)
