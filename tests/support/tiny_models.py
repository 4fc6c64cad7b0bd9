"""Models of a few nodes that a generator can open."""

from __future__ import annotations

from engines.description import describe
from engines.onnx_file import UINT8, metadata, model, node, value_info
from reenact.generate.geometry.face_crop import FaceCrop
from reenact.generate.network.contract import WHOLE_FACE, ModelInfo, to_metadata
from reenact.generate.network.network_regions import PLANES, REGIONS

MOUTH = REGIONS["mouth"]
CROP = FaceCrop()


def info(contract: str, crop: FaceCrop | None = None) -> ModelInfo:
    """crop: by default that of the mouth for `live`, and CROP for the others."""
    region = MOUTH.name if contract == "live" else WHOLE_FACE
    crop = crop or (MOUTH.crop if contract == "live" else CROP)
    return ModelInfo(
        contract, crop, preset="tiny", licence="none", made_by="0", weights_sha256="0", region=region
    )


def described(content: bytes, contract: str, crop: FaceCrop | None = None, /, **changed: str) -> bytes:
    """The model's content with what it says of itself; `changed` entries may be lies."""
    return content + metadata(to_metadata(info(contract, crop), describe(content).graph_sha256) | changed)


def blackener() -> bytes:
    """For the mouth of `live`: paints black wherever the mask's first channel, the opening, is not 0."""
    crop = ("faces", MOUTH.height_px, MOUTH.width_px)
    return model(
        nodes=[
            node("CastLike", ["mask", "geometry"], ["masks"]),
            node("Split", ["masks"], ["inside", "allowed"], axis=3),
            node("Sign", ["inside"], ["alpha"]),
            node("CastLike", ["warped", "geometry"], ["seen"]),
            node("Sub", ["seen", "seen"], ["colour"]),
        ],
        inputs=[
            value_info("warped", (*crop, 3), UINT8),
            value_info("mask", (*crop, 2), UINT8),
            value_info("geometry", (*crop, PLANES)),
        ],
        outputs=[value_info("alpha", (*crop, 1)), value_info("colour", (*crop, 3))],
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
