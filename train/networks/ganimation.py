"""GANimation, the usual baseline: attention and colour from a picture and absolute action units.

Pumarola, Agudo, Martinez, Sanfeliu & Moreno-Noguer, GANimation: Anatomically-aware Facial Animation from a
Single Image, ECCV 2018, written from the paper. The paper's attention is the share that is *kept*; here it is
the share that is painted, as alpha is everywhere in this project.

N: pictures, C: channels, H, W: height and width, K: action units.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from calib.au import OPENFACE_COUNT

_BLOCKS = 6


class Ganimation(nn.Module):
    """Two halvings, six residual blocks, two doublings, and a head each for attention and colour.

    With 64 channels: 8.4 million parameters. Height and width: multiples of 4.
    """

    def __init__(self, channels: int = 64):
        super().__init__()
        bottom = 4 * channels
        self.body = nn.Sequential(
            *_activated(nn.Conv2d(3 + OPENFACE_COUNT, channels, 7, padding=3, bias=False), channels),
            *_activated(_halve(channels, 2 * channels), 2 * channels),
            *_activated(_halve(2 * channels, bottom), bottom),
            *(ResidualBlock(bottom) for _ in range(_BLOCKS)),
            *_activated(_double(bottom, 2 * channels), 2 * channels),
            *_activated(_double(2 * channels, channels), channels),
        )
        self.attention = nn.Conv2d(channels, 1, 7, padding=3)
        self.colour = nn.Conv2d(channels, 3, 7, padding=3)

    def forward(self, image_N3HW: Tensor, aus_NK: Tensor) -> tuple[Tensor, Tensor]:
        """Returns attention (N, 1, H, W), 0..1, and colour (N, 3, H, W), -1..1, for `compose`.

        image_N3HW: -1..1; aus_NK: 0..1, the action units that the face is to show, OpenFace's / 5.
        """
        maps = aus_NK[:, :, None, None].expand(-1, -1, *image_N3HW.shape[2:])
        features = self.body(torch.cat([image_N3HW, maps], 1))
        return torch.sigmoid(self.attention(features)), torch.tanh(self.colour(features))


def compose(image_N3HW: Tensor, attention_N1HW: Tensor, colour_N3HW: Tensor) -> Tensor:
    """Returns (N, 3, H, W): `colour` where attention is 1, `image` where it is 0."""
    return image_N3HW + attention_N1HW * (colour_N3HW - image_N3HW)


class ResidualBlock(nn.Module):
    """Adds a correction to its features."""

    def __init__(self, channels: int):
        super().__init__()
        self.correction = nn.Sequential(
            *_activated(nn.Conv2d(channels, channels, 3, padding=1, bias=False), channels),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.InstanceNorm2d(channels, affine=True),
        )

    def forward(self, features_NCHW: Tensor) -> Tensor:
        return features_NCHW + self.correction(features_NCHW)


def _activated(conv: nn.Module, channels: int) -> tuple[nn.Module, ...]:
    return conv, nn.InstanceNorm2d(channels, affine=True), nn.ReLU()


def _halve(before: int, after: int) -> nn.Conv2d:
    return nn.Conv2d(before, after, 4, stride=2, padding=1, bias=False)


def _double(before: int, after: int) -> nn.ConvTranspose2d:
    return nn.ConvTranspose2d(before, after, 4, stride=2, padding=1, bias=False)
