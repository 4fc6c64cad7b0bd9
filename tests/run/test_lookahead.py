"""Pictures of mouths that are collected from a film before it is edited."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from reenact.media.read import open_capture
from reenact.media.read.video_file import _spread
from reenact.run.lookahead import LookAheadOptions, MouthViewsByPerson, look_ahead
from reenact.track import TrackerOptions
from tests.support.faces import closed_mouth, posed_face
from tests.support.media import Film, write_film
from tests.support.mouths import drawn, open_face

SMILE = open_face(above_mm=5, below_mm=4)
SMILING = drawn(SMILE, teeth_mm=6)
SHUT = posed_face(scale=3.0, landmarks_mm=closed_mouth())


class Faces:
    """Tells faces apart by the level of their picture's first pixel."""

    threshold = 0.5

    def __call__(self, image, face):
        return np.eye(4, dtype=np.float32)[image[0, 0, 0] // 64]


def of_person(number, frame=SMILING):
    image = frame.image.copy()
    image[0, 0] = 64 * number
    return replace(frame, image=image)


def test_sampled_places_are_spread_ever_finer():
    assert [float(share) for share in _spread(6)] == [0.5, 0.25, 0.75, 0.125, 0.375, 0.625]


def test_a_person_who_was_seen_is_known_again_and_another_is_not():
    known = MouthViewsByPerson(Faces())
    known.add(of_person(1), SMILE)
    assert known(of_person(1), SMILE).upper is not None
    assert known(of_person(2), SMILE).upper is None
    assert len(known) == 1


def test_the_better_of_two_views_is_kept():
    known = MouthViewsByPerson(Faces())
    small = open_face(scale=1.5, above_mm=5, below_mm=4)
    known.add(of_person(1, drawn(small, teeth_mm=6)), small)
    first = known(of_person(1), SMILE).upper
    known.add(of_person(1), SMILE)
    assert len(known) == 1
    assert known(of_person(1), SMILE).upper.quality > first.quality


def test_a_face_with_shut_lips_is_not_added():
    known = MouthViewsByPerson(Faces())
    known.add(of_person(1, drawn(SHUT)), SHUT)
    assert len(known) == 0


def test_several_openings_of_a_person_are_kept():
    known = MouthViewsByPerson(Faces())
    wide = open_face(above_mm=6, below_mm=16)
    known.add(of_person(1), SMILE)
    known.add(of_person(1, drawn(wide, teeth_mm=6)), wide)
    assert len(known) == 1 and len(known(of_person(1), SMILE)) == 2


@pytest.mark.parametrize("count", [1, 4])
def test_sampled_frames_are_frames_of_the_film(tmp_path, count):
    path = write_film(tmp_path / "film.mp4", Film())
    with open_capture(path) as capture:
        every = {frame.image.tobytes() for frame in capture}
        sampled = list(capture.sampled_frames(count))
    assert len(sampled) == count
    assert all(frame.image.tobytes() in every for frame in sampled)


def test_several_frames_are_sampled_from_one_part_of_a_film(tmp_path):
    with open_capture(write_film(tmp_path / "film.mp4", Film())) as capture:
        times = [float(frame.pts) for frame in capture.sampled_frames(4)]
    assert times == sorted(times)
    assert all(0.2 < later - earlier < 0.35 for earlier, later in pairwise(times))


def test_a_film_without_faces_gives_no_mouths(tmp_path):
    path = write_film(tmp_path / "film.mp4", Film())
    with open_capture(path) as capture:
        assert len(look_ahead(capture, TrackerOptions(), options=LookAheadOptions(frames=2))) == 0
