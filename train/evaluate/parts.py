"""The run-time's generator with some of its painters left out, to see what each is good for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from calib.au import AUVector
from calib.basis import load_basis
from engines import load_engine
from reenact.generate import FaceGenerator
from reenact.generate.appearance import Appearance
from reenact.generate.contract import model_info
from reenact.generate.lids import paint_lids
from reenact.generate.lips import paint_lips
from reenact.generate.mouth import paint_mouth
from reenact.generate.warp import Warp, warp
from reenact.types import Face, Frame, Patch

Paint = Callable[[Frame, Face, Warp], Warp]

PARTS: Mapping[str, Paint] = {"mouth": paint_mouth, "lips": paint_lips, "lids": paint_lids}
"""In the run-time's order."""


def open_without(generator: str, model: Path | None, without: frozenset[str]) -> FaceGenerator:
    """`warp` or `live` without the parts named."""
    painters = [paint for name, paint in PARTS.items() if name not in without]
    if generator == "warp":
        return FaceGenerator(_PartlyPainted(painters, None))
    assert model is not None
    engine = load_engine(model)
    network = Appearance(engine, model_info(model, contract="live").crop)
    return FaceGenerator(_PartlyPainted(painters, network), engine)


@dataclass(frozen=True, eq=False)
class _PartlyPainted:
    painters: Sequence[Paint]
    network: Appearance | None

    def __call__(self, frame: Frame, face: Face, aus: AUVector, change: AUVector) -> Patch | None:
        moved = warp(frame, face, change, load_basis())
        if moved is None:
            return None
        for paint in self.painters:
            moved = paint(frame, face, moved)
        if self.network is not None:
            moved = self.network(frame, face, change, moved)
        return Patch(moved.image, moved.region[:2])
