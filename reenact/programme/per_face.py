"""A programme of its own for each face."""

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
    """Finds the faces of references; implemented by reenact.recognise.recogniser.Recogniser."""

    def __call__(self, tracked: Tracked) -> dict[int, int]:
        """The indices of references by the track ids of the faces that look like them."""
        ...

    def why_unmatched(self, index: int) -> str:
        """The reason why no face matched the reference of this index, in a few words."""
        ...

    def restart(self) -> None:
        """Forgets all faces so far."""


@dataclass(frozen=True, eq=False)
class FaceProgramme:
    """The programme of one face."""

    face: int | str | None
    """A track id or the name of a reference. None: all faces that no other programme names."""
    programme: Programme
    """What the face shows over time."""

    def __str__(self) -> str:
        who = "other faces" if self.face is None else f"face {self.face}"
        return f"{who}: {self.programme}"


class PerFaceProgramme(Programme):
    """A programme that is made of one for each face, and the choice of faces that goes with it.

    `choose` must be called with every frame before the frame's targets are asked for, because it recognises
    the faces. The common programme comes first, then the one that names the face by its id, then the one of
    the reference that it looks like. A face that neither names takes the programme for all other faces.
    """

    def __init__(
        self,
        parts: Sequence[FaceProgramme],
        common: Programme | None = None,
        *,
        also: FaceChooser | None = None,
        recognise: FaceRecogniser | None = None,
    ) -> None:
        """common: the programme that comes before those of all chosen faces. None: no targets.
        also: chooses more faces, which get the common programme alone. None: no more faces.
        recognise: finds the references that the parts name, in their order. None: they name none."""
        self._parts = tuple(parts)
        self._by_id = {part.face: part for part in parts if isinstance(part.face, int)}
        self._by_looks = [part for part in parts if isinstance(part.face, str)]
        self._others = next((part for part in parts if part.face is None), None)
        self._common = no_targets() if common is None else common
        self._also = also
        self._recognise = recognise
        self._forget()

    def _forget(self) -> None:
        self._used: set[FaceProgramme] = set()
        self._current: dict[int, tuple[FaceProgramme, ...]] = {}
        """The programmes by track id. A face that has lost one keeps it here while its change fades out."""

    def restart(self) -> None:
        """Forgets all frames so far."""
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
        """The track ids of the faces to change in this frame."""
        if tracked.cut:
            self._current.clear()
        recognised = self._recognise(tracked) if self._recognise else {}
        chosen = set(self._also(tracked)) if self._also else set()
        for face in tracked.faces:
            parts = self._parts_of(face.track_id, recognised.get(face.track_id))
            if parts or face.track_id in chosen:
                chosen.add(face.track_id)
                self._current[face.track_id] = parts
                self._used.update(parts)
        return chosen

    def _parts_of(self, track_id: int, recognised: int | None) -> tuple[FaceProgramme, ...]:
        by_looks = None if recognised is None else self._by_looks[recognised]
        named = tuple(part for part in (self._by_id.get(track_id), by_looks) if part is not None)
        return named or ((self._others,) if self._others else ())

    def __call__(self, pts: Fraction, track_id: int) -> Targets:
        parts = self._current.get(track_id)
        if parts is None:
            return no_targets()
        return chain(self._common, *(part.programme for part in parts))(pts, track_id)

    def absent(self) -> list[str]:
        """The programmes that no face has taken so far, one line for the user each."""
        missing = [part for part in self._by_id.values() if part not in self._used]
        lines = [f"there was no face {part.face}; `reenact aus` lists the ids" for part in missing]
        for index, part in enumerate(self._by_looks):
            if part not in self._used:
                assert self._recognise is not None
                lines.append(f"no face matched {part.face}: {self._recognise.why_unmatched(index)}")
        return lines
