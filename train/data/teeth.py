"""The bank of teeth: rows cut out of chosen portraits, without anything of the faces around them."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from calib.ramp import smoothstep
from reenact.atomic import replacing
from reenact.generate.mouth.arch import PX_PER_MM, SHAPE, Arch, take_lower, take_upper, with_gums
from reenact.generate.mouth.seen import see_mouth
from reenact.read import numbered
from reenact.stills import StillError, load_still
from reenact.track import Tracker, TrackerOptions
from reenact.types import Face, Frame

CHOICE = Path(__file__).with_name("teeth.csv")
"""The portraits that the bank which ships was cut out of."""
_LOWER_HALF_MM = 13.0, 18.0
"""Distance from the midline within which a lower row is kept, and at which it has faded out: farther aside it
lies in the shadow of the cheek, whoever's it is."""


class TeethError(ValueError):
    """A picture that no teeth can be cut out of; the message is one line for the user."""


@dataclass(frozen=True)
class Source:
    row: str
    """"upper" or "lower"."""
    set: str
    """Name of the folder of pictures."""
    file: str


def read_choice(path: Path = CHOICE) -> list[Source]:
    """The sources that a CSV with the columns row, set and file names. Raises TeethError."""
    with path.open(newline="", encoding="utf-8") as file:
        sources = [Source(**row) for row in csv.DictReader(file)]
    for source in sources:
        if source.row not in ("upper", "lower"):
            raise TeethError(f"{path}: row is {source.row!r}; write upper or lower")
    return sources


@dataclass(frozen=True, eq=False)
class Cut:
    arch: Arch
    width_mm: float
    """Of the mouth that showed it."""


def cut(frame: Frame, face: Face, row: str) -> Cut | None:
    """The upper or lower row of teeth that a picture shows; None where it shows none.

    Colours are divided by the middle of the teeth's own, so that the row can be lit anew.
    """
    seen = see_mouth(frame, face)
    if seen is None or seen.teeth < 0.5:
        return None
    places = face.pose.to_canonical(face.landmarks)
    width_mm = float(places[308, 0] - places[78, 0])
    if row == "upper":
        return Cut(with_gums(take_upper(frame, face.pose, seen, seen.enamel)[0]), width_mm)
    taken = take_lower(frame, face.pose, seen, seen.enamel)
    return None if taken is None else Cut(_front(taken[0]), width_mm)


def _front(arch: Arch) -> Arch:
    """The front teeth of a lower row, the same on both sides."""
    picture = arch.picture.astype(np.float32)
    picture = (picture + picture[:, ::-1]) / 2
    aside_mm = np.abs(np.arange(SHAPE[1]) - (SHAPE[1] - 1) / 2) / PX_PER_MM
    near, far = _LOWER_HALF_MM
    picture[..., 3] *= 1 - smoothstep((aside_mm - near) / (far - near))
    return Arch(np.rint(picture).astype(np.uint8), arch.above_mm)


def cut_bank(folders: Iterable[Path], sources: Sequence[Source]) -> dict[str, NDArray[np.generic]]:
    """The arrays of the bank (reenact.generate.mouth.bank), in the order of the sources.

    folders: those of the sets, each with pictures in `images` or in itself. Raises TeethError for a source
    that is missing or shows no teeth.
    """
    by_name = {folder.name: folder for folder in folders}
    cuts: dict[str, list[Cut]] = {"upper": [], "lower": []}
    with Tracker(TrackerOptions(stills=True)) as track:
        for source in sources:
            cuts[source.row].append(_cut_source(by_name, source, track))
    for row, found in cuts.items():
        if not found:
            raise TeethError(f"no {row} row is chosen; a bank has both")
    return {
        "upper": np.stack([each.arch.picture for each in cuts["upper"]]),
        "lower": np.stack([each.arch.picture for each in cuts["lower"]]),
        "widths_mm": np.array([each.width_mm for each in cuts["upper"]], np.float32),
    }


def _cut_source(folders: dict[str, Path], source: Source, track: Tracker) -> Cut:
    if source.set not in folders:
        raise TeethError(f"no folder is called {source.set!r}; give that of the set, too")
    folder = folders[source.set]
    path = next((p for p in (folder / "images" / source.file, folder / source.file) if p.is_file()), None)
    if path is None:
        raise TeethError(f"{folder}: there is no picture {source.file!r} in it")
    try:
        tracked = numbered(track(Frame(load_still(path).image)))
    except StillError as error:
        raise TeethError(str(error)) from error
    largest = tracked.largest
    found = None if largest is None else cut(tracked.frame, tracked.faces[largest], source.row)
    if found is None:
        raise TeethError(f"{path} shows no {source.row} teeth")
    return found


def save_bank(arrays: dict[str, NDArray[np.generic]], path: Path) -> None:
    """As reenact.generate.mouth.bank.load_bank takes them."""
    with replacing(path) as beside, beside.open("wb") as file:
        np.savez_compressed(file, **arrays)


def sheet(arrays: dict[str, NDArray[np.generic]], columns: int = 4) -> NDArray[np.uint8]:
    """(height, width, 3) RGB: all rows, twice as large, on the dark of a mouth, to be looked at."""
    pictures = [*arrays["upper"], *arrays["lower"]]
    tiles = []
    for picture in pictures:
        rgb, alpha = np.asarray(picture[..., :3], np.float32), np.asarray(picture[..., 3:], np.float32) / 255
        tile = np.array([40, 14, 12], np.float32) * (1 - alpha) + rgb * (200 / 128) * alpha
        tiles.append(cv2.resize(np.clip(tile, 0, 255).astype(np.uint8), None, fx=2, fy=2))
    blank = np.zeros_like(tiles[0])
    tiles += [blank] * (-len(tiles) % columns)
    return np.vstack([np.hstack(tiles[i : i + columns]) for i in range(0, len(tiles), columns)])
