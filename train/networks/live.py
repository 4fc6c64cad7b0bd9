"""The appearance network for real time, and the discriminator that teaches it.

Generator: pixel unshuffle to a fixed grid of 64 x 64, three stride-2 levels, residual blocks at the bottom,
and multi-scale fusion on the way up as in Ling et al. (ECCV 2020): features of two resolutions are exchanged
before they are joined. Action units enter by FiLM *after* every norm (Perez et al., AAAI 2018): fed in as a
constant map before an instance norm they would be subtracted again.
"""

from __future__ import annotations

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
    conditioning: int = 128
    """Width of the MLP that reads the action units."""
    critic: tuple[int, int, int] = (64, 128, 192)
    """Discriminator, from the grid down to a quarter of it."""


_UNSHUFFLE = 4
_SEEN = 3 + 2
"""Channels that the generator sees: the warped crop, and the mask of openings and gate."""
_PAINTED = 1 + 3
"""Channels that it paints: alpha, and a difference of colours."""

MOUTH_WINDOW = (72, 112)
"""(height, width) pixels, 53 x 83 mm."""
EYE_WINDOW = (48, 72)


class Norm(nn.Module):
    """Instance norm, then FiLM: every channel scaled and shifted by a linear function of the conditioning."""

    def __init__(self, channels: int, conditioning: int):
        super().__init__()
        self.norm = nn.InstanceNorm2d(channels)
        self.film = nn.Linear(conditioning, 2 * channels)

    def forward(self, x_NCHW: Tensor, code_NE: Tensor) -> Tensor:
        scale, shift = self.film(code_NE)[:, :, None, None].chunk(2, dim=1)
        return self.norm(x_NCHW) * (1 + scale) + shift


class Conv(nn.Module):
    """3x3 convolution, norm with FiLM, leaky ReLU."""

    def __init__(self, inside: int, outside: int, conditioning: int, stride: int = 1):
        super().__init__()
        self.conv = nn.Conv2d(inside, outside, 3, stride, 1, bias=False)
        self.norm = Norm(outside, conditioning)

    def forward(self, x_NCHW: Tensor, code_NE: Tensor) -> Tensor:
        return F.leaky_relu(self.norm(self.conv(x_NCHW), code_NE), 0.1)


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
        self.down = nn.Conv2d(fine, fine, 3, 2, 1)
        self.up = nn.Conv2d(coarse, fine, 1)
        self.mix_fine = nn.Conv2d(fine, fine, 1)
        self.mix_coarse = nn.Conv2d(coarse + fine, fine, 1)
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
        self.paint = nn.Conv2d(first, _PAINTED * _UNSHUFFLE**2, 3, 1, 1)
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
        at64 = F.leaky_relu(self.stem(torch.cat([warped_N3HW, mask_N2HW], 1)), 0.1)
        at32 = self.down1(at64, code_NE)
        at16 = self.down2(at32, code_NE)
        x = self.down3(at16, code_NE)
        for block in self.bottom:
            x = block(x, code_NE)
        x = self.up3(at16, x, code_NE)
        x = self.up2(at32, x, code_NE)
        x = self.up1(at64, x, code_NE)
        alpha, difference = self.paint(x).split([_UNSHUFFLE**2, 3 * _UNSHUFFLE**2], dim=1)
        # On the grid, and shuffled then: as many numbers, but runtimes are faster with them.
        painted = F.pixel_shuffle(
            torch.cat([torch.sigmoid(alpha), 2 * torch.tanh(difference)], 1), _UNSHUFFLE
        )
        painted = F.conv2d(painted, self.smooth, padding=1, groups=_PAINTED)
        alpha_N1HW = painted[:, :1] * mask_N2HW[:, 1:]
        colour_N3HW = (warped_N3HW + painted[:, 1:]).clamp(-1, 1)
        return alpha_N1HW, colour_N3HW


class Judgement(NamedTuple):
    """What the discriminator says about pictures."""

    face: list[Tensor]
    """Two maps (n, 1, h, w) of realness all over the picture, on 1/8 and 1/16 of its grid."""
    mouth: Tensor
    """(n, 1, h, w) realness of the window around the mouth."""
    eyes: Tensor
    """(2 n, 1, h, w) of those around the eyes, all left ones first."""
    aus_NK: Tensor
    """Action units /5 that the face shows."""
    features: list[Tensor]
    """Of the face, the mouth and the eyes, for comparing pictures by."""


class LiveDiscriminator(nn.Module):
    """Looks at the whole face coarsely, and at mouth and eyes closely: teeth and lashes are small."""

    def __init__(self, shape: LiveShape = LiveShape()):
        super().__init__()
        first, second, third = shape.critic
        self.stem = nn.Conv2d(3 * _UNSHUFFLE**2, first, 3, 1, 1)
        self.down1 = nn.Conv2d(first, second, 4, 2, 1)
        self.down2 = nn.Conv2d(second, third, 4, 2, 1)
        self.context = nn.Conv2d(third, third, 3, 1, 1)
        self.down3 = nn.Conv2d(third, third, 4, 2, 1)
        self.detail = nn.Conv2d(second, 1, 3, 1, 1)
        self.patch = nn.Conv2d(third, 1, 3, 1, 1)
        self.aus = nn.Linear(2 * third, AU_COUNT)
        self.mouth = Closely(shape.critic)
        self.eye = Closely(shape.critic)

    def forward(self, image_N3HW: Tensor, centres_N32: Tensor) -> Judgement:
        """centres_N32: whole pixels (x, y) of the middle of the mouth, of the left and of the right eye."""
        at64 = F.leaky_relu(self.stem(F.pixel_unshuffle(image_N3HW, _UNSHUFFLE)), 0.1)
        at32 = F.leaky_relu(self.down1(at64), 0.1)
        at16 = F.leaky_relu(self.context(F.leaky_relu(self.down2(at32), 0.1)), 0.1)
        at8 = F.leaky_relu(self.down3(at16), 0.1)
        pooled = torch.cat([at8.mean((2, 3)), at8.amax((2, 3))], 1)
        mouth, mouth_features = self.mouth(window(image_N3HW, centres_N32[:, 0], MOUTH_WINDOW))
        left, right = (window(image_N3HW, centres_N32[:, eye], EYE_WINDOW) for eye in (1, 2))
        eyes, eye_features = self.eye(torch.cat([left, right.flip(3)]))
        return Judgement(
            [self.detail(at32), self.patch(at16)],
            mouth,
            eyes,
            self.aus(pooled),
            [at32, at16, *mouth_features, *eye_features],
        )


class Closely(nn.Module):
    """A patch discriminator for a small window at full resolution."""

    def __init__(self, channels: tuple[int, int, int]):
        super().__init__()
        widths = (3, *channels)
        self.down = nn.ModuleList(nn.Conv2d(inside, outside, 4, 2, 1) for inside, outside in pairwise(widths))
        self.patch = nn.Conv2d(channels[-1], 1, 3, 1, 1)

    def forward(self, x_NCHW: Tensor) -> tuple[Tensor, list[Tensor]]:
        """The map of realness, and the features that led to it."""
        features = []
        for down in self.down:
            x_NCHW = F.leaky_relu(down(x_NCHW), 0.1)
            features.append(x_NCHW)
        return self.patch(x_NCHW), features


def window(image_NCHW: Tensor, centres_N2: Tensor, size: tuple[int, int]) -> Tensor:
    """(n, c, height, width) of `size`, around centres (x, y) in whole pixels; it stays inside the picture."""
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
