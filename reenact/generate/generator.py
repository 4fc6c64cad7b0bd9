"""Writes action units into every face: first geometry, then painters, then regional networks."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

from calib.au import AUVector, Change
from calib.basis import AUBasis, load_basis
from engines.engine import Engine
from reenact.generate.geometry.picture_window import window_around
from reenact.generate.geometry.warp import Warp, WarpOptions, warp
from reenact.generate.grey_picture import as_grey_as_frame
from reenact.generate.network.late_refinement import Effort, LateRefinement, Timed
from reenact.generate.network.network_regions import REGIONS, NetworkRegion
from reenact.generate.network.refine import Refinement
from reenact.generate.painters.creases import paint_creases
from reenact.generate.painters.eyeballs import paint_eyeballs
from reenact.generate.painters.lids import paint_lids
from reenact.generate.painters.lips import paint_lips
from reenact.generate.painters.mouth import (
    MouthMemory,
    MouthShape,
    SeenMouth,
    Teeth,
    on_visible_edges,
    paint_inside,
    see_mouth,
)
from reenact.generate.painters.mouth_corners import paint_corners
from reenact.generate.painters.skin import SkinMemory
from reenact.generate.painters.turned_eyes import paint_turned_eyes
from reenact.records import Face, Frame, Generated, Patch, Retargeted

READY = ("warp", "live")
"""The names of generators that need no model file from the user."""
GENERATORS = (*READY, "paper", "ganimation")
"""The names of all generators."""
SHIPPED = Path(__file__).parent / "network"
"""The folder of the regional networks' weights, REGION.onnx."""


class Generator(Protocol):
    """A stage that makes patches for faces, and a context manager that frees the resources of its runtime."""

    @property
    def notes(self) -> tuple[str, ...]:
        """Remarks for the user on how it will work, one line each."""

    @property
    def steps(self) -> Mapping[str, Callable[[Any], Generated]]:
        """The steps of a call by name and in order; while one frame is in the second step, the next frame may
        be in the first."""

    def __call__(self, retargeted: Retargeted) -> Generated: ...

    def __enter__(self) -> Generator: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...


Painter = Callable[[Frame, Face, Change, Warp, "KnownFace"], Warp]
"""A function that paints over the warp of a face in a frame; the change (2, AU_COUNT) is what the warp
shows."""

PAINTERS: Mapping[str, Painter] = {
    "mouth": lambda frame, face, change, warp, known: paint_inside(
        frame, face, warp, known.seen, known.teeth
    ),
    "lips": lambda frame, face, change, warp, known: paint_corners(face, paint_lips(frame, face, warp)),
    "lids": lambda frame, face, change, warp, known: paint_lids(
        frame, face, paint_turned_eyes(frame, face, paint_eyeballs(frame, face, warp))
    ),
    "creases": lambda frame, face, change, warp, known: paint_creases(
        face, change, warp, remembered=partial(known.skin, face.track_id, float(frame.pts))
    ),
}
"""The painters by name, in the order in which they paint where moving pixels is not enough."""


@dataclass(frozen=True, eq=False)
class KnownFace:
    """What painters know of a face beyond its landmarks."""

    seen: SeenMouth | None = None
    """The inside of its mouth that the frame shows. None: the lips are closed."""
    teeth: Teeth | None = None
    """The teeth that are drawn where the frame shows none. None: likely ones for this face."""
    skin: SkinMemory = field(default_factory=SkinMemory)
    """The skin of faces in earlier frames."""


def look_at_mouth(frame: Frame, face: Face) -> tuple[Face, KnownFace]:
    """The face with the landmarks of its lips on their visible edges, and the mouth that the frame shows."""
    seen = see_mouth(frame, face)
    return (face if seen is None else on_visible_edges(face, seen)), KnownFace(seen)


def paint_by_rule(
    frame: Frame,
    face: Face,
    change: Change,
    moved: Warp,
    known: KnownFace,
    painters: Collection[str] = PAINTERS,
) -> Warp:
    """`moved`, painted by the PAINTERS of these names."""
    for name, paint in PAINTERS.items():
        if name in painters:
            moved = paint(frame, face, change, moved, known)
    return moved


class MakePatch(Protocol):
    """Makes the new pixels of one face; generators differ only in this."""

    def __call__(self, frame: Frame, face: Face, aus: AUVector, change: Change) -> Patch | None:
        """The patch of a face. None: no pixel changes.

        aus: (AU_COUNT,) the intensities that the face shows, 0..5. change: (2, AU_COUNT) the relative action
        units to write, not all zeros.
        """


class PaintPatch(Protocol):
    """Paints over a face that has been moved."""

    def __call__(self, frame: Frame, face: Face, change: Change, warp: Warp) -> Warp:
        """`warp` with paint over it. change: (2, AU_COUNT) the relative action units that it shows."""


def _unwatched(frame: Frame, face: Face) -> None:
    """The default of `watch`, which does nothing."""


class FaceGenerator:
    """Makes a patch for every face whose action units change."""

    def __init__(
        self,
        make_patch: MakePatch,
        engines: Sequence[Engine] = (),
        notes: tuple[str, ...] = (),
        paint: PaintPatch | None = None,
        afterwards: Callable[[], None] | None = None,
        watch: Callable[[Frame, Face], None] = _unwatched,
    ):
        """make_patch: makes the patch of one face.
        engines: the engines of `make_patch` or `paint`, which are closed with the generator.
        notes: remarks for the user.
        paint: a second step after `make_patch`, which must then make warps. None: there is no second step.
        afterwards: does work that `paint` has postponed until the frame is shown. None: it postpones none.
        watch: called with the faces that do not change."""
        self._watch = watch
        self._make_patch = make_patch
        self._paint = paint
        self.afterwards = afterwards
        self._engines = engines
        self._resources = ExitStack()
        self.notes = notes

    @property
    def steps(self) -> Mapping[str, Callable[[Any], Generated]]:
        """The step `generate`, and the step `appearance` where there is a `paint`."""
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
            made = patch and window.outwards(patch)
            return made if made is None or self._paint is not None else as_grey_as_frame(frame, made)
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
        painted = self._paint(window.frame, window.face, change, window.inwards(warp))
        return as_grey_as_frame(frame, window.warp_outwards(painted))

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
    """Moves the pixels of a face (reenact.generate.geometry), then paints mouth, lips, lids and creases."""

    def __init__(
        self,
        basis: AUBasis,
        options: WarpOptions = WarpOptions(),
        painters: Collection[str] = PAINTERS,
        memory: MouthMemory | None = None,
    ):
        """basis: the displacements of landmarks for action units. painters: the names of those that paint.
        memory: the teeth that earlier frames have shown. None: every frame is painted by itself."""
        self._basis = basis
        self._options = options
        self._painters = painters
        self._memory = memory
        self._skin = SkinMemory()

    def __call__(self, frame: Frame, face: Face, aus: AUVector, change: Change) -> Warp | None:
        face, known = look_at_mouth(frame, face)
        moved = warp(frame, face, change, self._basis, self._options)
        if self._memory is not None:
            shape = MouthShape.of(face, face.landmarks if moved is None else moved.moved)
            known = replace(known, teeth=self._memory(frame, face, known.seen, shape))
        if moved is None:
            return None
        known = replace(known, skin=self._skin)
        return paint_by_rule(frame, face, change, moved, known, self._painters)

    def watch(self, frame: Frame, face: Face) -> None:
        """Learns the teeth of a face that does not change."""
        if self._memory is not None:
            self._memory.watch(frame, face)


def open_generator(
    name: str,
    model: Path | None = None,
    engine: str = "auto",
    options: WarpOptions = WarpOptions(),
    threads: int | None = None,
    effort: Callable[[Frame], Effort] | None = None,
    memory: MouthMemory | None = None,
    timed: Timed | None = None,
) -> FaceGenerator:
    """The generator of this name.

    name: `warp` (geometry and painters), `live` (the same, refined by regional networks), or `paper` and
    `ganimation` (a network that paints the whole crop without geometry, for comparison).
    model: the ONNX file of a network; with `live` it is that of one region, and other regions have none.
    None: the networks that ship with the project, which only `live` has. engine: the name of an engine, or
    auto. options: how pixels are moved. threads: the number of threads of each network. None: as many as
    finish a single face soonest. effort: returns, for every face, how much work the networks of `live` do
    before the frame is shown. None: all of it. Only with it does the generator postpone work to `afterwards`.
    memory: the teeth that earlier frames have shown. None: every frame is painted by itself.
    timed: called, where there is an `effort`, with the time of the networks' work. None: nobody is told.

    Raises ValueError for an unknown name, ModelError for a model that is missing or belongs to another
    generator, and engines.EngineError for a model that cannot be opened.
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
    if effort is None:
        return FaceGenerator(moved, opened, notes, refinement, watch=moved.watch)
    late = LateRefinement(refinement, effort, timed) if timed else LateRefinement(refinement, effort)
    return FaceGenerator(moved, opened, notes, late, late.afterwards, moved.watch)


def shipped_models() -> tuple[Path, ...]:
    """The ONNX files of the regional networks that ship with the project."""
    return tuple(path for name in REGIONS if (path := SHIPPED / f"{name}.onnx").exists())


def _open_regions(model: Path | None, engine: str, threads: int | None) -> dict[NetworkRegion, Engine]:
    """The networks of `live` by region: the one at `model`, or those that ship with the project."""
    models = shipped_models() if model is None else (model,)
    if not models:
        return {}
    # Imported here, so that a generator without networks never loads an inference runtime.
    from engines import load_engine
    from reenact.generate.network.contract import model_info

    infos = [model_info(each, contract="live") for each in models]
    return {
        REGIONS[info.region]: load_engine(each, engine, threads=threads)
        for info, each in zip(infos, models, strict=True)
    }


def _open_full(name: str, model: Path | None, engine: str, threads: int | None) -> FaceGenerator:
    # Imported here, so that a generator without networks never loads an inference runtime.
    from engines import load_engine
    from reenact.generate.network.contract import ModelError, model_info
    from reenact.generate.network.whole_face import RepaintedFace

    if model is None:
        raise ModelError(f"generator {name!r} has no weights of its own; give them as --model {name}.onnx")
    info = model_info(model, contract=name)
    opened = load_engine(model, engine, threads=threads)
    repainted = RepaintedFace(opened, info.crop, absolute=name == "ganimation")
    return FaceGenerator(repainted, (opened,), opened.notes)
