"""The likeness of two pictures inside a region."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

LEAST_PIXELS = 30
"""The number of pixels below which a region is not compared."""


@dataclass(frozen=True)
class Likeness:
    """Measures of the likeness of two pictures."""

    l1: float
    """The mean absolute difference in grey levels, 0..255."""
    psnr: float
    """The peak signal-to-noise ratio in dB; infinite where all pixels are equal."""
    ssim: float
    """The mean structural similarity, at most 1."""


def likeness(
    first: NDArray[np.uint8], second: NDArray[np.uint8], inside: NDArray[np.bool_]
) -> Likeness | None:
    """Compares two pictures (height, width, 3) within a mask (height, width). None: it is nearly empty."""
    if inside.sum() < LEAST_PIXELS:
        return None
    difference = first[inside].astype(np.float64) - second[inside]
    square = float(np.mean(difference**2))
    psnr = float("inf") if square == 0 else 10 * float(np.log10(255**2 / square))
    return Likeness(float(np.abs(difference).mean()), psnr, float(ssim_map(first, second)[inside].mean()))


def ssim_map(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Returns (height, width): the structural similarity of the luminances.

    Source: Wang, Bovik, Sheikh & Simoncelli, IEEE TIP 13(4), 2004: an 11 x 11 Gaussian window of 1.5 pixels.
    """
    x, y = (cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32) for image in (first, second))
    mean_x, mean_y = _blur(x), _blur(y)
    var_x, var_y = _blur(x * x) - mean_x**2, _blur(y * y) - mean_y**2
    covariance = _blur(x * y) - mean_x * mean_y
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    luminance = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
    return luminance * (2 * covariance + c2) / (var_x + var_y + c2)


def _blur(plane: NDArray[np.float32]) -> NDArray[np.float32]:
    return cv2.GaussianBlur(plane, (11, 11), 1.5)
