"""A stack of large convolutions that shows how fast a runtime computes at best."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from engines.engine import Tensors
from engines.onnx_file import metadata, model, node, tensor, value_info

CHANNELS = (16, 256, 256, 256, 256, 16)
"""The channels of the stack's input, between its layers, and of its output. There are few at both ends, so
that copies to a GPU and back do not count."""
SIDE = 64
"""The width and height of the maps in pixels."""


@dataclass(frozen=True, eq=False)
class Ceiling:
    """A stack of convolutions, its inputs and its operations."""

    model: bytes
    """The content of an ONNX file."""
    inputs: Tensors
    """The inputs of one run."""
    macs: int
    """The multiply-accumulate operations of one run."""


def convolutions(channels: tuple[int, ...] = CHANNELS, side: int = SIDE) -> Ceiling:
    """Builds 3 x 3 convolutions in sequence, whose weights keep the magnitude of the maps."""
    random = np.random.default_rng(0)
    shapes = [(into, out_of, 3, 3) for out_of, into in pairwise(channels)]
    weights = [random.normal(0, (9 * shape[1]) ** -0.5, shape).astype(np.float32) for shape in shapes]
    count, picture = len(weights), (side, side)
    convolutions_only = model(
        [node("Conv", [f"x{i}", f"w{i}"], [f"x{i + 1}"], pads=[1] * 4) for i in range(count)],
        inputs=[value_info("x0", (1, channels[0], *picture))],
        outputs=[value_info(f"x{count}", (1, channels[-1], *picture))],
        weights=[tensor(f"w{i}", weight) for i, weight in enumerate(weights)],
    )
    content = convolutions_only + metadata({"preset": "convolutions"})
    inputs = {"x0": random.normal(0, 1, (1, channels[0], *picture)).astype(np.float32)}
    return Ceiling(content, inputs, sum(weight.size for weight in weights) * side * side)
