"""The published generator: a U-Net whose skips fuse adjacent scales, conditioned on relative action units.

Ling, Xue, Song, Xie & Li, Toward Fine-grained Facial Expression Manipulation, ECCV 2020
(arXiv:2004.03132), written from a description of it.

N: pictures, C: channels, H, W: height and width, K: action units, E: length of the action units' embedding.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from calib.au import OPENFACE_COUNT

Conditioning = Literal["concat", "film"]
"""How action units are fed in. `concat`: as constant maps beside the features, before a convolution, as
published. `film`: as scale and shift of every channel, after its norm (Perez et al., FiLM, 2018).

A convolution turns a constant map into a constant, which the following instance norm subtracts. With `concat`
the action units therefore act only where zero padding breaks the constant, along the borders."""

_SLOPE = 0.01
_EMBEDDING = 64


class Paper(nn.Module):
    """Turns a picture and relative action units into the changed picture.

    With 64 channels: 57.6 million parameters (`film`: 57.3). Height and width: multiples of 16, at least 32.
    """

    def __init__(self, channels: int = 64, conditioning: Conditioning = "concat"):
        super().__init__()
        widths = [channels, 2 * channels, 4 * channels, 8 * channels, 8 * channels]
        *fine, bottom = widths[1:]
        self.embed = _embedding() if conditioning == "film" else nn.Identity()
        self.stem = nn.Sequential(
            nn.Conv2d(3, channels, 7, padding=3, bias=False), _norm(channels), nn.LeakyReLU(_SLOPE)
        )
        self.encoder = nn.ModuleList(
            nn.Sequential(_halve(before, after), _norm(after), nn.LeakyReLU(_SLOPE))
            for before, after in pairwise(widths)
        )
        self.bottleneck = conditioned(conditioning, bottom, bottom, kernel=3)
        # From here on the order is coarse to fine.
        skips = fine[::-1]
        self.fusions = nn.ModuleList(
            Fusion(width, below, conditioning) for width, below in zip(skips, [bottom, *skips], strict=False)
        )
        self.decoder = nn.ModuleList(
            nn.Sequential(_double(before, after), _norm(after), nn.ReLU())
            for before, after in zip(
                [bottom, *(2 * width for width in skips)], [*skips, channels], strict=True
            )
        )
        self.colour = nn.Conv2d(channels, 3, 7, padding=3)

    def forward(self, image_N3HW: Tensor, relative_aus_NK: Tensor) -> Tensor:
        """Returns (N, 3, H, W), -1..1. image_N3HW: -1..1; relative_aus_NK: -1..1, OpenFace's / 5."""
        code_NE = self.embed(relative_aus_NK)
        current = self.stem(image_N3HW)
        skips: list[Tensor] = []
        for level in self.encoder:
            current = level(current)
            skips.insert(0, current)
        current = fused = self.bottleneck(skips[0], code_NE)
        for level, fusion, skip in zip(self.decoder, self.fusions, skips[1:], strict=False):
            fused = fusion(skip, fused, code_NE)
            current = torch.cat([level(current), fused], 1)
        return torch.tanh(self.colour(self.decoder[-1](current)))


class Fusion(nn.Module):
    """A skip: the encoder's features, changed by the action units and fused with the next coarser scale."""

    def __init__(self, fine: int, coarse: int, conditioning: Conditioning):
        super().__init__()
        self.select = conditioned(conditioning, fine, fine, kernel=5)
        self.exchange = Exchange(fine, coarse)
        self.raised = nn.Sequential(_double(coarse, fine), _norm(fine), nn.LeakyReLU(_SLOPE))
        self.narrow = nn.Conv2d(2 * fine, fine // 2, 3, padding=1, bias=False)
        self.wide = nn.Conv2d(2 * fine, fine // 2, 5, padding=2, bias=False)
        self.norm = _norm(fine)

    def forward(self, fine_NCHW: Tensor, coarse_NCHW: Tensor, code_NE: Tensor) -> Tensor:
        """Returns features of the shape of `fine_NCHW`; `coarse_NCHW` has half its height and width."""
        fine, coarse = self.exchange(self.select(fine_NCHW, code_NE), coarse_NCHW)
        both = torch.cat([fine, self.raised(coarse)], 1)
        return F.leaky_relu(self.norm(torch.cat([self.narrow(both), self.wide(both)], 1)), _SLOPE)


class Exchange(nn.Module):
    """Exchanges features between two scales: half of each one's new channels come from the other."""

    def __init__(self, fine: int, coarse: int):
        super().__init__()
        self.fine_to_fine = nn.Conv2d(fine, fine // 2, 3, padding=1, bias=False)
        self.fine_to_coarse = _halve(fine, coarse // 2)
        self.coarse_to_fine = _double(coarse, fine // 2)
        self.coarse_to_coarse = nn.Conv2d(coarse, coarse // 2, 3, padding=1, bias=False)
        self.fine_norm = _norm(fine)
        self.coarse_norm = _norm(coarse)

    def forward(self, fine_NCHW: Tensor, coarse_NCHW: Tensor) -> tuple[Tensor, Tensor]:
        fine = torch.cat([self.fine_to_fine(fine_NCHW), self.coarse_to_fine(coarse_NCHW)], 1)
        coarse = torch.cat([self.coarse_to_coarse(coarse_NCHW), self.fine_to_coarse(fine_NCHW)], 1)
        return F.leaky_relu(self.fine_norm(fine), _SLOPE), F.leaky_relu(self.coarse_norm(coarse), _SLOPE)


def conditioned(conditioning: Conditioning, before: int, after: int, kernel: int) -> nn.Module:
    """Returns a convolution, norm and activation, called with features and embedded action units."""
    if conditioning == "film":
        return FilmConv(before, after, kernel)
    return ConcatConv(before, after, kernel)


class ConcatConv(nn.Module):
    """Feeds in action units as constant maps beside the features; Conditioning says why this is weak."""

    def __init__(self, before: int, after: int, kernel: int):
        super().__init__()
        self.conv = nn.Conv2d(before + OPENFACE_COUNT, after, kernel, padding=kernel // 2, bias=False)
        self.norm = _norm(after)

    def forward(self, features_NCHW: Tensor, aus_NK: Tensor) -> Tensor:
        maps = aus_NK[:, :, None, None].expand(-1, -1, *features_NCHW.shape[2:])
        return F.leaky_relu(self.norm(self.conv(torch.cat([features_NCHW, maps], 1))), _SLOPE)


class FilmConv(nn.Module):
    """Action units scale and shift every channel, after its norm."""

    def __init__(self, before: int, after: int, kernel: int):
        super().__init__()
        self.conv = nn.Conv2d(before, after, kernel, padding=kernel // 2, bias=False)
        self.norm = nn.InstanceNorm2d(after)
        self.film = nn.Linear(_EMBEDDING, 2 * after)

    def forward(self, features_NCHW: Tensor, code_NE: Tensor) -> Tensor:
        scale, shift = self.film(code_NE)[:, :, None, None].chunk(2, 1)
        return F.leaky_relu(self.norm(self.conv(features_NCHW)) * (1 + scale) + shift, _SLOPE)


def _embedding() -> nn.Module:
    """Returns the small network before every FiLM layer."""
    return nn.Sequential(
        nn.Linear(OPENFACE_COUNT, _EMBEDDING), nn.SiLU(), nn.Linear(_EMBEDDING, _EMBEDDING), nn.SiLU()
    )


def _norm(channels: int) -> nn.InstanceNorm2d:
    return nn.InstanceNorm2d(channels, affine=True)


def _halve(before: int, after: int) -> nn.Conv2d:
    return nn.Conv2d(before, after, 4, stride=2, padding=1, bias=False)


def _double(before: int, after: int) -> nn.ConvTranspose2d:
    return nn.ConvTranspose2d(before, after, 4, stride=2, padding=1, bias=False)
