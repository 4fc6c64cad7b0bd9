"""What is remembered of a face's skin from frame to frame."""

from __future__ import annotations

import numpy as np
import pytest

from reenact.generate.painters.skin import Skin, SkinMemory, SkinMemoryOptions

OPTIONS = SkinMemoryOptions()
BARE = np.ones((4, 4), np.float32)


class Looks:
    """A memory, and the number of looks at the skin."""

    def __init__(self) -> None:
        self.memory, self.count = SkinMemory(), 0

    def at(self, time_s: float, roughness: float = 0.01, track_id: int = 0) -> Skin:
        def look() -> Skin:
            self.count += 1
            return Skin(BARE, roughness)

        return self.memory(track_id, time_s, look)


def test_skin_is_looked_at_about_ten_times_a_second() -> None:
    looks = Looks()
    for index in range(90):
        looks.at(index / 30)
    assert looks.count == 30
    looks = Looks()
    for index in range(50):
        looks.at(round(index / 25, 3))
    assert 15 <= looks.count <= 20


def test_roughness_follows_slowly_and_in_the_end() -> None:
    looks = Looks()
    looks.at(0, 0.01)
    assert 0.01 < looks.at(0.1, 0.02).roughness < 0.011
    for tenth in range(2, 80):
        roughness = looks.at(tenth / 10, 0.02).roughness
    assert roughness == pytest.approx(0.02, rel=0.01)


def test_noise_of_the_measurement_hardly_passes() -> None:
    looks, noise = Looks(), np.random.default_rng(0).normal(0, 0.1, 200)
    seen = [looks.at(tenth / 10, 0.01 * np.exp(one)).roughness for tenth, one in enumerate(noise)][50:]
    assert np.std(np.log(seen)) < 0.3 * noise.std()


@pytest.mark.parametrize("then_s", [5.0, 4.0, 5.0 + OPTIONS.forget_s + 0.01])
def test_another_picture_is_seen_as_it_is(then_s: float) -> None:
    looks = Looks()
    looks.at(5.0, 0.01)
    assert looks.at(then_s, 0.03).roughness == 0.03
    assert looks.count == 2


def test_each_face_has_skin_of_its_own_and_those_that_are_gone_are_forgotten() -> None:
    looks = Looks()
    looks.at(0, 0.01, track_id=0)
    assert looks.at(0.01, 0.03, track_id=1).roughness == 0.03
    for tenth in range(1, 30):
        looks.at(tenth / 10, 0.03, track_id=1)
    assert looks.at(2.95, 0.02, track_id=0).roughness == 0.02


def test_skin_without_any_roughness_is_no_error() -> None:
    looks = Looks()
    looks.at(0, 0.0)
    assert looks.at(0.1, 0.02).roughness == 0.02
