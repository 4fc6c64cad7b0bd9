"""A stack of large convolutions, which a runtime computes as fast as it computes anything."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from engines.engine import Tensors
from engines.onnx_file import metadata, model, node, tensor, value_info

CHANNELS = (16, 256, 256, 256, 256, 16)
"""Of the stack's input, between its layers and of its output. Few at the ends, so that copying them to a GPU
and back does not count."""
SIDE = 64
"""Of the square pictures, all along."""


@dataclass(frozen=True, eq=False)
class Ceiling:
    model: bytes
    """The content of an ONNX file."""
    inputs: Tensors
    macs: int
    """Multiplications with an addition for one run."""


def convolutions(channels: tuple[int, ...] = CHANNELS, side: int = SIDE) -> Ceiling:
    """3 x 3 convolutions, one after the other, with weights that keep the size of what goes through."""
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
