"""A programme for each face."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

from reenact.programme.face_choice import FaceChooser
from reenact.programme.programme import Programme, chain
from reenact.programme.targets import Targets, no_targets
from reenact.records import Tracked


class FaceRecogniser(Protocol):
    """Says who is who; reenact.recognise.recogniser.Recogniser."""

    def __call__(self, tracked: Tracked) -> dict[int, int]:
        """The index of a reference by the track id of the face that looks like it."""
        ...

    def doubt(self, index: int) -> str:
        """Why no face has been taken for a reference, in a few words."""
        ...

    def restart(self) -> None:
        """Forgets all faces so far."""


@dataclass(frozen=True, eq=False)
class FaceProgramme:
    """What one face is to do."""

    face: int | str | None
    """A track id, the name of a reference, or None for all faces that no other part is for."""
    programme: Programme

    def __str__(self) -> str:
        who = "other faces" if self.face is None else f"face {self.face}"
        return f"{who}: {self.programme}"


class PerFaceProgramme(Programme):
    """A programme for each face, and the choice of faces that goes with it.

    `choose` must see every frame before its faces are asked for: it learns who is who. What is common to all
    comes first, then the part that names the face by its id, then the one for whom it looks like; a face that
    neither is for takes the part for all others.
    """

    def __init__(
        self,
        parts: Sequence[FaceProgramme],
        common: Programme | None = None,
        *,
        also: FaceChooser | None = None,
        recognise: FaceRecogniser | None = None,
    ) -> None:
        """`also`: who else gets what is common to all. `recognise`: knows the named references, in order."""
        self._parts = tuple(parts)
        self._by_id = {part.face: part for part in parts if isinstance(part.face, int)}
        self._by_looks = [part for part in parts if isinstance(part.face, str)]
        self._others = next((part for part in parts if part.face is None), None)
        self._common = no_targets() if common is None else common
        self._also = also
        self._recognise = recognise
        self._forget()

    def _forget(self) -> None:
        self._played: set[FaceProgramme] = set()
        self._playing: dict[int, tuple[FaceProgramme, ...]] = {}
        """By track id. Who has lost a part keeps it here: its change has yet to fade out."""

    def restart(self) -> None:
        self._forget()
        self._common.restart()
        for part in self._parts:
            part.programme.restart()
        if self._also is not None:
            self._also.restart()
        if self._recognise is not None:
            self._recognise.restart()

    def __str__(self) -> str:
        common = str(self._common)
        return "; ".join([*([] if common == "none" else [common]), *map(str, self._parts)])

    def choose(self, tracked: Tracked) -> set[int]:
        """The track ids of the faces that are to change in this frame."""
        if tracked.cut:
            self._playing.clear()
        recognised = self._recognise(tracked) if self._recognise else {}
        chosen = set(self._also(tracked)) if self._also else set()
        for face in tracked.faces:
            parts = self._parts_of(face.track_id, recognised.get(face.track_id))
            if parts or face.track_id in chosen:
                chosen.add(face.track_id)
                self._playing[face.track_id] = parts
                self._played.update(parts)
        return chosen

    def _parts_of(self, track_id: int, recognised: int | None) -> tuple[FaceProgramme, ...]:
        by_looks = None if recognised is None else self._by_looks[recognised]
        named = tuple(part for part in (self._by_id.get(track_id), by_looks) if part is not None)
        return named or ((self._others,) if self._others else ())

    def __call__(self, pts: Fraction, track_id: int) -> Targets:
        parts = self._playing.get(track_id)
        if parts is None:
            return no_targets()
        return chain(self._common, *(part.programme for part in parts))(pts, track_id)

    def absent(self) -> list[str]:
        """Whom no face has been so far, one plain line each."""
        strangers = [part for part in self._by_id.values() if part not in self._played]
        lines = [f"there was no face {part.face}; `reenact aus` lists the ids" for part in strangers]
        for index, part in enumerate(self._by_looks):
            if part not in self._played:
                assert self._recognise is not None
                lines.append(f"no face was taken for {part.face}: {self._recognise.doubt(index)}")
        return lines
