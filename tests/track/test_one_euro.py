"""OneEuro follows fast values and removes the jitter of still ones."""

import numpy as np
import pytest

from reenact.track.one_euro import OneEuro

RATE_HZ = 30.0


def _run(smooth: OneEuro, values: np.ndarray, unit: float = 1.0) -> np.ndarray:
    return np.array([smooth(value, i / RATE_HZ, unit=unit) for i, value in enumerate(values)])


def test_first_values_come_back_as_they_are() -> None:
    values = np.array([[1.0, 2.0], [3.0, 4.0]], np.float32)
    assert np.array_equal(OneEuro(1.0, 0.1)(values, 5.0), values)


def test_noise_on_a_still_value_is_reduced_to_a_third() -> None:
    noise = np.random.default_rng(0).normal(0, 1, (300, 50)).astype(np.float32)
    assert _run(OneEuro(1.0, 0.0), noise)[60:].std() < noise[60:].std() / 3


def test_without_beta_it_is_the_plain_low_pass_of_the_cutoff() -> None:
    step = np.ones((10, 1), np.float32)
    step[0] = 0
    tau_s = 1 / (2 * np.pi * 2.0)
    keep = tau_s / (tau_s + 1 / RATE_HZ)
    expected = 1 - keep ** np.arange(10)
    assert _run(OneEuro(2.0, 0.0), step)[:, 0] == pytest.approx(expected, abs=1e-5)


def test_beta_takes_the_lag_out_of_fast_motion() -> None:
    ramp = np.linspace(0, 1000, 60, dtype=np.float32)[:, None]
    slow, fast = (ramp - _run(OneEuro(1.0, beta, 10.0), ramp) for beta in (0.0, 0.3))
    assert slow[-1, 0] > 50
    assert abs(fast[-1, 0]) < 1


def test_unit_makes_tuning_independent_of_size() -> None:
    path = np.cumsum(np.random.default_rng(1).normal(0, 1, (60, 4, 2)), axis=0).astype(np.float32)
    small = _run(OneEuro(1.0, 0.3, speed_axis=1), path, unit=1.0)
    large = _run(OneEuro(1.0, 0.3, speed_axis=1), 7 * path, unit=7.0)
    assert np.allclose(large, 7 * small, rtol=1e-4, atol=1e-3)


def test_speed_axis_keeps_a_moving_point_on_its_line() -> None:
    line = np.linspace(0, 1, 40)[:, None, None] * np.array([[300.0, 30.0]])
    separate, shared = (_run(OneEuro(1.0, 0.1, speed_axis=axis), line) for axis in (None, 1))
    assert np.allclose(shared[1:, 0, 0], 10 * shared[1:, 0, 1], rtol=1e-5)
    assert not np.allclose(separate[1:, 0, 0], 10 * separate[1:, 0, 1], rtol=1e-2)


@pytest.mark.parametrize("time_s", [1.0, 0.5])
def test_time_that_does_not_advance_starts_afresh(time_s: float) -> None:
    smooth = OneEuro(1.0, 0.0)
    smooth(np.zeros(1, np.float32), 0.9)
    smooth(np.zeros(1, np.float32), 1.0)
    assert smooth(np.ones(1, np.float32), time_s)[0] == 1


def test_the_answer_can_be_written_to_without_harm() -> None:
    smooth = OneEuro(1.0, 0.0)
    for i in range(3):
        answer = smooth(np.ones(3, np.float32), i / RATE_HZ)
        assert np.array_equal(answer, np.ones(3))
        answer[:] = 99


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_is_passed_over_and_never_stays(bad: float) -> None:
    smooth, untouched = OneEuro(1.0, 0.3, speed_axis=1), OneEuro(1.0, 0.3, speed_axis=1)
    path = np.cumsum(np.ones((30, 4, 2), np.float32), axis=0)
    for i, values in enumerate(path):
        spoilt = values.copy()
        if i in (0, 10):
            spoilt[1:3] = bad
        answer, right = smooth(spoilt, i / RATE_HZ), untouched(values, i / RATE_HZ)
        assert np.isfinite(answer).all() or i == 0
    assert np.abs(answer - right).max() < 0.1


@pytest.mark.parametrize(("time_s", "unit"), [(np.nan, 1.0), (0.1, 0.0), (0.1, np.nan)])
def test_a_time_or_unit_that_is_none_changes_nothing(time_s: float, unit: float) -> None:
    smooth = OneEuro(1.0, 0.3)
    smooth(np.ones(3, np.float32), 0.0)
    assert np.array_equal(smooth(np.full(3, 9, np.float32), time_s, unit=unit), np.ones(3))
    assert np.isfinite(smooth(np.full(3, 2, np.float32), 0.2)).all()
