"""What is ready before a camera's first frame."""

from __future__ import annotations

import numpy as np

from reenact.generate import open_generator
from reenact.generate.painters.creases import load_creases
from reenact.records import Frame, Generated, Retargeted
from reenact.run.warm_up import average_face, warm_up
from reenact.track import Tracker
from tests.support.golden import portrait


class Noted:
    """A generator that keeps what it is given and makes."""

    notes: tuple[str, ...] = ()

    def __init__(self) -> None:
        self.made: list[Generated] = []
        self._own = open_generator("live")

    @property
    def steps(self):
        return self._own.steps

    def __enter__(self):
        self._own.__enter__()
        return self

    def __exit__(self, *error):
        self._own.__exit__(*error)

    def __call__(self, retargeted: Retargeted) -> Generated:
        self.made.append(self._own(retargeted))
        return self.made[-1]


def test_the_generator_paints_a_face_with_an_open_mouth() -> None:
    load_creases.cache_clear()
    with Noted() as generator:
        warm_up(generator)
    (made,) = generator.made
    (patch,) = made.patches
    assert patch is not None
    x0, y0, x1, y1 = patch.region
    changed = np.abs(patch.image.astype(int) - made.frame.image[y0:y1, x0:x1]).max(axis=2)
    assert (changed > 60).mean() > 0.005, "the inside of the mouth"
    assert load_creases.cache_info().currsize == 1


def test_the_average_face_is_nobody_s() -> None:
    assert average_face().track_id < 0


def test_a_tracker_that_is_warm_finds_what_any_finds() -> None:
    picture = portrait().image
    found = []
    for warm in (False, True):
        with Tracker() as tracker:
            if warm:
                tracker.warm_up()
            found.append(tracker(Frame(picture)))
    cold, warm_one = found
    assert [face.track_id for face in warm_one.faces] == [face.track_id for face in cold.faces] == [0]
    np.testing.assert_array_equal(warm_one.faces[0].landmarks, cold.faces[0].landmarks)
