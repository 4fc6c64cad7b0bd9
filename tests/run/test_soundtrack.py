"""Where sound goes in a recording."""

from __future__ import annotations

import numpy as np
import pytest

from reenact.media.read.microphone import RATE
from reenact.run.recording.soundtrack import placed

PIECE = np.stack([np.linspace(-1, 1, RATE // 100, dtype=np.float32)] * 2)
MS = RATE // 1000


@pytest.mark.parametrize("due", [-5 * MS, -1, 0, 1, 5 * MS])
def test_sound_that_is_in_its_place_stays_as_it_is(due: int) -> None:
    np.testing.assert_array_equal(placed(PIECE, due), PIECE)


def test_where_sound_is_missing_silence_goes_in() -> None:
    result = placed(PIECE, 200 * MS)
    assert not result[:, : 200 * MS].any()
    np.testing.assert_array_equal(result[:, 200 * MS :], PIECE)


def test_what_comes_much_too_late_is_cut_off() -> None:
    long = np.tile(PIECE, 20)
    np.testing.assert_array_equal(placed(long, -60 * MS), long[:, 60 * MS :])
    assert placed(PIECE, -60 * MS).shape == (2, 0)


@pytest.mark.parametrize(("due", "longer"), [(20 * MS, 1), (-20 * MS, -1)])
def test_a_little_is_made_up_for_unheard_piece_by_piece(due: int, longer: int) -> None:
    result = placed(PIECE, due)
    assert result.shape[1] == PIECE.shape[1] + longer
    np.testing.assert_allclose(result[:, [0, -1]], PIECE[:, [0, -1]], atol=1e-6)
    assert np.abs(np.diff(result)).max() < 1.01 * np.abs(np.diff(PIECE)).max()


def test_a_drifting_track_comes_back_and_stays() -> None:
    """The card hears 100 ppm too few samples, and the recording starts 30 ms wrong."""
    written, off = 30 * MS, []
    for index in range(3000):
        due = round(index * 480 * (1 + 100e-6)) - written
        off.append(abs(due) / MS)
        written += placed(PIECE, due).shape[1]
    assert max(off[1500:]) <= 5.1


@pytest.mark.parametrize("count", [0, 1, 2])
@pytest.mark.parametrize("due", [-3000, -1000, 0, 1000, 3000])
def test_the_shortest_pieces_are_placed_too(count: int, due: int) -> None:
    result = placed(np.ones((2, count), np.float32), due)
    assert result.shape[0] == 2
    assert result.shape[1] <= count + max(due, 1)
