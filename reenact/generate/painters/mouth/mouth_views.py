"""What a person's open mouth has looked like: the best view of each opening and yaw."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from calib.openings import MOUTH
from reenact.generate.painters.mouth.arch import PX_PER_MM, Arch, completeness, take_upper
from reenact.generate.painters.mouth.cavity import usual_dark
from reenact.generate.painters.mouth.covered_mouth import is_covered, light_below_lip
from reenact.generate.painters.mouth.dental_surface import bridge_mm
from reenact.generate.painters.mouth.mouth_floor import take_floor
from reenact.generate.painters.mouth.mouth_teeth import Teeth, likely_teeth, visible_edge
from reenact.generate.painters.mouth.seen_mouth import PX_PER_MM as SEEN_PX_PER_MM
from reenact.generate.painters.mouth.seen_mouth import SeenMouth, mouth_crop, on_visible_edges
from reenact.generate.painters.mouth.teeth_bank import load_teeth_bank
from reenact.generate.painters.mouth.teeth_light import ivory, redness, skin
from reenact.generate.painters.mouth.teeth_rows import joined, shift_between, shifted
from reenact.records import Face, Frame


@dataclass(frozen=True)
class ViewOptions:
    sure: float = 0.9
    """Teeth that are seen less surely than this, 0..1, are not remembered."""
    none: float = 0.1
    """A mouth in which they are seen less surely than this shows none. Between the two, nobody can tell."""
    dark_below_lip: float = 0.33
    """The most light below the upper lip, as a share of the skin's, of a mouth that shows none: dim teeth
    are easily missed."""
    confidence: float = 0.6
    """Faces of which the tracker is less sure, 0..1, are not looked at."""
    turned_rad: float = 0.5
    """Nor are faces that are turned or tilted farther than this."""
    complete: float = 0.7
    """The least share of the front upper teeth that a view must show, 0..1."""
    red: float = 1.0
    """The most redness of teeth, as a share of the skin's."""
    edges_mm: tuple[float, float] = (56.0, 67.5)
    """Distances from the bridge of the nose within which upper teeth end: 58.8 to 65.9 in five films. What is
    farther down are lower teeth."""
    least_crown_mm: float = 4.0
    """Height of the lowest band of upper teeth worth remembering."""
    least_mm: float = 4.0
    """Opening of the narrowest mouth worth remembering."""
    better: float = 1.2
    """How many times better a view must be to replace another ..."""
    overrules: float = 1.5
    """... and to be believed if its teeth are not those of the best one."""
    openings_mm: tuple[float, ...] = (6.0, 9.0, 12.0, 16.0, 22.0)
    """Where one bin of openings ends and the next begins. One view is kept of each bin ..."""
    turns_rad: tuple[float, ...] = (-0.2, 0.2)
    """... and yaw."""
    opening_scale_mm: float = 5.0
    """Difference of opening that counts as much, in the choice of a view, as one of ..."""
    yaw_scale_rad: float = 0.25
    """... yaw, and as one of ..."""
    width_scale_mm: float = 8.0
    """... the mouth's width."""
    alike_rad: float = 0.12
    """Difference of pose within which one view tells where another's teeth are ..."""
    unlike: float = 0.05
    """... and the weight of all others."""
    loyalty: float = 0.35
    """How much nearer another view must be than the one that is drawn before it takes its place."""


@dataclass(frozen=True)
class MouthShape:
    """How a mouth is open."""

    opening_mm: float
    """Gap between the lips in the middle."""
    width_mm: float
    """Distance between the corners."""
    yaw_rad: float
    """Of the head, and ..."""
    pitch_rad: float

    @classmethod
    def of(cls, face: Face, landmarks: NDArray[np.float32]) -> MouthShape:
        """That of `landmarks` (478, 3), which are those of `face` or where they have been moved to."""
        gap_px = float(MOUTH.gaps(landmarks, face.pose.down).max())
        width_px = float(np.linalg.norm(landmarks[MOUTH.upper[0]] - landmarks[MOUTH.upper[-1]]))
        scale = face.pose.scale
        pitch, yaw, _ = face.pose.angles
        return cls(gap_px / scale, width_px / scale, yaw, pitch)


@dataclass(frozen=True, eq=False)
class MouthView:
    """The inside of a mouth as a frame showed it."""

    shape: MouthShape
    quality: float
    """How much was seen, how sharply and how frontally; larger is better."""
    floor: Arch
    """What lay below the upper teeth (reenact.generate.painters.mouth.mouth_floor)."""
    upper: Arch | None = None
    """The upper teeth as far as the lip left them free; None where it hid them."""
    edge_mm: float = 0.0
    """Distance from the bridge of the nose down to the edge of the upper front teeth, canonical."""
    aside_mm: float = 0.0
    """Canonical x of the middle of the row's picture."""
    crown_mm: float = 0.0
    """Height of the upper teeth that were seen."""
    dark: NDArray[np.float32] | None = None
    """(3,) RGB of the depth of the mouth as parts of white teeth; None where none of it was dark."""

    @property
    def worth(self) -> float:
        """How well the upper row is seen."""
        return self.quality * self.crown_mm


@dataclass(frozen=True, eq=False)
class MouthViews:
    """What is known of a person's mouth: at most one view of each bin of opening and yaw."""

    by_bin: Mapping[tuple[int, int], MouthView] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.by_bin)

    @classmethod
    def of(cls, views: Iterable[MouthView], options: ViewOptions = ViewOptions()) -> MouthViews:
        """Views that lie over each other already, as those of one `Views` do."""
        return cls({_bin(view.shape, options): view for view in views})

    def by_opening(self) -> tuple[MouthView, ...]:
        """Of each opening the most frontal view, from the narrowest to the widest."""
        openings = sorted({opening for opening, _ in self.by_bin})
        return tuple(
            min(
                (view for (each, _), view in self.by_bin.items() if each == opening),
                key=lambda view: abs(view.shape.yaw_rad),
            )
            for opening in openings
        )

    @property
    def upper(self) -> MouthView | None:
        """The view that shows most of the upper teeth, and best; None: they have not been seen."""
        rows = [view for view in self.by_bin.values() if view.upper is not None]
        return max(rows, key=lambda view: view.worth, default=None)

    def learn(
        self, frame: Frame, face: Face, seen: SeenMouth | None, options: ViewOptions = ViewOptions()
    ) -> MouthViews:
        """These views, or a better one where the frame shows it."""
        if seen is None or not _worth_a_look(face, seen, options):
            return self
        shape = MouthShape.of(face, on_visible_edges(face, seen).landmarks)
        known = self.by_bin.get(_bin(shape, options))
        quality = _clarity(frame, face, seen)
        if known is not None and quality <= options.better * known.quality:
            return self
        view = _view(frame, face, seen, shape, quality, options)
        return self if view is None else self._with(view, _bin(shape, options))

    def better(self, other: MouthViews) -> MouthViews:
        """Of each bin the better view of the two."""
        views = self
        for key, view in other.by_bin.items():
            if key not in views.by_bin or view.quality > views.by_bin[key].quality:
                views = views._with(view, key)
        return views

    def _with(
        self, view: MouthView, key: tuple[int, int], options: ViewOptions = ViewOptions()
    ) -> MouthViews:
        """These views and a new one, its row laid over the others'."""
        rest = {each: known for each, known in self.by_bin.items() if each != key}
        best = MouthViews(rest).upper
        if best is None or view.upper is None:
            return MouthViews({**rest, key: view})
        laid = laid_over(view, best)
        if laid is None and view.worth < options.overrules * best.worth:
            # Of two rows that do not fit each other one is none.
            return MouthViews({**rest, key: replace(view, upper=None)})
        if laid is not None and view.worth <= best.worth:
            return MouthViews({**rest, key: laid})
        # The best row says where all others lie.
        onto = {each: laid_over(known, view) or replace(known, upper=None) for each, known in rest.items()}
        return MouthViews({**onto, key: view})

    def nearest(
        self, shape: MouthShape, drawn: MouthView | None = None, options: ViewOptions = ViewOptions()
    ) -> MouthView | None:
        """The view most like a mouth of this shape, or `drawn`, if that is nearly as much like it; None where
        none is known."""

        def distance(view: MouthView) -> float:
            loyalty = options.loyalty if view is drawn else 0.0
            return _distance(shape, view.shape, options) - loyalty

        return min(self.by_bin.values(), key=distance, default=None)

    def row(self, view: MouthView) -> Arch | None:
        """The upper row to draw with a view; None where none is known."""
        best = self.upper
        if best is None or best.upper is None:
            return None
        return joined(view.upper, best.upper, load_teeth_bank().likeliest(best.shape.width_mm))

    def placed(self, face: Face, seen: SeenMouth | None, view: MouthView, row: Arch | None) -> Teeth:
        """Likely teeth, with the floor of `view` and with `row`, where there is one, instead."""
        bridge = bridge_mm(face)
        teeth = replace(likely_teeth(face, seen), floor=view.floor, bridge_mm=bridge, dark=self._dark(view))
        if row is None:
            return teeth
        edge_mm, aside_mm = self._place(face)
        edge_mm = visible_edge(face, seen, edge_mm + bridge)
        return replace(teeth, upper=row, upper_edge_mm=edge_mm, upper_aside_mm=aside_mm, own=1.0)

    def teeth(self, face: Face, seen: SeenMouth | None, shape: MouthShape) -> Teeth:
        """The teeth of this person in a mouth of this shape: their own as far as they are known."""
        view = self.nearest(shape)
        return likely_teeth(face, seen) if view is None else self.placed(face, seen, view, self.row(view))

    def _place(self, face: Face, options: ViewOptions = ViewOptions()) -> tuple[float, float]:
        """(edge_mm, aside_mm) of the upper row: the mean over the views, those of a like pose above all.

        In a single frame the bridge of the nose is off by half a millimetre, and by more in another pose.
        """
        pitch, yaw, _ = face.pose.angles
        rows = [view for view in self.by_bin.values() if view.upper is not None]
        turned = np.array([np.hypot(view.shape.pitch_rad - pitch, view.shape.yaw_rad - yaw) for view in rows])
        weights = np.exp(-0.5 * (turned / options.alike_rad) ** 2) + options.unlike
        places = np.array([(view.edge_mm, view.aside_mm) for view in rows])
        edge_mm, aside_mm = weights @ places / weights.sum()
        return float(edge_mm), float(aside_mm)

    def _dark(self, view: MouthView) -> NDArray[np.float32]:
        """That of the view, or else of any other."""
        known = (each.dark for each in (view, *self.by_bin.values()) if each.dark is not None)
        return next(known, usual_dark())


def laid_over(view: MouthView, best: MouthView) -> MouthView | None:
    """The view with its upper row, if it shows one, where `best` has the same teeth; None where they are not
    the same."""
    if view.upper is None or best.upper is None:
        return view
    found = shift_between(view.upper, best.upper)
    if found is None:
        return None
    right, down = found
    return replace(
        view,
        upper=shifted(view.upper, right, down),
        edge_mm=view.edge_mm - down / PX_PER_MM,
        aside_mm=view.aside_mm - right / PX_PER_MM,
    )


def _view(
    frame: Frame, face: Face, seen: SeenMouth, shape: MouthShape, quality: float, options: ViewOptions
) -> MouthView | None:
    """What a frame shows; None where something stands before it."""
    crop = mouth_crop(frame, seen.alignment).astype(np.float32)
    if is_covered(frame, face, seen, crop):
        return None
    light = ivory(frame.image, face)
    dark = None if seen.dark is None else (seen.dark / light).astype(np.float32)
    if seen.teeth < options.none:
        if light_below_lip(crop, seen) > options.dark_below_lip * float(skin(frame.image, face).mean()):
            return None
        return MouthView(shape, quality, take_floor(frame, face, seen, light), dark=dark)
    most_red = options.red * redness(skin(frame.image, face))
    if seen.crown_mm < options.least_crown_mm or redness(seen.enamel) > most_red:
        return None
    upper, edge_mm = take_upper(frame, face.pose, seen, light)
    # Dim teeth are teeth, too: lips and lamps above a face leave them in the shade.
    edge_mm -= bridge_mm(face)
    lowest, highest = options.edges_mm
    if not lowest < edge_mm < highest or completeness(upper, seen.enamel / light) < options.complete:
        return None
    floor = take_floor(frame, face, seen, light)
    return MouthView(shape, quality, floor, upper, edge_mm, 0.0, seen.crown_mm, dark)


def _worth_a_look(face: Face, seen: SeenMouth, options: ViewOptions) -> bool:
    turned = max(map(abs, face.pose.angles[:2]))
    return (
        (seen.teeth >= options.sure or seen.teeth < options.none)
        and seen.crown_mm + seen.lower_mm >= options.least_mm
        and face.confidence >= options.confidence
        and turned <= options.turned_rad
    )


def _bin(shape: MouthShape, options: ViewOptions) -> tuple[int, int]:
    return (
        int(np.searchsorted(options.openings_mm, shape.opening_mm)),
        int(np.searchsorted(options.turns_rad, shape.yaw_rad)),
    )


def _distance(a: MouthShape, b: MouthShape, options: ViewOptions) -> float:
    return float(
        np.hypot.reduce(
            [
                (a.opening_mm - b.opening_mm) / options.opening_scale_mm,
                (a.yaw_rad - b.yaw_rad) / options.yaw_scale_rad,
                (a.width_mm - b.width_mm) / options.width_scale_mm,
            ]
        )
    )


def _clarity(frame: Frame, face: Face, seen: SeenMouth) -> float:
    """How well a frame shows the mouth's inside: large, sharp, from the front and across a wide mouth."""
    crop = mouth_crop(frame, seen.alignment)
    top, bottom = int(seen.top.min()), int(seen.bottom.max()) + 1
    left, right = int(seen.columns[0]), int(seen.columns[-1]) + 1
    part = crop[max(top, 0) : bottom, max(left, 0) : right].astype(np.float32).mean(axis=2)
    detail = float(np.abs(np.diff(part, axis=1)).mean()) if part.size else 0.0
    width_mm = (right - left) / SEEN_PX_PER_MM
    frontal = float(np.cos(face.pose.angles[1])) ** 2
    return width_mm * frontal * min(face.pose.scale / 2, 1.5) * np.sqrt(detail + 1)
