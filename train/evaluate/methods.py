"""The methods that are compared; each is a callable that changes a face in a picture."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from calib.au import AUVector, as_vector, bilateral
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
"""A function from (frame, face, change, measured) to the changed picture, of the frame's size. change: (17,)
or (AU_COUNT,) the relative action units for both sides; measured: the intensities before."""


@dataclass(frozen=True)
class MethodSpec:
    """The description of a method, small enough to send to another process."""

    name: str
    """The name in tables."""
    generator: str | None
    """One of reenact.generate.GENERATORS. None: the picture is returned unchanged."""
    model: Path | None = None
    """The generator's ONNX file. None: it needs none, or uses the one that ships."""
    without: frozenset[str] = frozenset()
    """The painters, of reenact.generate.generator.PAINTERS, that are left out."""


COPY, WARP = MethodSpec("copy", None), MethodSpec("warp", "warp")
BASELINES = (COPY, WARP)
"""The methods that are in every table."""


def method_specs(
    live: Path | None = None,
    paper: Path | None = None,
    paper_film: Path | None = None,
    ganimation: Path | None = None,
    *,
    parts: bool = True,
) -> tuple[MethodSpec, ...]:
    """Returns the baselines and the methods for which model files are given.

    parts: whether `live` is also evaluated without each of its parts.
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
    """Returns ablations of live; `warp` is live without its network, the last has neither that nor
    painters."""
    return [
        *(MethodSpec(f"live - {part}", "live", live, frozenset({part})) for part in PAINTERS),
        MethodSpec("live - all painters", "live", live, frozenset(PAINTERS)),
        MethodSpec("warp - all painters", "warp", None, frozenset(PAINTERS)),
    ]


@contextmanager
def open_method(spec: MethodSpec) -> Iterator[Method]:
    """Opens a method. Raises EngineError or ModelError for a model that cannot be used."""
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
    """Returns the method that generates, then pastes, as at run time."""

    def method(frame: Frame, face: Face, change: AUVector, measured: AUVector) -> Picture:
        asked = Retargeted(
            frame, (face,), aus=(as_vector(measured),), changes=(bilateral(as_vector(change)),)
        )
        return paste(generator(asked)).image

    return method


def open_without(generator: str, model: Path | None, without: frozenset[str]) -> FaceGenerator:
    """Opens `warp` or `live` without these painters."""
    painters = PAINTERS.keys() - without
    if generator == "warp":
        return FaceGenerator(MovedFace(load_basis(), painters=painters))
    assert model is not None
    engine = load_engine(model)
    network = Refinement({REGIONS[model_info(model, contract="live").region]: engine})
    return FaceGenerator(MovedFace(load_basis(), painters=painters), (engine,), paint=network)
