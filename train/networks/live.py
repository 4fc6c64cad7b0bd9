"""The appearance network for real time, and the discriminator that teaches it.

Generator: a strided convolution to a quarter of the crop's pixels a side, three stride-2 levels, residual
blocks at the bottom, and multi-scale fusion on the way up as in Ling et al. (ECCV 2020): features of two
resolutions are exchanged before they are joined. Weights are standardised in place of a norm, so that the
network may be taught on windows and paint whole crops. Action units enter by FiLM behind every such
convolution: a constant map before an instance norm would be subtracted again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from calib.au import AU_COUNT


@dataclass(frozen=True)
class LiveShape:
    """Widths of the live networks."""

    size: int = 256
    """Pixels of the crop; its features start on a grid of a quarter of them."""
    channels: tuple[int, int, int, int] = (40, 80, 160, 192)
    """From the grid down to an eighth of it."""
    blocks: int = 2
    """Residual blocks at the bottom."""
    finest: int = 24
    """On twice the grid, where the picture is seen once more."""
    conditioning: int = 128
    """Width of the MLP that reads the action units."""
    critic: tuple[int, int, int] = (40, 80, 128)
    """Discriminators, on a half, a quarter and an eighth of a window's pixels."""


_UNSHUFFLE = 4
_SEEN = 3 + 2
"""Channels that the generator sees: the warped crop, and the mask of openings and gate."""
_PAINTED = 1 + 3
"""Channels that it paints: alpha, and a difference of colours."""

WINDOWS = {"mouth": (96, 128), "eyes": (96, 160)}
"""(height, width) pixels of the crop's parts that the network is taught on: 71 x 95 mm and 71 x 119 mm."""
SEEN_AUS = {
    "mouth": ("AU09", "AU10", "AU12", "AU14", "AU15", "AU17", "AU20", "AU23", "AU25", "AU26"),
    "eyes": ("AU01", "AU02", "AU04", "AU05", "AU06", "AU07", "AU09", "AU45"),
}
"""Action units that show in each window."""


class StandardConv(nn.Conv2d):
    """A convolution whose weights, not whose results, are normalised (Brock et al., ICLR 2021).

    So the network sees the same in a window as in the whole crop, which an instance norm does not: it is
    taught on windows, where the mouth is not lost among the pixels. Runtimes fold it into the weights.
    """

    def __init__(self, inside: int, outside: int, kernel: int, stride: int = 1):
        super().__init__(inside, outside, kernel, stride, kernel // 2)
        self.gain = nn.Parameter(torch.full((outside, 1, 1, 1), 2**0.5))

    def forward(self, x_NCHW: Tensor) -> Tensor:
        weight = self.weight - self.weight.mean((1, 2, 3), keepdim=True)
        norm = weight.square().sum((1, 2, 3), keepdim=True).add(1e-6).sqrt()
        return F.conv2d(x_NCHW, self.gain * weight / norm, self.bias, self.stride, self.padding)


class Conv(nn.Module):
    """3x3 convolution with standardised weights, FiLM, leaky ReLU.

    FiLM (Perez et al., AAAI 2018): every channel scaled and shifted by a linear function of the conditioning.
    """

    def __init__(self, inside: int, outside: int, conditioning: int, stride: int = 1):
        super().__init__()
        self.conv = StandardConv(inside, outside, 3, stride)
        self.film = nn.Linear(conditioning, 2 * outside)

    def forward(self, x_NCHW: Tensor, code_NE: Tensor) -> Tensor:
        scale, shift = self.film(code_NE)[:, :, None, None].chunk(2, dim=1)
        return F.leaky_relu(self.conv(x_NCHW) * (1 + scale) + shift, 0.1)


class Residual(nn.Module):
    def __init__(self, channels: int, conditioning: int):
        super().__init__()
        self.first = Conv(channels, channels, conditioning)
        self.second = Conv(channels, channels, conditioning)

    def forward(self, x_NCHW: Tensor, code_NE: Tensor) -> Tensor:
        return x_NCHW + self.second(self.first(x_NCHW, code_NE), code_NE)


class Fusion(nn.Module):
    """Joins an encoder's features with coarser ones from below, each having seen the other."""

    def __init__(self, fine: int, coarse: int, conditioning: int):
        super().__init__()
        self.fine = Conv(fine, fine, conditioning)
        self.down = StandardConv(fine, fine, 3, 2)
        self.up = StandardConv(coarse, fine, 1)
        self.mix_fine = StandardConv(fine, fine, 1)
        self.mix_coarse = StandardConv(coarse + fine, fine, 1)
        self.joined = Conv(fine, fine, conditioning)

    def forward(self, fine_NCHW: Tensor, coarse_NCHW: Tensor, code_NE: Tensor) -> Tensor:
        fine_NCHW = self.fine(fine_NCHW, code_NE)
        coarse_seen = F.leaky_relu(self.mix_coarse(torch.cat([coarse_NCHW, self.down(fine_NCHW)], 1)), 0.1)
        fine_seen = F.leaky_relu(self.mix_fine(fine_NCHW) + _twice(self.up(coarse_NCHW)), 0.1)
        return self.joined(fine_seen + _twice(coarse_seen), code_NE) + fine_NCHW


class LiveGenerator(nn.Module):
    """Warped crop, mask and relative action units to alpha and colour; see `compose`."""

    def __init__(self, shape: LiveShape = LiveShape()):
        super().__init__()
        self.shape = shape
        first, second, third, bottom = shape.channels
        code = shape.conditioning
        self.code = nn.Sequential(
            nn.Linear(AU_COUNT, code), nn.LeakyReLU(0.1), nn.Linear(code, code), nn.LeakyReLU(0.1)
        )
        # Pixel unshuffle and a 1x1 convolution in one: runtimes move every pixel for the first alone.
        self.stem = nn.Conv2d(_SEEN, first, _UNSHUFFLE, _UNSHUFFLE)
        self.down1 = Conv(first, second, code, 2)
        self.down2 = Conv(second, third, code, 2)
        self.down3 = Conv(third, bottom, code, 2)
        self.bottom = nn.ModuleList(Residual(bottom, code) for _ in range(shape.blocks))
        self.up3 = Fusion(third, bottom, code)
        self.up2 = Fusion(second, third, code)
        self.up1 = Fusion(first, second, code)
        self.finer = StandardConv(first // 4 + 4 * _SEEN, shape.finest, 3)
        self.paint = nn.Conv2d(shape.finest, 4 * _PAINTED, 3, 1, 1)
        # At first it leaves the picture as it is: random colours would only teach alpha to stay away.
        nn.init.zeros_(self.paint.weight)
        nn.init.zeros_(self.paint.bias)
        # Against the grid that pixel shuffle draws: each of a cell's pixels comes from a filter of its own.
        binomial = torch.tensor([0.25, 0.5, 0.25])
        kernel = (binomial[:, None] * binomial).expand(_PAINTED, 1, 3, 3).contiguous()
        self.register_buffer("smooth", kernel, persistent=False)

    def forward(
        self, warped_N3HW: Tensor, mask_N2HW: Tensor, relative_aus_NK: Tensor
    ) -> tuple[Tensor, Tensor]:
        """alpha_N1HW in 0..1 and colour_N3HW in -1..1.

        warped_N3HW is in -1..1; mask_N2HW in 0..1: inside mouth and eyes, and the gate, by which alpha is
        multiplied; relative_aus_NK in -1..1.
        """
        code_NE = self.code(relative_aus_NK)
        seen_N5HW = torch.cat([warped_N3HW, mask_N2HW], 1)
        at64 = F.leaky_relu(self.stem(seen_N5HW), 0.1)
        at32 = self.down1(at64, code_NE)
        at16 = self.down2(at32, code_NE)
        x = self.down3(at16, code_NE)
        for block in self.bottom:
            x = block(x, code_NE)
        x = self.up3(at16, x, code_NE)
        x = self.up2(at32, x, code_NE)
        x = self.up1(at64, x, code_NE)
        # Not from the grid to pixels in one step: its cells would show, as teeth four pixels wide.
        x = torch.cat([F.pixel_shuffle(x, 2), F.pixel_unshuffle(seen_N5HW, 2)], 1)
        alpha, difference = self.paint(F.leaky_relu(self.finer(x), 0.1)).split([4, 12], dim=1)
        painted = F.pixel_shuffle(torch.cat([torch.sigmoid(alpha), 2 * torch.tanh(difference)], 1), 2)
        painted = F.conv2d(painted, self.smooth, padding=1, groups=_PAINTED)
        alpha_N1HW = painted[:, :1] * mask_N2HW[:, 1:]
        colour_N3HW = (warped_N3HW + painted[:, 1:]).clamp(-1, 1)
        return alpha_N1HW, colour_N3HW


class Verdict(NamedTuple):
    """What the discriminator says about one window of pictures."""

    realness: Tensor
    """(n, 1, h, w) a map."""
    aus: Tensor
    """(n, 17) action units / 5, as far as they are seen through this window."""
    features: list[Tensor]
    """For comparing pictures by."""


class LiveDiscriminator(nn.Module):
    """Judges each kind of window by itself, and knows which action units it should show."""

    def __init__(self, shape: LiveShape = LiveShape()):
        super().__init__()
        self.windows = nn.ModuleList(PatchDiscriminator(shape.critic, size) for size in WINDOWS.values())

    def forward(self, windows: Sequence[Tensor], aus_NK: Tensor) -> list[Verdict]:
        return [look(each, aus_NK) for look, each in zip(self.windows, windows, strict=True)]


class PatchDiscriminator(nn.Module):
    """Patches real or painted, given the action units (Miyato & Koyama, ICLR 2018); and reads those."""

    def __init__(self, channels: tuple[int, int, int], window_size: tuple[int, int]):
        super().__init__()
        widths = (3, *channels)
        self.down = nn.ModuleList(nn.Conv2d(inside, outside, 4, 2, 1) for inside, outside in pairwise(widths))
        self.context = nn.Conv2d(channels[-1], channels[-1], 3, 1, 1)
        self.patch = nn.Conv2d(channels[-1], 1, 3, 1, 1)
        self.aus = nn.Linear(AU_COUNT, channels[-1])
        # Not a mean over places: how wide a mouth is open is where its lips are.
        height, width = (side >> len(self.down) + 1 for side in window_size)
        self.read = nn.Sequential(
            nn.Conv2d(channels[-1], channels[0], 4, 2, 1),
            nn.LeakyReLU(0.1),
            nn.Flatten(),
            nn.Linear(channels[0] * height * width, AU_COUNT),
        )
        # At first it reads nothing: guesses would teach the generator to paint anything.
        for parameter in self.read[-1].parameters():
            nn.init.zeros_(parameter)

    def forward(self, x_N3HW: Tensor, aus_NK: Tensor) -> Verdict:
        features = []
        x_NCHW = x_N3HW
        for layer in (*self.down, self.context):
            x_NCHW = F.leaky_relu(layer(x_NCHW), 0.1)
            features.append(x_NCHW)
        suits_N1HW = (x_NCHW * self.aus(aus_NK)[:, :, None, None]).mean(1, keepdim=True)
        return Verdict(self.patch(x_NCHW) + suits_N1HW, self.read(x_NCHW), features)


def window(image_NCHW: Tensor, centres_N2: Tensor, size: tuple[int, int]) -> Tensor:
    """(n, c, height, width): `size`, around centres (x, y) in whole pixels; it stays inside the picture."""
    height, width = size
    limit = image_NCHW.shape[3] - width, image_NCHW.shape[2] - height
    windows = []
    for image, (x, y) in zip(image_NCHW, centres_N2.tolist(), strict=True):
        left, top = min(max(x - width // 2, 0), limit[0]), min(max(y - height // 2, 0), limit[1])
        windows.append(image[:, top : top + height, left : left + width])
    return torch.stack(windows)


def compose(warped_N3HW: Tensor, alpha_N1HW: Tensor, colour_N3HW: Tensor) -> Tensor:
    """The picture that the generator's paint makes of the warped crop."""
    return warped_N3HW + alpha_N1HW * (colour_N3HW - warped_N3HW)


def _twice(x_NCHW: Tensor) -> Tensor:
    return F.interpolate(x_NCHW, scale_factor=2.0, mode="nearest")
