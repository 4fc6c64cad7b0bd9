"""The teeth to draw in a face, their place, and the floor of the mouth below them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from reenact.generate.painters.mouth.arch import Arch, edge_of_front_teeth
from reenact.generate.painters.mouth.cavity import usual_dark
from reenact.generate.painters.mouth.seen_mouth import SeenMouth
from reenact.generate.painters.mouth.teeth_bank import load_teeth_bank
from reenact.records import Face


@dataclass(frozen=True, eq=False)
class Teeth:
    """The teeth to draw, and their place."""

    upper: Arch
    """The upper row."""
    upper_edge_mm: float
    """The canonical y of the edge of the upper front teeth."""
    upper_aside_mm: float = 0.0
    """The canonical x of the middle of the upper row's picture."""
    own: float = 0.0
    """The share of the person's own teeth in the upper row, 0..1; their picture includes shadows."""
    floor: Arch | None = None
    """The floor of the mouth (see mouth_floor.py). None: it has not been seen, and is left dark; lips hide
    most people's lower teeth."""
    bridge_mm: float = 0.0
    """The canonical y of the bridge of the nose, by which the floor is placed."""
    dark: NDArray[np.float32] = field(default_factory=usual_dark)
    """(3,) RGB of the depth of the mouth, relative to white teeth."""


@dataclass(frozen=True)
class TeethOptions:
    """Distances in millimetres of an average face."""

    below_lip_mm: float = 1.8
    """The distance from the upper lip's edge at rest to the edge of the teeth (1.9 mm in men, 3.4 mm in
    women, less with age: Vig & Brundo, J. Prosthet. Dent. 39(5), 1978)."""
    hidden_mm: float = -0.3
    """This distance in an open mouth without visible upper teeth."""
    smile_wider_mm: float = 14.0
    """The increase of the mouth's width by a smile."""


def likely_teeth(face: Face, seen: SeenMouth | None, options: TeethOptions = TeethOptions()) -> Teeth:
    """Shipped teeth for a face, placed so that they are hidden where the frame shows none.

    seen: the inside of the mouth in the frame. None: the lips are closed.
    """
    places = face.pose.to_canonical(face.landmarks)
    upper_lip_mm = float(places[13, 1])
    width_mm = float(places[308, 0] - places[78, 0])
    upper = load_teeth_bank().likeliest(width_mm + options.smile_wider_mm)
    edge_mm = visible_edge(face, seen, upper_lip_mm + options.below_lip_mm, options)
    return Teeth(upper, edge_mm)


def visible_edge(
    face: Face, seen: SeenMouth | None, edge_mm: float, options: TeethOptions = TeethOptions()
) -> float:
    """The canonical y of the edge of the upper teeth.

    It is the edge that the frame shows, or a place behind the lip if the frame shows an open mouth without
    upper teeth, or else `edge_mm`. seen: the inside of the mouth in the frame. None: the lips are closed.
    """
    if seen is None:
        return edge_mm
    lip_mm = float(face.pose.to_canonical(face.landmarks[13])[1])
    hidden_mm = min(lip_mm + options.hidden_mm, edge_mm)
    seen_mm = edge_of_front_teeth(face.pose, seen)
    return edge_mm + (seen.open - seen.teeth) * (hidden_mm - edge_mm) + seen.teeth * (seen_mm - edge_mm)
