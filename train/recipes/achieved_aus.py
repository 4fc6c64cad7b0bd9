"""What the pictures of a batch show, as a reader sees them that no loss knows: the run-time's own.

A generator that paints nothing is perfect at reconstruction. Only who reads the pictures can tell it from one
that does what it is asked.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from calib.au import AU_COUNT, MAX_INTENSITY, AUVector
from calib.shape import load_shape
from reenact.generate.geometry.face_crop import FaceCrop

LOST = 1.0
"""Squared error, of intensities / 5, of every action unit of a face that is no longer found."""


class Shown(Protocol):
    """What a reader tells of a face."""

    @property
    def aus(self) -> AUVector:
        """(17,) 0..5."""


ReadPicture: TypeAlias = Callable[[NDArray[np.uint8], NDArray[np.float32]], Shown | None]
"""From a picture (height, width, 3) RGB and landmarks (478, 3) near which its face is; None: no face."""
OpenReader: TypeAlias = Callable[[], AbstractContextManager[ReadPicture]]


def asked_and_achieved(
    before_N3HW: Tensor, after_N3HW: Tensor, asked_NK: Tensor, open_reader: OpenReader
) -> Tensor | None:
    """(n,) squared error of the change of action units, / 5, of the n faces that are found in `before`.

    before, after: in -1..1. asked: the change, / 5. What a reader is off in both pictures alike does not
    count. None where no face is found: then nothing can be told of any generator.
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
            achieved = torch.from_numpy((shows.aus - shown.aus) / MAX_INTENSITY)
            errors.append(float((achieved - asked).square().sum()) / AU_COUNT)
    return torch.tensor(errors) if errors else None


def to_pictures(images_N3HW: Tensor) -> NDArray[np.uint8]:
    """(n, height, width, 3) RGB of tensors in -1..1."""
    levels = images_N3HW.detach().float().add(1).mul(127.5).clamp(0, 255).round().byte()
    return np.ascontiguousarray(levels.permute(0, 2, 3, 1).cpu().numpy())


def likely_landmarks(size: int) -> NDArray[np.float32]:
    """(478, 3) of an average face in the middle of the run-time's crop, of `size` pixels."""
    crop = FaceCrop(size=size)
    places = (load_shape().canonical - np.array(crop.centre_mm, np.float32)) * (size / crop.width_mm)
    return (places + np.array([size / 2, size / 2, 0])).astype(np.float32)
