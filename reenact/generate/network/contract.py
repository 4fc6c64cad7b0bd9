"""The contracts between model files and the frame loop: their inputs, outputs and metadata.

`live` refines one region: `warped` (n, h, w, 3) uint8, `mask` (n, h, w, 2) uint8 and `geometry`
(n, h, w, 4) float32 to `alpha` (n, h, w, 1) float32, 0..1, and `colour` (n, h, w, 3) float32, 0..255; see
reenact.generate.network.refine. h and w are those of the region (reenact.generate.network.network_regions).
`paper` repaints the whole face: `image` (n, s, s, 3) uint8 and `relative_aus` to `edited` (n, s, s, 3)
float32, 0..255. `ganimation` repaints the whole face: `image` and `aus` (n, 17) float32, 0..1, what the face
should show, to `alpha` and `colour`.

Pictures are RGB, those of size s crops of a FaceCrop; relative action units are -1..1 (OpenFace's / 5).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from calib.au import OPENFACE_CODES
from engines import EngineError, read_model
from engines.description import describe
from reenact.generate.geometry.face_crop import FaceCrop
from reenact.generate.network.network_regions import REGIONS

CONTRACTS = ("live", "paper", "ganimation")
"""The names of the contracts."""
VERSION = 2
"""The version of the contracts, which increases when one of them changes."""
WHOLE_FACE = "face"
"""The region of models that repaint the whole face."""


class ModelError(ValueError):
    """This frame loop cannot use a model file; the message is one line."""


@dataclass(frozen=True)
class ModelInfo:
    """The metadata of a model."""

    contract: str
    """The name of its contract, one of CONTRACTS."""
    crop: FaceCrop
    """The crop that it takes."""
    preset: str
    """The preset with which it was trained."""
    licence: str
    """The licence of the weights."""
    made_by: str
    """The version of reenact that exported it."""
    weights_sha256: str
    """The SHA-256 of the weights, which is the same in the .safetensors beside it."""
    region: str = WHOLE_FACE
    """The region that it paints: one of network_regions.REGIONS with `live`, else WHOLE_FACE."""


def to_metadata(info: ModelInfo, graph_sha256: str) -> dict[str, str]:
    """The metadata to store in an ONNX file, which `model_info` reads."""
    return {
        "contract": info.contract,
        "contract_version": str(VERSION),
        "region": info.region,
        "preset": info.preset,
        "action_units": " ".join(OPENFACE_CODES),
        "size": str(info.crop.size),
        "crop_width_mm": repr(info.crop.width_mm),
        "crop_centre_mm": " ".join(map(repr, info.crop.centre_mm)),
        "licence": info.licence,
        "made_by": info.made_by,
        "weights_sha256": info.weights_sha256,
        "graph_sha256": graph_sha256,
    }


def model_info(model: Path, contract: str | None = None) -> ModelInfo:
    """The metadata of a model file, after checking that it is undamaged and fits the contract.

    contract: the name of the contract. None: any contract. Raises ModelError where the model does not fit,
    and engines.EngineError where it cannot be read.
    """
    content = read_model(model)
    try:
        description = describe(content)
    except EngineError as error:
        raise EngineError(f"{model} {error}") from error
    return _checked(description.metadata, description.graph_sha256, contract, model)


def _checked(metadata: Mapping[str, str], graph_sha256: str, contract: str | None, model: Path) -> ModelInfo:
    known = metadata.get("contract")
    if known not in CONTRACTS:
        raise ModelError(f"{model} has no metadata of a contract; make models with `python -m train export`")
    if contract not in (None, known):
        raise ModelError(f"{model} is a model for --generator {known}, not {contract}")
    if metadata.get("contract_version") != str(VERSION):
        raise ModelError(
            f"{model} has version {metadata.get('contract_version')} of the contract {known!r}, "
            f"this reenact needs version {VERSION}; export it again with this reenact"
        )
    if metadata.get("action_units") != " ".join(OPENFACE_CODES):
        raise ModelError(
            f"{model} takes the action units {metadata.get('action_units')}, not {' '.join(OPENFACE_CODES)}"
        )
    expected = metadata.get("graph_sha256", "")
    if expected != graph_sha256:
        raise ModelError(
            f"{model} is damaged: the SHA-256 of its graph is {graph_sha256[:12]}…, not {expected[:12]}…"
        )
    try:
        return _to_info(metadata)
    except (KeyError, ValueError) as error:
        raise ModelError(f"{model} lacks metadata ({error}); export it again") from error


def _to_info(metadata: Mapping[str, str]) -> ModelInfo:
    x, y, z = map(float, metadata["crop_centre_mm"].split())
    known = REGIONS if metadata["contract"] == "live" else (WHOLE_FACE,)
    if metadata["region"] not in known:
        raise ValueError(f"region {metadata['region']!r}")
    return ModelInfo(
        contract=metadata["contract"],
        crop=FaceCrop(int(metadata["size"]), float(metadata["crop_width_mm"]), (x, y, z)),
        preset=metadata["preset"],
        licence=metadata["licence"],
        made_by=metadata["made_by"],
        weights_sha256=metadata["weights_sha256"],
        region=metadata["region"],
    )
