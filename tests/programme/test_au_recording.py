"""What a driver's face shows over time."""

from __future__ import annotations

import numpy as np
import pytest

from calib.au import AU_COUNT, OPENFACE_COUNT, OPENING_PLACES, au_index, both, openface
from reenact.programme.au_recording import BRIDGED_S, FADE_S, RESTING_FRAMES, AURecording, au_recording_of
from tests.support.faces import shows

SMILE = au_index("AU12")


def reading(time_s, smile):
    aus = np.zeros(AU_COUNT, np.float32)
    aus[SMILE] = smile
    return time_s, aus


def smile_at(recording, time_s):
    sides, level = recording.at(time_s)
    aus = both(sides)
    return float(aus[SMILE]), level


def test_readings_are_shown_at_their_times_and_mixed_in_between():
    recording = au_recording_of([reading(1.0, 1), reading(1.1, 3)])
    assert smile_at(recording, 1.0) == (1, 1)
    assert smile_at(recording, 1.1) == (3, 1)
    assert smile_at(recording, 1.025) == pytest.approx((1.5, 1))


def test_a_picture_holds_for_ever():
    recording = au_recording_of([reading(0.0, 2)])
    assert recording.is_still
    assert [smile_at(recording, time_s) for time_s in (-5, 0, 1e6)] == [(2, 1)] * 3


def test_a_short_gap_is_bridged_and_a_long_one_fades_out_and_in():
    short = au_recording_of([reading(0.0, 1), reading(BRIDGED_S, 3)])
    assert smile_at(short, BRIDGED_S / 2) == pytest.approx((2, 1))
    long = au_recording_of([reading(0.0, 1), reading(10.0, 3)])
    assert smile_at(long, FADE_S / 2) == pytest.approx((1, 0.5))
    assert long.at(5.0)[1] == 0
    assert smile_at(long, 10.0 - FADE_S / 2) == pytest.approx((3, 0.5))
    assert smile_at(long, 10.0) == (3, 1)


def test_there_is_nothing_long_before_and_after_it_and_no_jump():
    recording = au_recording_of([reading(1.0, 2), reading(1.1, 2)])
    levels = [recording.at(time_s)[1] for time_s in np.linspace(0, 2.1, 400)]
    assert levels[0] == levels[-1] == 0 and max(levels) == 1
    assert np.abs(np.diff(levels)).max() < 0.05


def test_it_may_be_shown_over_and_over():
    recording = au_recording_of([reading(1.0, 0), reading(1.2, 1), reading(1.4, 2)])
    looped = [recording.looped(time_s) for time_s in (0.5, 1.4, 1.5, 1.9)]
    assert looped == pytest.approx([0.5, 1.4, 1.1, 1.1])
    assert au_recording_of([reading(0.0, 2)]).looped(5.0) == 5.0


def test_the_face_at_rest_is_what_it_seldom_falls_below():
    smiles = [0.5] * RESTING_FRAMES + [4] * RESTING_FRAMES
    recording = au_recording_of([reading(index / 30, smile) for index, smile in enumerate(smiles)])
    assert recording.neutral[SMILE] == 0.5
    assert not np.delete(openface(recording.neutral), SMILE).any()


def test_of_few_frames_none_counts_as_rest():
    assert not au_recording_of([reading(0.0, 2), reading(0.1, 2)]).neutral[:OPENFACE_COUNT].any()


def test_order_does_not_matter_and_of_two_readings_at_one_time_the_first_counts():
    recording = au_recording_of([reading(0.2, 3), reading(0.1, 1), reading(0.2, 5)])
    assert recording.times_s.tolist() == [0.1, 0.2]
    assert recording.aus[:, SMILE].tolist() == [1, 3]


def test_smoothing_takes_half_of_a_spike_and_does_not_shift_it():
    spike = [0, 0, 0, 2, 0, 0, 0]
    recording = au_recording_of([reading(index / 30, value) for index, value in enumerate(spike)])
    assert recording.smoothed().aus[:, SMILE].tolist() == [0, 0, 0.5, 1, 0.5, 0, 0]


def test_smoothing_keeps_a_level_and_the_times():
    recording = au_recording_of([reading(index / 30, 2) for index in range(5)])
    smooth = recording.smoothed()
    assert np.array_equal(smooth.aus, recording.aus)
    assert np.array_equal(smooth.times_s, recording.times_s)
    assert isinstance(smooth, AURecording)


def test_a_neutral_without_openings_leaves_them_to_the_recording() -> None:
    shown = shows(AU12=2)
    shown[OPENING_PLACES] = 8, 63.6, 10
    recording = au_recording_of([(0.0, shown)]).with_neutral(shows(AU12=1))
    assert recording.neutral[SMILE] == 1
    assert recording.neutral[OPENING_PLACES] == pytest.approx([0, 60, 10], abs=0.01)
