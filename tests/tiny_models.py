"""Models of a few nodes that a generator can open."""

from __future__ import annotations

from engines.description import describe
from engines.onnx_file import UINT8, metadata, model, node, value_info
from reenact.generate.crop import FaceCrop
from reenact.generate.contract import ModelInfo, to_metadata

CROP = FaceCrop()


def info(contract: str, crop: FaceCrop = CROP) -> ModelInfo:
    return ModelInfo(contract, crop, preset="tiny", licence="none", made_by="0", weights_sha256="0")


def described(content: bytes, contract: str, crop: FaceCrop = CROP, /, **changed: str) -> bytes:
    """The model's content with what it says of itself; `changed` entries may be lies."""
    return content + metadata(to_metadata(info(contract, crop), describe(content).graph_sha256) | changed)


def blackener(gate: int = 0) -> bytes:
    """For `live`: paints black wherever the mask's first channel (mouth and eyes; 1: the gate) is not 0."""
    square = ("faces", 256, 256)
    return model(
        nodes=[
            node("CastLike", ["mask", "relative_aus"], ["inside"]),
            node("Split", ["inside"], ["openings", "gate"], axis=3),
            node("Sign", [("openings", "gate")[gate]], ["alpha"]),
            node("CastLike", ["warped", "relative_aus"], ["seen"]),
            node("Sub", ["seen", "seen"], ["colour"]),
        ],
        inputs=[
            value_info("warped", (*square, 3), UINT8),
            value_info("mask", (*square, 2), UINT8),
            value_info("relative_aus", ("faces", 17)),
        ],
        outputs=[value_info("alpha", (*square, 1)), value_info("colour", (*square, 3))],
        opset=15,
    )


def inverter(size: int) -> bytes:
    """For `paper`: the negative."""
    picture = ("faces", size, size, 3)
    return model(
        nodes=[
            node("BitwiseNot", ["image"], ["negative"]),
            node("CastLike", ["negative", "relative_aus"], ["edited"]),
        ],
        inputs=[value_info("image", picture, UINT8), value_info("relative_aus", ("faces", 17))],
        outputs=[value_info("edited", picture)],
        opset=18,
    )
