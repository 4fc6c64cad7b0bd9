"""Views of a person's open mouth: the best one of each opening and yaw."""

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
    """Which frames are learned from, and which view is drawn."""

    sure: float = 0.9
    """The confidence in visible teeth, 0..1, from which on a frame is learned from."""
    none: float = 0.1
    """The confidence in visible teeth below which a mouth shows none. Frames between the two are not used."""
    dark_below_lip: float = 0.33
    """The greatest lightness below the upper lip, as a share of the skin's, of a mouth without visible teeth:
    dim teeth are easily missed."""
    confidence: float = 0.6
    """The tracker's confidence, 0..1, below which a face is not learned from."""
    turned_rad: float = 0.5
    """The yaw or pitch in radians above which a face is not learned from."""
    complete: float = 0.7
    """The least share of the front upper teeth that a view must show, 0..1."""
    red: float = 1.0
    """The greatest redness of teeth, as a share of the skin's."""
    edges_mm: tuple[float, float] = (56.0, 67.5)
    """The limits of the distance, in millimetres, from the bridge of the nose to the edge of upper teeth,
    which is 58.8 to 65.9 in five films. Teeth with an edge further down are lower ones."""
    least_crown_mm: float = 4.0
    """The least height, in millimetres, of upper teeth that are learned."""
    least_mm: float = 4.0
    """The least opening, in millimetres, of a mouth that is learned."""
    better: float = 1.2
    """The ratio of qualities from which on a view replaces another."""
    overrules: float = 1.5
    """The ratio of qualities from which on a view is used although its teeth do not match the best view's."""
    openings_mm: tuple[float, ...] = (6.0, 9.0, 12.0, 16.0, 22.0)
    """The limits between bins of openings, in millimetres. One view is kept of each bin of opening and
    yaw."""
    turns_rad: tuple[float, ...] = (-0.2, 0.2)
    """The limits between bins of yaw, in radians."""
    opening_scale_mm: float = 5.0
    """The unit of a difference of openings, in millimetres, in the distance between two views."""
    yaw_scale_rad: float = 0.25
    """The unit of a difference of yaw, in radians, in the distance between two views."""
    width_scale_mm: float = 8.0
    """The unit of a difference of the mouth's width, in millimetres, in the distance between two views."""
    alike_rad: float = 0.12
    """The difference of pose, in radians, within which a view counts fully for the place of teeth."""
    unlike: float = 0.05
    """The weight of views with other poses."""
    loyalty: float = 0.35
    """The distance by which another view must be nearer than the drawn one to replace it."""


@dataclass(frozen=True)
class MouthShape:
    """The shape of an open mouth, and the pose of its head."""

    opening_mm: float
    """The gap between the lips in the middle."""
    width_mm: float
    """The distance between the corners."""
    yaw_rad: float
    """The yaw of the head."""
    pitch_rad: float
    """The pitch of the head."""

    @classmethod
    def of(cls, face: Face, landmarks: NDArray[np.float32]) -> MouthShape:
        """The shape of `landmarks` (478, 3), in pixels, which are those of `face` or moved ones."""
        gap_px = float(MOUTH.gaps(landmarks, face.pose.down).max())
        width_px = float(np.linalg.norm(landmarks[MOUTH.upper[0]] - landmarks[MOUTH.upper[-1]]))
        scale = face.pose.scale
        pitch, yaw, _ = face.pose.angles
        return cls(gap_px / scale, width_px / scale, yaw, pitch)


@dataclass(frozen=True, eq=False)
class MouthView:
    """The inside of a mouth in one frame."""

    shape: MouthShape
    """The shape of the mouth."""
    quality: float
    """The quality of the view: size, sharpness and frontal pose; larger is better."""
    floor: Arch
    """The floor of the mouth (reenact.generate.painters.mouth.mouth_floor)."""
    upper: Arch | None = None
    """The visible part of the upper teeth. None: the lip hid them."""
    edge_mm: float = 0.0
    """The canonical distance from the bridge of the nose to the edge of the upper front teeth."""
    aside_mm: float = 0.0
    """The canonical x of the middle of the row's picture."""
    crown_mm: float = 0.0
    """The height of the visible upper teeth."""
    dark: NDArray[np.float32] | None = None
    """(3,) RGB of the depth of the mouth, relative to white teeth. None: no part of it was dark."""

    @property
    def worth(self) -> float:
        """The quality of the upper row."""
        return self.quality * self.crown_mm


@dataclass(frozen=True, eq=False)
class MouthViews:
    """The views of a person's mouth: at most one of each bin of opening and yaw."""

    by_bin: Mapping[tuple[int, int], MouthView] = field(default_factory=dict)
    """The views by the indices of their bins of opening and yaw."""

    def __len__(self) -> int:
        return len(self.by_bin)

    @classmethod
    def of(cls, views: Iterable[MouthView], options: ViewOptions = ViewOptions()) -> MouthViews:
        """The set of views whose rows are already aligned, as those of one MouthViews are."""
        return cls({_bin(view.shape, options): view for view in views})

    def by_opening(self) -> tuple[MouthView, ...]:
        """The most frontal view of each opening, from the narrowest to the widest."""
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
        """The view that shows the upper teeth best. None: no view shows them."""
        rows = [view for view in self.by_bin.values() if view.upper is not None]
        return max(rows, key=lambda view: view.worth, default=None)

    def learn(
        self, frame: Frame, face: Face, seen: SeenMouth | None, options: ViewOptions = ViewOptions()
    ) -> MouthViews:
        """These views, with that of a frame if it is better. seen: the inside of the mouth in the frame."""
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
        """The better view of the two sets in each bin."""
        views = self
        for key, view in other.by_bin.items():
            if key not in views.by_bin or view.quality > views.by_bin[key].quality:
                views = views._with(view, key)
        return views

    def _with(
        self, view: MouthView, key: tuple[int, int], options: ViewOptions = ViewOptions()
    ) -> MouthViews:
        """These views and a new one, whose row is aligned with theirs."""
        rest = {each: known for each, known in self.by_bin.items() if each != key}
        best = MouthViews(rest).upper
        if best is None or view.upper is None:
            return MouthViews({**rest, key: view})
        laid = aligned_with(view, best)
        if laid is None and view.worth < options.overrules * best.worth:
            # If two rows do not match, one of them does not show the upper teeth.
            return MouthViews({**rest, key: replace(view, upper=None)})
        if laid is not None and view.worth <= best.worth:
            return MouthViews({**rest, key: laid})
        # The best row is the reference for the place of all others.
        onto = {each: aligned_with(known, view) or replace(known, upper=None) for each, known in rest.items()}
        return MouthViews({**onto, key: view})

    def nearest(
        self, shape: MouthShape, drawn: MouthView | None = None, options: ViewOptions = ViewOptions()
    ) -> MouthView | None:
        """The view nearest to a mouth of this shape. None: no view is known.

        drawn: the view that is drawn now, which is preferred if it is nearly as near. None: there is none.
        """

        def distance(view: MouthView) -> float:
            loyalty = options.loyalty if view is drawn else 0.0
            return _distance(shape, view.shape, options) - loyalty

        return min(self.by_bin.values(), key=distance, default=None)

    def row(self, view: MouthView) -> Arch | None:
        """The upper row to draw with a view. None: no row is known."""
        best = self.upper
        if best is None or best.upper is None:
            return None
        return joined(view.upper, best.upper, load_teeth_bank().likeliest(best.shape.width_mm))

    def placed(self, face: Face, seen: SeenMouth | None, view: MouthView, row: Arch | None) -> Teeth:
        """Likely teeth with the floor of `view` and with `row`. None: the row is likely, too."""
        bridge = bridge_mm(face)
        teeth = replace(likely_teeth(face, seen), floor=view.floor, bridge_mm=bridge, dark=self._dark(view))
        if row is None:
            return teeth
        edge_mm, aside_mm = self._place(face)
        edge_mm = visible_edge(face, seen, edge_mm + bridge)
        return replace(teeth, upper=row, upper_edge_mm=edge_mm, upper_aside_mm=aside_mm, own=1.0)

    def teeth(self, face: Face, seen: SeenMouth | None, shape: MouthShape) -> Teeth:
        """The teeth to draw in a mouth of this shape: the person's own as far as they are known."""
        view = self.nearest(shape)
        return likely_teeth(face, seen) if view is None else self.placed(face, seen, view, self.row(view))

    def _place(self, face: Face, options: ViewOptions = ViewOptions()) -> tuple[float, float]:
        """The (edge_mm, aside_mm) of the upper row: a mean over views, weighted by similarity of pose.

        The bridge of the nose has an error of half a millimetre in a single frame, and more in other poses.
        """
        pitch, yaw, _ = face.pose.angles
        rows = [view for view in self.by_bin.values() if view.upper is not None]
        turned = np.array([np.hypot(view.shape.pitch_rad - pitch, view.shape.yaw_rad - yaw) for view in rows])
        weights = np.exp(-0.5 * (turned / options.alike_rad) ** 2) + options.unlike
        places = np.array([(view.edge_mm, view.aside_mm) for view in rows])
        edge_mm, aside_mm = weights @ places / weights.sum()
        return float(edge_mm), float(aside_mm)

    def _dark(self, view: MouthView) -> NDArray[np.float32]:
        """The depth's colour of the view, or else of another view, or else the usual one."""
        known = (each.dark for each in (view, *self.by_bin.values()) if each.dark is not None)
        return next(known, usual_dark())


def aligned_with(view: MouthView, best: MouthView) -> MouthView | None:
    """The view with its upper row aligned with that of `best`. None: the rows show different teeth."""
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
    """The view of a frame. None: something covers the mouth, or no upper teeth are clearly visible."""
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
    # Dim teeth also count: lips, and lamps above a face, leave them in shade.
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
    """The quality of the mouth's inside in a frame: larger if it is large, sharp, frontal and wide."""
    crop = mouth_crop(frame, seen.alignment)
    top, bottom = int(seen.top.min()), int(seen.bottom.max()) + 1
    left, right = int(seen.columns[0]), int(seen.columns[-1]) + 1
    part = crop[max(top, 0) : bottom, max(left, 0) : right].astype(np.float32).mean(axis=2)
    detail = float(np.abs(np.diff(part, axis=1)).mean()) if part.size else 0.0
    width_mm = (right - left) / SEEN_PX_PER_MM
    frontal = float(np.cos(face.pose.angles[1])) ** 2
    return width_mm * frontal * min(face.pose.scale / 2, 1.5) * np.sqrt(detail + 1)
