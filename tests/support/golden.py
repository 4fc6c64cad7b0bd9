"""Golden pictures: what the generator made of the demo portrait when somebody last looked at it and liked it.

`python -m tests.support.golden` makes them anew. Look at every one at full size before they are committed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from unittest.mock import patch

import cv2
import numpy as np
from numpy.typing import NDArray

from calib.basis import load_basis
from calib.openings import LEFT_EYE, OUTER_LIPS, RIGHT_EYE
from reenact.alignment import Alignment, align
from reenact.generate import FaceGenerator, MovedFace
from reenact.generate.generator import PAINTERS
from reenact.generate.geometry.warp import WarpOptions
from reenact.media.image_file import Still, load_still
from reenact.programme.target_syntax import parse_targets
from reenact.records import Face
from reenact.run.demo import PORTRAIT
from reenact.run.files import EditOptions, StillEdit, open_still_edit
from reenact.track.fit import Fit
from reenact.track.region import Region, region_around

FOLDER = Path(__file__).with_name("golden")
EXPRESSIONS = ("smile-open", "laugh", "surprise", "sad", "anger", "disgust", "blink", "brows-up", "serious")
SIZE = 224
REGIONS = ("mouth", "eyes", "forehead", "cheeks", "around")
Picture = NDArray[np.uint8]


def portrait() -> Still:
    """The head, three times as large as in the file: 2 pixels a millimetre, as in a call."""
    image = load_still(PORTRAIT).image[:300, 60:390]
    return Still(cv2.resize(image, None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC))


@lru_cache(maxsize=8)
def made(without: frozenset[str] = frozenset()) -> dict[str, Picture]:
    """(SIZE, SIZE, 3) the face with each expression, painters named in `without` left out."""
    with _measured() as edit:
        edit = _without(edit, without) if without else edit
        crop = alignment(edit.measured.faces[0])
        return {name: crop.crop(edit(parse_targets(name)).image) for name in EXPRESSIONS}


@contextmanager
def _measured() -> Iterator[StillEdit]:
    stored = patch("reenact.track.tracker.open_landmarker", lambda backend, path: _Stored())
    with stored, open_still_edit(portrait(), EditOptions()) as edit:
        yield edit


class _Stored:
    """A landmarker that gives the landmarks with which the pictures were made: back ends differ."""

    landmarks: NDArray[np.float32] = np.load(FOLDER / "landmarks.npy")
    """(478, 3) of the face mesh."""

    def __enter__(self) -> _Stored:
        return self

    def __exit__(self, *failure: object) -> None: ...

    def find(self, image: Picture, within: Region) -> list[Region]:
        return [region_around(self.landmarks)]

    def fit(self, image: Picture, region: Region) -> Fit:
        return Fit(self.landmarks, 1.0, region.alignment(192).crop(image))


def _without(edit: StillEdit, without: Collection[str]) -> StillEdit:
    moved = MovedFace(load_basis(), WarpOptions(sharp=True), painters=PAINTERS.keys() - set(without))
    return StillEdit(edit.still, edit.measured, FaceGenerator(moved), edit.options)


@lru_cache(maxsize=1)
def masks() -> dict[str, NDArray[np.float32]]:
    """(SIZE, SIZE) of each region in the unchanged face, 0..1, soft."""
    with _measured() as edit:
        face = edit.measured.faces[0]
    places = alignment(face).points(face.landmarks)[:, :2]
    rows = np.arange(SIZE, dtype=np.float32)[:, None] * np.ones((1, SIZE), np.float32)
    brow_y = float(places[105, 1])
    whole = _hull(places, range(468), grow=1)
    mouth = _hull(places, OUTER_LIPS, grow=9)
    eyes = np.maximum(_hull(places, LEFT_EYE.outline, grow=7), _hull(places, RIGHT_EYE.outline, grow=7))
    forehead = whole * (rows < brow_y + 6) * (1 - eyes)
    cheeks = whole * (rows >= brow_y + 6) * (1 - eyes) * (1 - mouth)
    found = {"mouth": mouth, "eyes": eyes, "forehead": forehead, "cheeks": cheeks, "around": 1 - whole}
    return {name: cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 2) for name, mask in found.items()}


def _hull(places: NDArray[np.float32], landmarks: Collection[int], grow: int) -> NDArray[np.float32]:
    mask = np.zeros((SIZE, SIZE), np.uint8)
    cv2.fillConvexPoly(mask, cv2.convexHull(np.rint(places[list(landmarks)]).astype(np.int32)), 1)
    return cv2.dilate(mask, np.ones((grow, grow), np.uint8)).astype(np.float32)


def alignment(face: Face) -> Alignment:
    return align(face.pose, SIZE, 190.0, (0.0, 14.0, 0.0))


def golden(name: str) -> Picture:
    return cv2.cvtColor(cv2.imread(str(FOLDER / f"{name}.jpg")), cv2.COLOR_BGR2RGB)


def unlike(picture: Picture, other: Picture) -> dict[str, float]:
    """By region: how far apart two pictures look, in CIELAB units.

    Both are seen as from some way off, and of a region its worst part counts, so that a stripe is not
    forgiven for the calm skin around it.
    """
    first, second = (_lab(each) for each in (picture, other))
    apart = cv2.GaussianBlur(np.linalg.norm(first - second, axis=2), (0, 0), 2.0)
    return {name: float((apart * mask).max()) for name, mask in masks().items()}


def _lab(picture: Picture) -> NDArray[np.float32]:
    seen = cv2.GaussianBlur(picture, (0, 0), 1.0).astype(np.float32) / 255
    return cv2.cvtColor(seen, cv2.COLOR_RGB2LAB)


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name, picture in made().items():
        path = FOLDER / f"{name}.jpg"
        cv2.imwrite(str(path), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 92])
        print(f"{path}: look at it")


if __name__ == "__main__":
    main()
