"""Aligned faces in shards: a tar of pictures and a table of what is known of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calib.au import AUVector
from reenact.generate.appearance import FaceCrop

CROP = FaceCrop(size=320, width_mm=237.5)
"""The run-time's crop of 256 pixels on 190 mm, with a margin of 32 pixels all around: same scale, same centre."""


@dataclass(frozen=True, eq=False)
class FaceSample:
    """One aligned face."""

    image: NDArray[np.uint8]
    """(320, 320, 3) RGB."""
    landmarks: NDArray[np.float32]
    """(478, 3) in the image's pixels."""
    aus: AUVector
    """(17,) what the face shows, 0..5."""
    person: str
    collection: str
    """The data set's name."""
    name: str
    """Where it came from, unique in its collection: a file, or a clip and its frame."""
