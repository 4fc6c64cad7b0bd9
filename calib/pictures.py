"""Finds the pictures that a table names, although names come from other machines and endings get lost."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

PICTURE_ENDINGS = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"})
_PLACES = ("images", "imgs")
"""Sub-folders that hold a table's pictures: those of OpenFace users and this project, and those of the paper
and GANimation."""


@dataclass(frozen=True, eq=False)
class _Listing:
    """Some pictures by lower-case name, with and without ending."""

    by_name: Mapping[str, Sequence[Path]]
    by_stem: Mapping[str, Sequence[Path]]

    @classmethod
    def of(cls, paths: Iterable[Path]) -> _Listing:
        by_name, by_stem = defaultdict(list), defaultdict(list)
        for path in sorted(paths):
            if path.suffix.lower() in PICTURE_ENDINGS:
                by_name[path.name.lower()].append(path)
                by_stem[path.stem.lower()].append(path)
        return cls(by_name, by_stem)

    def only(self, name: str) -> Path | None:
        """Returns the picture of this name, or of this name with another ending. None: none, or several."""
        for found in (self.by_name.get(name.lower()), self.by_stem.get(_stem(name).lower())):
            if found:
                same_case = [path for path in found if path.stem == _stem(name)]
                chosen = same_case or found
                return chosen[0] if len(chosen) == 1 else None
        return None


class PictureFolder:
    """Finds the pictures that a table in one folder names. Each folder is listed once.

    Pictures lie in its images/ or imgs/, below these, or beside the table. Their names may have any ending or
    none, any case, the folders of another machine before them, and the separators of Windows.
    """

    def __init__(self, folder: Path) -> None:
        inner = [each for each in sorted(_entries(folder)) if each.name.lower() in _PLACES and each.is_dir()]
        self._inner = tuple(inner)
        self.places = (*inner, folder)
        """The folders that are searched, the innermost first."""
        self._listings: dict[Path, _Listing] = {}

    def find(self, named: str) -> Path | None:
        """Returns the picture that `named` stands for. None: there is none, or more than one."""
        named = named.strip()
        parts = _parts(named)
        if not parts:
            return None
        for place in self.places:
            if (place / named).is_file():
                return place / named
        for start in range(len(parts)):
            for place in self.places:
                found = self._at(place.joinpath(*parts[start:-1]), parts[-1])
                if found is not None:
                    return found
        return self._below.only(parts[-1])

    def expected(self, named: str) -> Path:
        """Returns the picture that `named` stands for, or the path where it should be."""
        found = self.find(named)
        if found is not None:
            return found
        starts_inside = _parts(named)[:1] == [self.places[0].name]
        return (self.places[-1] if starts_inside else self.places[0]) / named.strip()

    def name_of(self, path: Path) -> str:
        """Returns a picture's name relative to the folder."""
        for place in self.places:
            if path.is_relative_to(place):
                return path.relative_to(place).as_posix()
        return path.as_posix()

    def _at(self, folder: Path, name: str) -> Path | None:
        if (folder / name).is_file():
            return folder / name
        if folder not in self._listings:
            self._listings[folder] = _Listing.of(each for each in _entries(folder) if each.is_file())
        return self._listings[folder].only(name)

    @cached_property
    def _below(self) -> _Listing:
        """Every picture at any depth of images/ and imgs/."""
        return _Listing.of(path for place in self._inner for path in place.rglob("*") if path.is_file())


def _entries(folder: Path) -> list[Path]:
    """Returns the entries of a folder; none where it does not exist."""
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def _parts(named: str) -> list[str]:
    """Returns the folders and the file of a path, of this system or of Windows, without root and drive."""
    parts = named.replace("\\", "/").split("/")
    return [part for part in parts if part not in ("", ".", "..") and not part.endswith(":")]


def _stem(name: str) -> str:
    """Returns the name without a picture's ending; other dots belong to the name."""
    path = Path(name)
    return path.stem if path.suffix.lower() in PICTURE_ENDINGS else name
