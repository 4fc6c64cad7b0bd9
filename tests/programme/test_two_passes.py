"""What is played twice starts anew: the second pass over a film does what the first one did."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from calib.au import neutral_aus
from reenact.media.image_file import load_still
from reenact.programme import Programme, Targets, parse_targets
from reenact.programme.au_recording import au_recording_of
from reenact.programme.driver import Driver
from reenact.programme.face_choice import FaceChooser
from reenact.programme.keyframes import Keyframe, Keyframes, Track
from reenact.programme.per_face import FaceProgramme, PerFaceProgramme
from reenact.programme.programme import ProgrammeChain, ScaledProgramme, chain
from reenact.programme.timeline import Scene, Timeline
from reenact.recognise.recogniser import Recogniser
from reenact.records import Frame, Measured, Tracked
from reenact.retarget import Retargeter
from reenact.retarget.controls import Controls, Settings
from reenact.retarget.live_retargeter import LiveRetargeter
from reenact.retarget.options import RetargetOptions
from reenact.run.demo import PORTRAIT
from reenact.run.files import EditOptions, open_still_edit
from reenact.verify import closed_loop
from tests.recognise.test_recogniser import ANNA, BEN, Looks
from tests.support.faces import posed_face, shows

SMILE, FROWN = parse_targets("AU12=+2"), parse_targets("AU04=+3")
LARGEST = RetargetOptions(faces="largest")


def scene(start: int, *scales: float, first_id: int) -> Iterator[Measured]:
    """Half a second of faces of these sizes, after a cut, with ids of its own as a tracker gives them."""
    for index in range(start, start + 15):
        frame = Frame(np.zeros((8, 8, 3), np.uint8), Fraction(index, 30), index)
        faces = tuple(
            posed_face(scale=scale, track_id=first_id + place) for place, scale in enumerate(scales)
        )
        yield Measured(frame, faces, index == start > 0, tuple(neutral_aus() for _ in faces))


FILM = (*scene(0, 2.0, 1.5, first_id=0), *scene(15, 1.5, 2.0, first_id=2))


def looks() -> Looks:
    """Anna is 0, and 3 after the cut; Ben is 1, and 2."""
    known = Looks()
    known.to_anna.update({0: 0.9, 1: 0.1, 2: 0.1, 3: 0.9})
    return known


PROGRAMMES: dict[str, Callable[[], Programme]] = {
    "targets": lambda: SMILE,
    "keyframes": lambda: Keyframes([Track(8, (Keyframe(0, 0, False), Keyframe(1, 3, False)))]),
    "timeline": lambda: Timeline((Scene("as it is", "none", 0.3), Scene("smile", "smile"))),
    "driver": lambda: Driver(au_recording_of([(0.0, shows()), (1.0, shows(AU12=3))])),
    "the largest as well": lambda: PerFaceProgramme(
        [FaceProgramme(1, FROWN)], SMILE, also=FaceChooser(LARGEST)
    ),
    "references": lambda: PerFaceProgramme(
        [FaceProgramme("anna.png", SMILE), FaceProgramme("ben.png", FROWN)],
        recognise=Recogniser([ANNA, BEN], looks()),
    ),
    "a programme per face within another": lambda: ProgrammeChain(
        (ScaledProgramme(PerFaceProgramme([FaceProgramme(0, SMILE)], also=FaceChooser(LARGEST)), 0.5), FROWN)
    ),
}


def pass_over(programme: Programme) -> list[np.ndarray]:
    """The changes of every face in every frame, of a run of its own."""
    faces = programme.choose if isinstance(programme, PerFaceProgramme) else "largest"
    retarget = Retargeter(programme, RetargetOptions(faces=faces))
    return [np.array(retarget(measured).changes) for measured in FILM]


@pytest.mark.parametrize("name", PROGRAMMES)
def test_a_programme_does_in_its_second_pass_what_it_did_in_its_first(name: str) -> None:
    programme = PROGRAMMES[name]()
    first, second = pass_over(programme), pass_over(programme)
    assert np.any(first[0]) or name in ("keyframes", "timeline", "driver"), "the first frame is changed"
    np.testing.assert_array_equal(first, second)


def test_a_programme_that_is_broken_off_starts_anew_as_well() -> None:
    programme = PROGRAMMES["references"]()
    whole = pass_over(programme)
    retarget = Retargeter(programme, RetargetOptions(faces=programme.choose))
    for measured in FILM[:20]:
        retarget(measured)
    np.testing.assert_array_equal(whole, pass_over(programme))


def test_who_was_absent_is_told_of_the_last_pass() -> None:
    per_face = PerFaceProgramme([FaceProgramme(0, SMILE)])
    pass_over(per_face)
    assert per_face.absent() == []
    Retargeter(per_face, RetargetOptions(faces=per_face.choose))(next(scene(0, 2.0, first_id=5)))
    assert per_face.absent() == ["there was no face 0; `reenact aus` lists the ids"]


def test_a_live_run_restarts_its_programme() -> None:
    def changes() -> list[np.ndarray]:
        retargeter = LiveRetargeter(Controls(Settings(per_face)), RetargetOptions(faces=per_face.choose))
        return [np.array(retargeter(measured).changes) for measured in FILM]

    per_face = PROGRAMMES["the largest as well"]()
    np.testing.assert_array_equal(changes(), changes())


def test_the_largest_is_chosen_anew_where_time_runs_backwards() -> None:
    choose = FaceChooser(LARGEST)
    assert [choose(measured) for measured in FILM][-1] == {3}
    assert choose(replace(FILM[0])) == {0}


def test_faces_are_looked_at_anew_where_time_runs_backwards() -> None:
    known = looks()
    recognise = Recogniser([ANNA, BEN], known)
    later = [replace(measured, cut=False) for measured in FILM[15:]]
    assert [recognise(measured) for measured in later][-1] == {2: 1, 3: 0}
    count = known.count
    assert recognise(Tracked(FILM[0].frame, later[0].faces)) == {2: 1, 3: 0}
    assert known.count == count + 2


def test_the_programme_of_every_draft_starts_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    passes: list[list[np.ndarray]] = []

    class Edit:
        def __init__(self, targets: Programme, options: EditOptions) -> None:
            self._retarget = Retargeter(targets, options.retarget)

        def run(self, watch: object) -> None:
            passes.append([np.array(self._retarget(measured).changes) for measured in FILM])

    @contextmanager
    def opened(source: Path, output: Path, targets: Programme, options: EditOptions, **_: object):
        yield Edit(targets, options)

    monkeypatch.setattr(closed_loop, "open_edit", opened)
    monkeypatch.setattr(closed_loop, "read_output", lambda *_: [])
    per_face = PROGRAMMES["references"]()
    options = EditOptions(retarget=RetargetOptions(faces=per_face.choose))
    closed_loop.close_loop(tmp_path, tmp_path, per_face, options, 3)
    assert len(passes) == 3
    for again in passes[1:]:
        np.testing.assert_array_equal(passes[0], again)


def test_a_picture_that_is_edited_again_and_again_is_each_time_as_the_first() -> None:
    asked: list[Targets] = [parse_targets(text) for text in ("laugh", "AU45=5", "surprise", "laugh")]
    with open_still_edit(load_still(PORTRAIT), EditOptions()) as edit:
        first, *_, last = [edit(targets).image for targets in asked]
        per_face = PerFaceProgramme([FaceProgramme(0, chain(asked[0]))])
        chosen = replace(edit, options=EditOptions(retarget=RetargetOptions(faces=per_face.choose)))
        played = [chosen(per_face).image for _ in range(2)]
    np.testing.assert_array_equal(first, last)
    np.testing.assert_array_equal(played[0], played[1])
    np.testing.assert_array_equal(first, played[0])
