"""The run-time's generator with some of its painters left out, to see what each is good for."""

from __future__ import annotations

from pathlib import Path

from calib.basis import load_basis
from engines import load_engine
from reenact.generate import FaceGenerator
from reenact.generate.contract import model_info
from reenact.generate.generator import PAINTERS, MovedFace
from reenact.generate.refine import Refinement
from reenact.generate.regions import REGIONS


def open_without(generator: str, model: Path | None, without: frozenset[str]) -> FaceGenerator:
    """`warp` or `live` without the painters named."""
    painters = PAINTERS.keys() - without
    if generator == "warp":
        return FaceGenerator(MovedFace(load_basis(), painters=painters))
    assert model is not None
    engine = load_engine(model)
    network = Refinement({REGIONS[model_info(model, contract="live").region]: engine})
    return FaceGenerator(MovedFace(load_basis(), painters=painters), (engine,), paint=network)
