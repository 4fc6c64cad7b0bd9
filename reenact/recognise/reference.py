"""Pictures of people, to pick them by."""

from __future__ import annotations

from pathlib import Path

from reenact.read import read_still
from reenact.recognise.resemblance import Likeness, load_resemblance
from reenact.stills import load_still
from reenact.track import TrackerOptions


class ReferencePictureError(ValueError):
    """A picture by which nobody can be picked; the message is one line for the user."""


def load_reference(path: Path, options: TrackerOptions) -> Likeness:
    """What the largest face in a picture looks like.

    Raises StillError where the picture cannot be read, ReferencePictureError where it shows no face.
    """
    picture = read_still(load_still(path), options)
    if (largest := picture.largest) is None:
        raise ReferencePictureError(f"{path}: no face was found in it to look for")
    return load_resemblance()(picture.frame.image, picture.faces[largest])
