"""Makes the bank of teeth: rows cut out of chosen portraits, without other parts of the faces."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from calib.au_table import find_column
from calib.table_file import open_table
from reenact.generate.painters.mouth.arch import Arch, take_upper, with_gums
from reenact.generate.painters.mouth.seen_mouth import see_mouth
from reenact.measure.read_aus import numbered
from reenact.media.atomic import replacing
from reenact.media.image_file import StillError, load_still
from reenact.records import Face, Frame
from reenact.track import Tracker, TrackerOptions

CHOICE = Path(__file__).with_name("teeth.csv")
"""The portraits that the shipped bank is made of."""


class TeethError(ValueError):
    """No teeth can be cut out of a picture; the message is one line for the user."""


@dataclass(frozen=True)
class ToothPortrait:
    """A portrait whose teeth go into the bank."""

    set: str
    """The name of the folder of pictures."""
    file: str
    """The name of the picture."""


def read_choice(path: Path = CHOICE) -> list[ToothPortrait]:
    """Reads the portraits in a table with the columns set and file. Raises TeethError."""
    try:
        with open_table(path, TeethError) as table:
            name, file = (find_column(table, (key,), TeethError) for key in ("set", "file"))
            rows = [] if name is None or file is None else list(table.rows)
            sources = [ToothPortrait(name.text(row), file.text(row)) for row in rows if name and file]
    except TeethError as error:
        raise TeethError(f"{path}: {error}") from error
    if not sources:
        raise TeethError(f"{path}: the columns of a choice are set and file, with at least one row")
    return sources


@dataclass(frozen=True, eq=False)
class Cut:
    """A row of teeth from a portrait."""

    arch: Arch
    """The row of teeth."""
    width_mm: float
    """The width of the mouth that showed it."""


def cut(frame: Frame, face: Face) -> Cut | None:
    """Cuts out the upper row of teeth in a picture. None: it shows none.

    Colours are divided by the colour of the teeth's enamel, so that the row can be lit anew.
    """
    seen = see_mouth(frame, face)
    if seen is None or seen.teeth < 0.5:
        return None
    places = face.pose.to_canonical(face.landmarks)
    arch, _ = take_upper(frame, face.pose, seen, seen.enamel)
    return Cut(with_gums(arch), float(places[308, 0] - places[78, 0]))


def cut_bank(folders: Iterable[Path], sources: Sequence[ToothPortrait]) -> dict[str, NDArray[np.generic]]:
    """Returns the arrays of the bank (painters.mouth.teeth_bank), in the order of the sources.

    folders: the folders of the sets, with pictures in `images` or directly in them. Raises TeethError for a
    source that is missing or shows no teeth.
    """
    by_name = {folder.name: folder for folder in folders}
    with Tracker(TrackerOptions(stills=True)) as track:
        cuts = [_cut_source(by_name, source, track) for source in sources]
    return {
        "upper": np.stack([each.arch.picture for each in cuts]),
        "widths_mm": np.array([each.width_mm for each in cuts], np.float32),
    }


def _cut_source(folders: dict[str, Path], source: ToothPortrait, track: Tracker) -> Cut:
    if source.set not in folders:
        raise TeethError(f"no folder is called {source.set!r}; give that set's folder, too")
    folder = folders[source.set]
    path = next((p for p in (folder / "images" / source.file, folder / source.file) if p.is_file()), None)
    if path is None:
        raise TeethError(f"{folder}: there is no picture {source.file!r} in it")
    try:
        tracked = numbered(track(Frame(load_still(path).image)))
    except StillError as error:
        raise TeethError(str(error)) from error
    largest = tracked.largest
    found = None if largest is None else cut(tracked.frame, tracked.faces[largest])
    if found is None:
        raise TeethError(f"{path} shows no upper teeth")
    return found


def save_bank(arrays: dict[str, NDArray[np.generic]], path: Path) -> None:
    """Saves the bank in the format of reenact.generate.painters.mouth.teeth_bank.load_teeth_bank."""
    with replacing(path) as beside, beside.open("wb") as file:
        np.savez_compressed(file, **arrays)


def sheet(arrays: dict[str, NDArray[np.generic]], columns: int = 4) -> NDArray[np.uint8]:
    """Returns (height, width, 3) RGB: all rows at twice their size, on a dark ground, for inspection."""
    tiles = []
    for picture in arrays["upper"]:
        rgb, alpha = np.asarray(picture[..., :3], np.float32), np.asarray(picture[..., 3:], np.float32) / 255
        tile = np.array([40, 14, 12], np.float32) * (1 - alpha) + rgb * (200 / 128) * alpha
        tiles.append(cv2.resize(np.clip(tile, 0, 255).astype(np.uint8), None, fx=2, fy=2))
    blank = np.zeros_like(tiles[0])
    tiles += [blank] * (-len(tiles) % columns)
    return np.vstack([np.hstack(tiles[i : i + columns]) for i in range(0, len(tiles), columns)])
