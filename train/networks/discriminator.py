"""The discriminator: scores patches of a picture as real or generated, and estimates the action units.

N: pictures, H, W: height and width, K: action units, all in OpenFace's order.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

from torch import Tensor, nn

from calib.au import OPENFACE_COUNT

_SLOPE = 0.01
_LEVELS = 6
_SMALLEST_MAP = 2


class DiscriminatorOutput(NamedTuple):
    """The discriminator's output for a batch."""

    realness: Tensor
    """(N, 1, h, w) one score for each patch; higher is more real. Not bounded."""
    aus: Tensor
    """(N, K) absolute action units, OpenFace's / 5. Not bounded."""


class Discriminator(nn.Module):
    """PatchGAN: stride-2 convolutions without norm, and two heads on their last map.

    It has no norm, because a gradient penalty concerns each picture alone. It has six levels as published, as
    long as the last map keeps 2 x 2 patches, as at 128 pixels; smaller pictures get fewer.

    size: the pictures' height and width in pixels, a power of two, at least 4.
    """

    def __init__(self, size: int = 128, channels: int = 64):
        super().__init__()
        levels = min(_LEVELS, (size // _SMALLEST_MAP).bit_length() - 1)
        widths = [3, *(channels * 2**level for level in range(levels))]
        self.levels = nn.ModuleList(
            nn.Sequential(nn.Conv2d(before, after, 4, stride=2, padding=1), nn.LeakyReLU(_SLOPE))
            for before, after in pairwise(widths)
        )
        self.realness = nn.Conv2d(widths[-1], 1, 3, padding=1, bias=False)
        self.aus = nn.Conv2d(widths[-1], OPENFACE_COUNT, size >> levels, bias=False)

    def forward(self, image_N3HW: Tensor) -> DiscriminatorOutput:
        """image_N3HW: -1..1."""
        last = self.features(image_N3HW)[-1]
        return DiscriminatorOutput(self.realness(last).float(), self.aus(last).flatten(1).float())

    def features(self, image_N3HW: Tensor) -> list[Tensor]:
        """Returns the map of each level, finest first, for a perceptual loss."""
        maps = []
        current = image_N3HW
        for level in self.levels:
            current = level(current)
            maps.append(current)
        return maps
