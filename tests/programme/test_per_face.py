"""Which programme goes to which face."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from calib.au import au_index, neutral_aus
from reenact.programme import Targets, parse_targets
from reenact.programme.face_choice import FaceChoiceOptions, FaceChooser
from reenact.programme.per_face import FaceProgramme, PerFaceProgramme
from reenact.programme.programme import ProgrammeFunction, scaled
from reenact.records import Frame, Measured, Tracked
from reenact.retarget import Retargeter
from reenact.retarget.options import RetargetOptions
from tests.support.faces import posed_face

SMILE, FROWN = parse_targets("AU12=+2"), parse_targets("AU04=+3")


def at(index: int, *ids: int, cut: bool = False) -> Measured:
    frame = Frame(np.zeros((8, 8, 3), np.uint8), Fraction(index, 30), index)
    faces = tuple(posed_face(track_id=track_id, scale=3.0 - track_id) for track_id in ids)
    return Measured(frame, faces, cut, tuple(neutral_aus() for _ in ids))


def shown(per_face: PerFaceProgramme, track_id: int, pts: Fraction = Fraction(0)) -> str:
    return str(per_face(pts, track_id))


class Sure:
    """Knows the references by track id."""

    def __init__(self, **known: int) -> None:
        self.known = {int(track_id[1:]): index for track_id, index in known.items()}

    def __call__(self, tracked: Tracked) -> dict[int, int]:
        return {
            face.track_id: self.known[face.track_id] for face in tracked.faces if face.track_id in self.known
        }

    def why_unmatched(self, index: int) -> str:
        return f"reason {index}"

    def restart(self) -> None:
        """Remembers nobody."""


def test_each_face_gets_its_part_and_nobody_else_changes() -> None:
    per_face = PerFaceProgramme([FaceProgramme(0, SMILE), FaceProgramme(1, FROWN)])
    assert per_face.choose(at(0, 0, 1, 2)) == {0, 1}
    assert [shown(per_face, track_id) for track_id in range(3)] == ["AU12=+2", "AU04=+3", "none"]


def test_the_part_for_others_goes_to_all_who_are_not_named() -> None:
    per_face = PerFaceProgramme([FaceProgramme(None, FROWN), FaceProgramme(1, SMILE)])
    assert per_face.choose(at(0, 0, 1, 2)) == {0, 1, 2}
    assert [shown(per_face, track_id) for track_id in range(3)] == ["AU04=+3", "AU12=+2", "AU04=+3"]


def test_what_is_common_comes_first_and_goes_to_the_named_alone() -> None:
    per_face = PerFaceProgramme([FaceProgramme(1, parse_targets("AU12=0"))], parse_targets("AU12=+2,AU04=+1"))
    assert per_face.choose(at(0, 0, 1)) == {1}
    assert shown(per_face, 1) == "AU04=+1,AU12=0"


def test_what_is_common_goes_to_others_who_are_asked_for_as_well() -> None:
    per_face = PerFaceProgramme(
        [FaceProgramme(1, SMILE)], FROWN, also=FaceChooser(FaceChoiceOptions(faces="largest"))
    )
    assert per_face.choose(at(0, 0, 1, 2)) == {0, 1}
    assert [shown(per_face, track_id) for track_id in range(3)] == ["AU04=+3", "AU04=+3,AU12=+2", "none"]


def test_a_face_is_found_by_its_looks_and_may_be_named_by_its_id_as_well() -> None:
    parts = [FaceProgramme("anna.png", SMILE), FaceProgramme(5, FROWN), FaceProgramme("ben.png", FROWN)]
    per_face = PerFaceProgramme(parts, recognise=Sure(t4=1, t5=0))
    assert per_face.choose(at(0, 3, 4, 5)) == {4, 5}
    assert shown(per_face, 4) == "AU04=+3"
    assert shown(per_face, 5) == "AU04=+3,AU12=+2"


def test_programmes_that_change_over_time_are_asked_with_the_track_id() -> None:
    asked = []

    def programme(pts: Fraction, track_id: int) -> Targets:
        asked.append((pts, track_id))
        return SMILE

    per_face = PerFaceProgramme([FaceProgramme(7, scaled(ProgrammeFunction(programme), 0.5))], FROWN)
    per_face.choose(at(0, 7))
    assert shown(per_face, 7, Fraction(1, 3)) == "AU04=+3,AU12=+1"
    assert asked == [(Fraction(1, 3), 7)]


def test_who_loses_a_part_fades_out_and_the_next_fades_in() -> None:
    sure = Sure(t0=0)
    per_face = PerFaceProgramme([FaceProgramme("anna.png", SMILE)], recognise=sure)
    retarget = Retargeter(per_face, RetargetOptions(faces=per_face.choose))

    def smiles(index: int) -> list[float]:
        return [float(change[..., au_index("AU12")].mean()) for change in retarget(at(index, 0, 1)).changes]

    assert smiles(0) == pytest.approx([2, 0])
    sure.known = {1: 0}
    steps = np.array([smiles(index) for index in range(1, 16)])
    assert (np.abs(np.diff(steps, axis=0)) < 0.5).all()
    assert steps[0, 0] > 1.5 > steps[7, 0] > steps[-1, 0] == 0
    assert steps[0, 1] < 0.5 < steps[7, 1] < steps[-1, 1] == 2


def test_a_cut_takes_everybody_off_the_stage() -> None:
    per_face = PerFaceProgramme([FaceProgramme(0, SMILE)])
    per_face.choose(at(0, 0))
    per_face.choose(at(1, 1, cut=True))
    assert shown(per_face, 0) == "none"


def test_those_who_never_came_are_named() -> None:
    parts = [
        FaceProgramme(0, SMILE),
        FaceProgramme(9, SMILE),
        FaceProgramme("anna.png", SMILE),
        FaceProgramme("ben.png", SMILE),
        FaceProgramme(None, FROWN),
    ]
    per_face = PerFaceProgramme(parts, recognise=Sure(t1=0))
    per_face.choose(at(0, 0, 1))
    assert per_face.absent() == [
        "there was no face 9; `reenact aus` lists the ids",
        "no face matched ben.png: reason 1",
    ]


def test_a_cast_says_what_it_is_made_of() -> None:
    per_face = PerFaceProgramme(
        [FaceProgramme(0, SMILE), FaceProgramme(None, ProgrammeFunction(lambda pts, track_id: FROWN))], FROWN
    )
    assert str(per_face) == "AU04=+3; face 0: AU12=+2; other faces: changing over time"
    assert str(PerFaceProgramme([FaceProgramme(0, SMILE)])) == "face 0: AU12=+2"
