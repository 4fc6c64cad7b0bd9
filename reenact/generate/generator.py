"""Write the asked action units into every face: geometry first, then painters, then regional networks."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

from calib.au import AUVector, Change
from calib.basis import AUBasis, load_basis
from engines.engine import Engine
from reenact.generate.geometry.picture_window import window_around
from reenact.generate.geometry.warp import Warp, WarpOptions, warp
from reenact.generate.network.deferred import Care, LateRefinement
from reenact.generate.network.refine import Refinement
from reenact.generate.network.regions import REGIONS, Region
from reenact.generate.painters.creases import paint_creases
from reenact.generate.painters.eyeballs import paint_eyeballs
from reenact.generate.painters.lids import paint_lids
from reenact.generate.painters.lips import paint_lips
from reenact.generate.painters.mouth import (
    MouthMemory,
    SeenMouth,
    Shape,
    Teeth,
    on_visible_edges,
    paint_inside,
    see_mouth,
)
from reenact.generate.painters.mouth_corners import heal_corners
from reenact.records import Face, Frame, Generated, Patch, Retargeted

READY = ("warp", "live")
"""Generators that need no model file of the user's."""
GENERATORS = (*READY, "paper", "ganimation")
SHIPPED = Path(__file__).parent / "network"
"""Where the regional networks' weights lie, as REGION.onnx."""


class Generator(Protocol):
    """A stage, and a context manager that frees what its runtime holds."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know about how it will work, one plain line each."""

    @property
    def steps(self) -> Mapping[str, Callable[[Any], Generated]]:
        """What a call does, step by step, under their names: while a frame is in the second, the next may be
        in the first."""

    def __call__(self, retargeted: Retargeted) -> Generated: ...

    def __enter__(self) -> Generator: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...


Painter = Callable[[Frame, Face, Change, Warp, "Mouth"], Warp]

PAINTERS: Mapping[str, Painter] = {
    "mouth": lambda frame, face, change, warp, mouth: paint_inside(
        frame, face, warp, mouth.seen, mouth.teeth
    ),
    "lips": lambda frame, face, change, warp, mouth: heal_corners(face, paint_lips(frame, face, warp)),
    "lids": lambda frame, face, change, warp, mouth: paint_lids(
        frame, face, paint_eyeballs(frame, face, warp)
    ),
    "creases": lambda frame, face, change, warp, mouth: paint_creases(face, change, warp),
}
"""What paints over what the warp uncovered, squeezed or cannot fold, in this order."""


@dataclass(frozen=True, eq=False)
class Mouth:
    """What is known of the inside of a face's mouth."""

    seen: SeenMouth | None = None
    """What the frame shows of it; None: the lips are shut."""
    teeth: Teeth | None = None
    """What is drawn where the frame shows none; None: likely ones."""


def look_at_mouth(frame: Frame, face: Face) -> tuple[Face, Mouth]:
    """What a frame shows of the mouth, and the face with its lips' landmarks where their edges are seen."""
    seen = see_mouth(frame, face)
    return (face if seen is None else on_visible_edges(face, seen)), Mouth(seen)


def paint_by_rule(
    frame: Frame,
    face: Face,
    change: Change,
    moved: Warp,
    mouth: Mouth,
    painters: Collection[str] = PAINTERS,
) -> Warp:
    """`moved` as the PAINTERS named leave it."""
    for name, paint in PAINTERS.items():
        if name in painters:
            moved = paint(frame, face, change, moved, mouth)
    return moved


class MakePatch(Protocol):
    """What differs between generators: new pixels for one face."""

    def __call__(self, frame: Frame, face: Face, aus: AUVector, change: Change) -> Patch | None:
        """aus: (17,) what the face shows, 0..5; change: (2, 17) what is to be added to it, not all zeros."""


class PaintPatch(Protocol):
    """What paints over a face that has been moved."""

    def __call__(self, frame: Frame, face: Face, change: Change, warp: Warp) -> Warp: ...


def _unwatched(frame: Frame, face: Face) -> None:
    """Nobody learns from faces that are not to change."""


class FaceGenerator:
    """A patch for every face whose action units are to change; none for the others."""

    def __init__(
        self,
        make_patch: MakePatch,
        engines: Sequence[Engine] = (),
        notes: tuple[str, ...] = (),
        paint: PaintPatch | None = None,
        afterwards: Callable[[], None] | None = None,
        watch: Callable[[Frame, Face], None] = _unwatched,
    ):
        """engines: what `make_patch` or `paint` run on, closed when the generator is left.
        paint: a step of its own after `make_patch`, which then makes warps.
        afterwards: what `paint` has left for when the frame is out; None where it never does.
        watch: is shown the faces that are not to change."""
        self._watch = watch
        self._make_patch = make_patch
        self._paint = paint
        self.afterwards = afterwards
        self._engines = engines
        self._resources = ExitStack()
        self.notes = notes

    @property
    def steps(self) -> Mapping[str, Callable[[Any], Generated]]:
        painting = {} if self._paint is None else {"appearance": self._painted}
        return {"generate": self._made, **painting}

    def __call__(self, retargeted: Retargeted) -> Generated:
        generated = self._made(retargeted)
        return generated if self._paint is None else self._painted(generated)

    def _made(self, retargeted: Retargeted) -> Generated:
        faces = zip(retargeted.faces, retargeted.aus, retargeted.changes, strict=True)
        patches = tuple(self._patch(retargeted.frame, face, aus, change) for face, aus, change in faces)
        return Generated(**vars(retargeted), patches=patches)

    def _patch(self, frame: Frame, face: Face, aus: AUVector, change: Change) -> Patch | None:
        window = window_around(frame, face)
        if change.any():
            patch = self._make_patch(window.frame, window.face, aus, change)
            return patch and window.outwards(patch)
        self._watch(window.frame, window.face)
        return None

    def _painted(self, generated: Generated) -> Generated:
        faces = zip(generated.faces, generated.changes, generated.patches, strict=True)
        patches = tuple(
            self._painted_face(generated.frame, face, change, warp) if isinstance(warp, Warp) else warp
            for face, change, warp in faces
        )
        return replace(generated, patches=patches)

    def _painted_face(self, frame: Frame, face: Face, change: Change, warp: Warp) -> Warp:
        assert self._paint is not None
        window = window_around(frame, face)
        return window.warp_outwards(self._paint(window.frame, window.face, change, window.inwards(warp)))

    def __enter__(self) -> FaceGenerator:
        for engine in self._engines:
            self._resources.enter_context(engine)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._resources.close()


class MovedFace:
    """Moves a face's pixels (reenact.generate.geometry), then paints mouth, lips, lids and creases."""

    def __init__(
        self,
        basis: AUBasis,
        options: WarpOptions = WarpOptions(),
        painters: Collection[str] = PAINTERS,
        memory: MouthMemory | None = None,
    ):
        """memory: of the mouths that the frames have shown; None: every frame is looked at by itself."""
        self._basis = basis
        self._options = options
        self._painters = painters
        self._memory = memory

    def __call__(self, frame: Frame, face: Face, aus: AUVector, change: Change) -> Warp | None:
        face, mouth = look_at_mouth(frame, face)
        moved = warp(frame, face, change, self._basis, self._options)
        if self._memory is not None:
            shape = Shape.of(face, face.landmarks if moved is None else moved.moved)
            mouth = replace(mouth, teeth=self._memory(frame, face, mouth.seen, shape))
        if moved is None:
            return None
        return paint_by_rule(frame, face, change, moved, mouth, self._painters)

    def watch(self, frame: Frame, face: Face) -> None:
        """Learns from a face that is not to change."""
        if self._memory is not None:
            self._memory.watch(frame, face)


def open_generator(
    name: str,
    model: Path | None = None,
    engine: str = "auto",
    options: WarpOptions = WarpOptions(),
    threads: int | None = None,
    care: Callable[[], Care] | None = None,
    memory: MouthMemory | None = None,
) -> FaceGenerator:
    """The generator of this name: `warp` (geometry and painters), `live` (the same, refined by the regional
    networks that there are), or `paper` and `ganimation` (a network that paints the whole crop, without
    geometry; for comparison).

    model: a network's ONNX file; None: those that ship, which only `live` has. For `live` it is one region's,
    and the others have none. threads: of each network; None: as many as finish a single face soonest. care:
    asked for every face, where latency counts; only networks of `live` heed it, and only with one the
    generator has something to do `afterwards`. memory: of what people's mouths have shown; None: every frame
    is looked at by itself.

    Raises ValueError for another name, ModelError for a model that is missing or another one's, and
    engines.EngineError for one that cannot be opened.
    """
    if name not in GENERATORS:
        raise ValueError(f"unknown generator {name!r}; choose from {', '.join(GENERATORS)}")
    if name not in READY:
        return _open_full(name, model, engine, threads)
    moved = MovedFace(load_basis(), options, memory=memory)
    engines = _open_regions(model, engine, threads) if name == "live" else {}
    if not engines:
        return FaceGenerator(moved, watch=moved.watch)
    opened, refinement = tuple(engines.values()), Refinement(engines)
    notes = tuple(dict.fromkeys(note for each in opened for note in each.notes))
    if care is None:
        return FaceGenerator(moved, opened, notes, refinement, watch=moved.watch)
    late = LateRefinement(refinement, care)
    return FaceGenerator(moved, opened, notes, late, late.afterwards, moved.watch)


def shipped_models() -> tuple[Path, ...]:
    """The regional networks that ship; those regions without one are left as the painters leave them."""
    return tuple(path for name in REGIONS if (path := SHIPPED / f"{name}.onnx").exists())


def _open_regions(model: Path | None, engine: str, threads: int | None) -> dict[Region, Engine]:
    """The networks of `live`, by region: the one at `model`, or those that ship."""
    models = shipped_models() if model is None else (model,)
    if not models:
        return {}
    # Here, so that a generator without networks never loads an inference runtime.
    from engines import load_engine
    from reenact.generate.network.contract import model_info

    infos = [model_info(each, contract="live") for each in models]
    return {
        REGIONS[info.region]: load_engine(each, engine, threads=threads)
        for info, each in zip(infos, models, strict=True)
    }


def _open_full(name: str, model: Path | None, engine: str, threads: int | None) -> FaceGenerator:
    # Here, so that a generator without networks never loads an inference runtime.
    from engines import load_engine
    from reenact.generate.network.contract import ModelError, model_info
    from reenact.generate.network.whole_face import RepaintedFace

    if model is None:
        raise ModelError(f"generator {name!r} ships without weights: give them as --model {name}.onnx")
    info = model_info(model, contract=name)
    opened = load_engine(model, engine, threads=threads)
    repainted = RepaintedFace(opened, info.crop, absolute=name == "ganimation")
    return FaceGenerator(repainted, (opened,), opened.notes)
