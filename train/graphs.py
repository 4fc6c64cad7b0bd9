"""Conversion between the frame loop's arrays and the networks' tensors, inside the exported graph.

There is one module for each contract of reenact.generate.network.contract; the networks need none of it.
N: pictures, H, W: height and width, K: action units, P: planes of geometry.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn


class LiveGraph(nn.Module):
    """A region's network, which returns alpha and colour for its crop."""

    inputs = ("warped", "mask", "geometry")
    outputs = ("alpha", "colour")

    def __init__(self, network: nn.Module, dtype: torch.dtype):
        super().__init__()
        self.network = network
        self.dtype = dtype

    def forward(self, warped_NHW3: Tensor, mask_NHW2: Tensor, geometry_NHWP: Tensor) -> tuple[Tensor, Tensor]:
        mask_N2HW = (_cast(mask_NHW2) / 255).to(self.dtype)
        geometry_NPHW = geometry_NHWP.permute(0, 3, 1, 2).to(self.dtype)
        alpha_N1HW, colour_N3HW = self.network(_seen(warped_NHW3, self.dtype), mask_N2HW, geometry_NPHW)
        return alpha_N1HW.permute(0, 2, 3, 1).float(), _shown(colour_N3HW)


class PaperGraph(nn.Module):
    """A network that turns a picture and relative action units into the whole new picture."""

    inputs = ("image", "relative_aus")
    outputs = ("edited",)

    def __init__(self, network: nn.Module, dtype: torch.dtype):
        super().__init__()
        self.network = network
        self.dtype = dtype

    def forward(self, image_NHW3: Tensor, relative_aus_NK: Tensor) -> Tensor:
        return _shown(self.network(_seen(image_NHW3, self.dtype), relative_aus_NK.to(self.dtype)))


class GanimationGraph(nn.Module):
    """A network that turns a picture and absolute action units into attention, as alpha, and colour."""

    inputs = ("image", "aus")
    outputs = ("alpha", "colour")

    def __init__(self, network: nn.Module, dtype: torch.dtype):
        super().__init__()
        self.network = network
        self.dtype = dtype

    def forward(self, image_NHW3: Tensor, aus_NK: Tensor) -> tuple[Tensor, Tensor]:
        attention_N1HW, colour_N3HW = self.network(_seen(image_NHW3, self.dtype), aus_NK.to(self.dtype))
        return attention_N1HW.permute(0, 2, 3, 1).float(), _shown(colour_N3HW)


Graph = LiveGraph | PaperGraph | GanimationGraph
GRAPHS: Mapping[str, Callable[[nn.Module, torch.dtype], Graph]] = {
    "live": LiveGraph,
    "paper": PaperGraph,
    "ganimation": GanimationGraph,
}
"""The graphs by contract; each is called with the network and the type that it computes in."""


def _seen(image_NHW3: Tensor, dtype: torch.dtype) -> Tensor:
    """Converts 0..255 to -1..1."""
    return (_cast(image_NHW3) / 127.5 - 1).to(dtype)


def _cast(bytes_NHWC: Tensor) -> Tensor:
    """Converts to float32, then to NCHW; in this order because TensorRT accepts uint8 only in a cast."""
    return bytes_NHWC.float().permute(0, 3, 1, 2)


def _shown(image_N3HW: Tensor) -> Tensor:
    """Converts -1..1 to 0..255."""
    return (image_N3HW.permute(0, 2, 3, 1).float() + 1) * 127.5
