"""The ways to change a face that are compared: each is a callable from one picture to another."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from calib.au import AUVector, bilateral
from calib.basis import load_basis
from engines import load_engine
from reenact.generate import FaceGenerator, Generator, open_generator
from reenact.generate.generator import PAINTERS, MovedFace
from reenact.generate.network.contract import model_info
from reenact.generate.network.network_regions import REGIONS
from reenact.generate.network.refine import Refinement
from reenact.generate.paste import paste
from reenact.records import Face, Frame, Retargeted

Picture: TypeAlias = NDArray[np.uint8]
"""(height, width, 3) RGB."""
Method: TypeAlias = Callable[[Frame, Face, AUVector, AUVector], Picture]
"""(frame, face, change asked for of both sides, action units measured), each of the latter (17,), to the
changed picture, of the frame's size."""


@dataclass(frozen=True)
class MethodSpec:
    """What to open; small, so that it can be sent to another process."""

    name: str
    """In tables."""
    generator: str | None
    """One of reenact.generate.GENERATORS; None gives the picture back as it is."""
    model: Path | None = None
    """The generator's ONNX file."""
    without: frozenset[str] = frozenset()
    """Of reenact.generate.generator.PAINTERS."""


COPY, WARP = MethodSpec("copy", None), MethodSpec("warp", "warp")
BASELINES = (COPY, WARP)
"""In every table."""


def method_specs(
    live: Path | None = None,
    paper: Path | None = None,
    paper_film: Path | None = None,
    ganimation: Path | None = None,
    *,
    parts: bool = True,
) -> tuple[MethodSpec, ...]:
    """The baselines, and what the model files given allow.

    parts: live once more without each of its parts.
    """
    specs = list(BASELINES)
    if live is not None:
        specs += [MethodSpec("live", "live", live), *(_ablations(live) if parts else [])]
    for name, generator, model in (
        ("paper", "paper", paper),
        ("paper-film", "paper", paper_film),
        ("ganimation", "ganimation", ganimation),
    ):
        if model is not None:
            specs.append(MethodSpec(name, generator, model))
    return tuple(specs)


def _ablations(live: Path) -> list[MethodSpec]:
    """`warp` is live without its network; the last of these has neither network nor painters."""
    return [
        *(MethodSpec(f"live - {part}", "live", live, frozenset({part})) for part in PAINTERS),
        MethodSpec("live - all painters", "live", live, frozenset(PAINTERS)),
        MethodSpec("warp - all painters", "warp", None, frozenset(PAINTERS)),
    ]


@contextmanager
def open_method(spec: MethodSpec) -> Iterator[Method]:
    """The method, until the block ends. Raises EngineError or ModelError for a model that cannot be used."""
    if spec.generator is None:
        yield lambda frame, face, change, measured: frame.image
        return
    opened = (
        open_without(spec.generator, spec.model, spec.without)
        if spec.without
        else open_generator(spec.generator, spec.model)
    )
    with opened as generator:
        yield _through_the_loop(generator)


def _through_the_loop(generator: Generator) -> Method:
    """As at run time: generate, then paste."""

    def method(frame: Frame, face: Face, change: AUVector, measured: AUVector) -> Picture:
        asked = Retargeted(frame, (face,), aus=(measured,), changes=(bilateral(change),))
        return paste(generator(asked)).image

    return method


def open_without(generator: str, model: Path | None, without: frozenset[str]) -> FaceGenerator:
    """`warp` or `live` without the painters named."""
    painters = PAINTERS.keys() - without
    if generator == "warp":
        return FaceGenerator(MovedFace(load_basis(), painters=painters))
    assert model is not None
    engine = load_engine(model)
    network = Refinement({REGIONS[model_info(model, contract="live").region]: engine})
    return FaceGenerator(MovedFace(load_basis(), painters=painters), (engine,), paint=network)
