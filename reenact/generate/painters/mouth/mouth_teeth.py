"""Which teeth a face has, and where, and what lies below them."""

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
    """Rows of teeth, and where a person has them."""

    upper: Arch
    upper_edge_mm: float
    """Canonical y of the edge of the upper front teeth."""
    upper_aside_mm: float = 0.0
    """Canonical x of the middle of the upper row's picture."""
    own: float = 0.0
    """The share of the person's own teeth in the upper row, 0..1: they come with their own shadows."""
    floor: Arch | None = None
    """What lies below them (see reenact.generate.painters.mouth.mouth_floor). None: it has not been seen. Lips hide
    most people's lower teeth, and what is not known is left in the dark."""
    bridge_mm: float = 0.0
    """Canonical y of the bridge of the nose, by which the floor is placed."""
    dark: NDArray[np.float32] = field(default_factory=usual_dark)
    """(3,) RGB of the depth of the mouth as parts of white teeth."""


@dataclass(frozen=True)
class TeethOptions:
    """Millimetres of an average face."""

    below_lip_mm: float = 1.8
    """Distance from the upper lip's edge at rest down to the edge of the teeth (1.9 mm in men, 3.4 mm in
    women, less with age: Vig & Brundo, J. Prosthet. Dent. 39(5), 1978)."""
    hidden_mm: float = -0.3
    """The same in an open mouth in which no upper teeth are seen."""
    smile_wider_mm: float = 14.0
    """What a smile adds to the width of a mouth at rest."""


def likely_teeth(face: Face, seen: SeenMouth | None, options: TeethOptions = TeethOptions()) -> Teeth:
    """Teeth from the bank for a face, so placed that none shows that the frame does not show."""
    places = face.pose.to_canonical(face.landmarks)
    upper_lip_mm = float(places[13, 1])
    width_mm = float(places[308, 0] - places[78, 0])
    upper = load_teeth_bank().likeliest(width_mm + options.smile_wider_mm)
    edge_mm = visible_edge(face, seen, upper_lip_mm + options.below_lip_mm, options)
    return Teeth(upper, edge_mm)


def visible_edge(
    face: Face, seen: SeenMouth | None, edge_mm: float, options: TeethOptions = TeethOptions()
) -> float:
    """Canonical y of the edge of the upper teeth, which is expected at `edge_mm`.

    It is where the frame shows it; behind the lip where the frame shows an open mouth without upper teeth.
    """
    if seen is None:
        return edge_mm
    lip_mm = float(face.pose.to_canonical(face.landmarks[13])[1])
    hidden_mm = min(lip_mm + options.hidden_mm, edge_mm)
    seen_mm = edge_of_front_teeth(face.pose, seen)
    return edge_mm + (seen.open - seen.teeth) * (hidden_mm - edge_mm) + seen.teeth * (seen_mm - edge_mm)
