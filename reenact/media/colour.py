"""The colour tags of a video and the conversion from RGB that they stand for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Codes of ITU-T H.273, which FFmpeg uses as colour tags.
RGB, UNSPECIFIED = 0, 2
LIMITED, FULL = 1, 2
BT709, BT601, BT2020 = 1, 5, 9
_MATRICES = {1: BT709, 4: 4, 5: BT601, 6: BT601, 7: 7, 9: BT2020, 10: BT2020}
_RED_AND_BLUE = {
    BT709: (0.2126, 0.0722),
    4: (0.30, 0.11),
    BT601: (0.299, 0.114),
    7: (0.212, 0.087),
    BT2020: (0.2627, 0.0593),
}
"""The coefficients (Kr, Kb) of each matrix."""


@dataclass(frozen=True)
class Colour:
    """The colour tags of a video, as codes of ITU-T H.273."""

    range: int = 0
    """The range of the values: 1 limited (16..235), 2 full (0..255), 0 unspecified."""
    matrix: int = UNSPECIFIED
    """The matrix between RGB and YCbCr; 0 is RGB, 2 unspecified."""
    primaries: int = UNSPECIFIED
    """The colour primaries; 2 is unspecified."""
    transfer: int = UNSPECIFIED
    """The transfer characteristics (gamma); 2 is unspecified."""

    @property
    def effective_range(self) -> int:
        """The range to convert with: limited where it is unspecified."""
        return self.range or LIMITED

    def effective_matrix(self, height_px: int) -> int:
        """The matrix to convert with: where it is unspecified, BT.601 up to 576 lines and BT.709 above."""
        return _MATRICES.get(self.matrix, BT601 if height_px <= 576 else BT709)

    def from_rgb(self, height_px: int) -> NDArray[np.float32]:
        """The matrix (3, 4) in (Y, Cb, Cr) = matrix @ (R, G, B, 1), values 0..255; H.273, section 8.3."""
        red, blue = _RED_AND_BLUE[self.effective_matrix(height_px)]
        luma = np.array([red, 1 - red - blue, blue])
        difference = np.array([[0, 0, 1], [1, 0, 0]]) - luma
        equations = np.vstack([luma, difference / (2 * np.array([[1 - blue], [1 - red]]))])
        if self.effective_range == FULL:
            scale, offset = np.ones(3), (0, 128, 128)
        else:
            scale, offset = np.array([219, 224, 224]) / 255, (16, 128, 128)
        return np.column_stack([equations * scale[:, None], offset]).astype(np.float32)


HD = Colour(LIMITED, BT709, BT709, BT709)
"""Limited-range BT.709, which players assume for HD video; files are tagged with it explicitly."""
