"""The running estimate of a person's neutral, on faces made up and on labelled clips."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from calib.au import OPENFACE_COUNT, AUVector, as_vector, au_index, openface
from calib.neutral import NeutralEstimator, NeutralOptions, Rest

RATE = 15
SMILE, BLINK = au_index("AU12"), au_index("AU45")
AT_REST = as_vector(np.linspace(0, 1.2, OPENFACE_COUNT))
"""Read from the face of somebody who shows nothing."""


class Person:
    """Shows an expression for a while, on top of a face at rest that blinks and is read with noise."""

    def __init__(self, noise: float = 0.08, seed: int = 0) -> None:
        self.estimator = NeutralEstimator()
        self.time_s = 0.0
        self._noise = noise
        self._random = np.random.default_rng(seed)

    def shows(self, smile: float, seconds: float, moving: float = 0.0) -> Rest | None:
        """`moving`: how far every action unit goes up and down, twice a second."""
        rest = None
        for frame in range(round(seconds * RATE)):
            self.time_s += 1 / RATE
            aus = AT_REST + as_vector(self._random.normal(0, self._noise, OPENFACE_COUNT))
            aus += moving * (1 + np.sin(3.6 * np.pi * self.time_s))
            aus[SMILE] += smile
            aus[BLINK] += 3.0 * (frame % 50 < 3)
            rest = self.estimator.update(self.time_s, np.clip(aus, 0, 5).astype(np.float32))
        return rest


def neutral(rest: Rest | None) -> AUVector:
    assert rest is not None
    return rest.neutral


def test_a_face_at_rest_is_known_after_some_seconds():
    rest = Person().shows(0.0, 10)
    np.testing.assert_allclose(neutral(rest), AT_REST, atol=0.1)
    assert rest is not None and 7 < rest.rest_s < 10
    assert rest.wavering[1:-1] == pytest.approx(0.08, abs=0.03)


@pytest.mark.parametrize("smile", [0.8, 2.5])
@pytest.mark.parametrize("seconds", [60, 300])
def test_an_expression_that_is_held_does_not_become_the_neutral(smile, seconds):
    person = Person()
    before = neutral(person.shows(0.0, 10)).copy()
    after = neutral(person.shows(smile, seconds))
    assert abs(after[SMILE] - before[SMILE]) < 0.1
    np.testing.assert_allclose(after, before, atol=0.1)


def test_somebody_who_smiled_first_is_believed_when_the_smile_is_gone():
    person = Person()
    assert neutral(person.shows(2.0, 20))[SMILE] > 2.3
    assert neutral(person.shows(0.0, 5))[SMILE] == pytest.approx(AT_REST[SMILE], abs=0.1)


def test_a_face_that_moves_all_the_time_tells_nothing():
    person = Person()
    assert person.shows(0.0, 20, moving=0.5) is None
    assert person.estimator.rest_s < NeutralOptions.least_s


def test_talk_between_rests_does_not_raise_the_neutral():
    person = Person()
    for _ in range(10):
        person.shows(0.0, 1.5)
        rest = person.shows(0.0, 3, moving=0.6)
    np.testing.assert_allclose(neutral(rest), AT_REST, atol=0.15)


def test_gaps_and_time_that_runs_backwards_are_no_rest():
    estimator = NeutralEstimator()
    for _ in range(50):
        for time_s in (0.0, 5.0):
            assert estimator.update(time_s, AT_REST) is None
    assert estimator.rest_s == 0


def test_it_reads_the_same_whatever_the_frame_rate():
    found = []
    for rate in (10, 60):
        estimator = NeutralEstimator()
        for frame in range(8 * rate):
            rest = estimator.update(frame / rate, AT_REST)
        assert rest is not None and rest.rest_s == pytest.approx(7.7, abs=0.3)
        found.append(rest.neutral)
    np.testing.assert_array_equal(*found)
    np.testing.assert_allclose(found[0], AT_REST, atol=0.026)


@pytest.mark.slow
@pytest.mark.parametrize("clip", ["faces_d9.mp4", "talk_d3.mp4"])
def test_on_real_clips_it_is_below_most_of_what_is_shown_and_the_labels_agree(shared: Path, clip: str):
    from calib.commands.clips import labelled_readings

    folder = shared / "data" / "clips"
    seen = labelled_readings(folder / clip, folder / "labels" / f"{Path(clip).stem}.csv")
    estimator = NeutralEstimator()
    for time_s, aus in zip(seen.times_s, seen.readings, strict=True):
        rest = estimator.update(time_s, as_vector(aus))
    assert ((seen.readings < openface(neutral(rest)) - 0.1).mean(axis=0) < 0.5).all()
    calibrated = np.clip(seen.readings - openface(neutral(rest)), 0, 5)
    before, after = (np.abs(each - seen.normalised).mean() for each in (seen.readings, calibrated))
    assert after < before
