"""The network that refines one region of a face in real time, and its discriminator.

Generator: a strided convolution to a quarter of the crop's width, two stride-2 levels, residual blocks at the
bottom, and one level up again. Weights are standardised in place of a norm. It does not paint pixels: it
computes gains of light and tint for the whole crop, and a smaller gain of shade for every patch of eight
pixels, interpolated between patches (after Gharbi et al., Deep Bilateral Learning, 2017). So it can adapt
light and tone of the layers to the face around them, but neither blur nor invent a tooth. Offsets, tried
first, filled the dark of the mouth with a haze wherever the truth had a tooth and the layers had none; large
gains of light and tint by patches of four left bright and greenish spots on single teeth.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reenact.generate.network.network_regions import PLANES


@dataclass(frozen=True)
class LiveShape:
    """Widths of the networks of a region."""

    channels: tuple[int, int, int] = (48, 80, 112)
    """Channels of the generator's levels, from the grid of cells down to a quarter of its width."""
    blocks: int = 2
    """The number of residual blocks at the bottom."""
    critic: tuple[int, int, int] = (32, 64, 96)
    """Channels of the discriminator, at a quarter, an eighth and a sixteenth of the crop's width."""


_CELL = 4
"""Width in pixels of the cells that the first layer reads."""
_PATCH = 2 * _CELL
"""Width of a patch in pixels."""
_SEEN = 3 + 2 + PLANES
"""The generator's input channels: the crop, both masks, and geometry."""
_GEOMETRY_MM = 10.0
"""The unit by which geometry is divided."""
_PAINTED = 1 + 1 + 1 + 3
"""Output channels of a patch: shade inside the opening, shade on its rim, light, and tint."""
_PACE = 0.2
"""Factor on the last layer's results. At 1, a few early steps drive all gains to their limits, from where
they hardly come back."""
_LIGHT, _TINT, _SHADE = 0.4, 0.06, 0.15
"""The largest relative changes of a colour by light, tint and shade."""


class StandardConv(nn.Conv2d):
    """A convolution whose weights, not whose results, are normalised (Brock et al., ICLR 2021).

    Unlike with an instance norm, light and colour of the crop are not subtracted. Runtimes fold it into the
    weights.
    """

    def __init__(self, inside: int, outside: int, kernel: int, stride: int = 1):
        super().__init__(inside, outside, kernel, stride, kernel // 2)
        self.gain = nn.Parameter(torch.full((outside, 1, 1, 1), 2**0.5))

    def forward(self, x_NCHW: Tensor) -> Tensor:
        weight = self.weight - self.weight.mean((1, 2, 3), keepdim=True)
        norm = weight.square().sum((1, 2, 3), keepdim=True).add(1e-6).sqrt()
        return F.conv2d(x_NCHW, self.gain * weight / norm, self.bias, self.stride, self.padding)


class Conv(nn.Module):
    """3x3 convolution with standardised weights, leaky ReLU."""

    def __init__(self, inside: int, outside: int, stride: int = 1):
        super().__init__()
        self.conv = StandardConv(inside, outside, 3, stride)

    def forward(self, x_NCHW: Tensor) -> Tensor:
        return F.leaky_relu(self.conv(x_NCHW), 0.1)


class StandardResidual(nn.Module):
    """Adds two convolutions with standardised weights to its input."""

    def __init__(self, channels: int):
        super().__init__()
        self.first = Conv(channels, channels)
        self.second = Conv(channels, channels)

    def forward(self, x_NCHW: Tensor) -> Tensor:
        return x_NCHW + self.second(self.first(x_NCHW))


class Join(nn.Module):
    """Joins an encoder's features with coarser ones from below."""

    def __init__(self, fine: int, coarse: int):
        super().__init__()
        self.up = StandardConv(coarse, fine, 1)
        self.joined = Conv(fine, fine)

    def forward(self, fine_NCHW: Tensor, coarse_NCHW: Tensor) -> Tensor:
        up = F.interpolate(self.up(coarse_NCHW), scale_factor=2.0, mode="nearest")
        return fine_NCHW + self.joined(F.leaky_relu(fine_NCHW + up, 0.1))


class LiveGenerator(nn.Module):
    """Turns a region's crop, masks and geometry into alpha and colour; see `compose`."""

    def __init__(self, shape: LiveShape = LiveShape()):
        super().__init__()
        self.shape = shape
        first, second, bottom = shape.channels
        # Pixel unshuffle and a 1x1 convolution in one, as runtimes move every pixel for the first.
        self.stem = nn.Conv2d(_SEEN, first, _CELL, _CELL)
        self.level1 = Conv(first, first)
        self.down1 = Conv(first, second, 2)
        self.level2 = Conv(second, second)
        self.down2 = Conv(second, bottom, 2)
        self.bottom = nn.ModuleList(StandardResidual(bottom) for _ in range(shape.blocks))
        self.up = Join(second, bottom)
        self.paint = nn.Conv2d(second, _PAINTED, 3, 1, 1)
        # The initial network leaves the picture unchanged.
        nn.init.zeros_(self.paint.weight)
        nn.init.zeros_(self.paint.bias)

    def forward(self, warped_N3HW: Tensor, mask_N2HW: Tensor, geometry_NPHW: Tensor) -> tuple[Tensor, Tensor]:
        """Returns alpha_N1HW, 0..1, and colour_N3HW, -1..1.

        warped_N3HW: -1..1. mask_N2HW: 0..1, the inside of the opening, and where paint is allowed, which is
        alpha. geometry_NPHW: in millimetres.
        """
        x = torch.cat([warped_N3HW, mask_N2HW, geometry_NPHW / _GEOMETRY_MM], 1)
        cells = self.level1(F.leaky_relu(self.stem(x), 0.1))
        halved = self.level2(self.down1(cells))
        x = self.down2(halved)
        for block in self.bottom:
            x = block(x)
        shades, tones = (_PACE * self.paint(self.up(halved, x))).split([2, 4], 1)
        shades = F.interpolate(shades, scale_factor=float(_PATCH), mode="bilinear", align_corners=False)
        inside, rim = shades.split(1, 1)
        shade = torch.tanh(torch.lerp(rim, inside, mask_N2HW[:, :1]))
        light, tint = torch.tanh(_mean(tones, mask_N2HW[:, 1:])).split([1, 3], 1)
        gain = _LIGHT * light + _TINT * tint + _SHADE * shade
        colour_N3HW = (warped_N3HW + (warped_N3HW + 1) * gain).clamp(-1, 1)
        return mask_N2HW[:, 1:].clone(), colour_N3HW


def _mean(patches_NCHW: Tensor, allowed_N1HW: Tensor) -> Tensor:
    """Returns the mean (n, c, 1, 1) over the patches in which paint is allowed."""
    weights = F.avg_pool2d(allowed_N1HW, _PATCH)
    total = weights.sum((2, 3), keepdim=True) + 1e-3
    return (patches_NCHW * weights).sum((2, 3), keepdim=True) / total


class RegionDiscriminatorOutput(NamedTuple):
    """The discriminator's output for a batch."""

    realness: Tensor
    """(n, 1, h, w) scores of patches; higher is more real."""
    features: list[Tensor]
    """The maps of each level, for a perceptual loss."""


class LiveDiscriminator(nn.Module):
    """Scores patches of crops as real or refined, given where the opening is.

    It reads the crop at half its width, which is still finer than what the generator changes.
    """

    def __init__(self, shape: LiveShape = LiveShape()):
        super().__init__()
        widths = (3 + 1, *shape.critic)
        last = shape.critic[-1]
        self.down = nn.ModuleList(nn.Conv2d(inside, outside, 4, 2, 1) for inside, outside in pairwise(widths))
        self.context = nn.Conv2d(last, last, 3, 1, 1)
        self.patch = nn.Conv2d(last, 1, 3, 1, 1)

    def forward(self, x_N3HW: Tensor, inside_N1HW: Tensor) -> RegionDiscriminatorOutput:
        features = []
        x_NCHW = F.avg_pool2d(torch.cat([x_N3HW, inside_N1HW], 1), 2)
        for layer in (*self.down, self.context):
            x_NCHW = F.leaky_relu(layer(x_NCHW), 0.1)
            features.append(x_NCHW)
        return RegionDiscriminatorOutput(self.patch(x_NCHW), features)


def compose(warped_N3HW: Tensor, alpha_N1HW: Tensor, colour_N3HW: Tensor) -> Tensor:
    """Blends the generator's colour into the warped crop by alpha."""
    return warped_N3HW + alpha_N1HW * (colour_N3HW - warped_N3HW)
