"""What the face detector answers becomes boxes."""

from __future__ import annotations

import numpy as np
import pytest

from reenact.track.blaze_face import anchors, read_detections

NOTHING = np.full(896, -50, np.float32)
CELL_4_4 = 2 * (4 * 16 + 4)
"""The first anchor at (36, 36)."""


def answers(**faces: tuple[int, float, tuple[float, ...]]) -> tuple[np.ndarray, np.ndarray]:
    """Offsets and scores: name=(anchor, score before the sigmoid, (x, y, width, height) in pixels)."""
    offsets, logits = np.zeros((896, 16), np.float32), NOTHING.copy()
    for index, logit, (x, y, width, height) in faces.values():
        ax, ay = anchors()[index]
        right, left = (x - width / 5, y - height / 5), (x + width / 5, y - height / 5)
        offsets[index, :8] = [
            x - ax,
            y - ay,
            width,
            height,
            right[0] - ax,
            right[1] - ay,
            left[0] - ax,
            left[1] - ay,
        ]
        logits[index] = logit
    return offsets, logits


def test_anchors_lie_on_both_grids_row_by_row() -> None:
    places = anchors()
    assert places.shape == (896, 2)
    assert places[:3].tolist() == [[4, 4], [4, 4], [12, 4]]
    assert places[32].tolist() == [4, 12]
    assert places[512:519].tolist() == [[8, 8]] * 6 + [[24, 8]]
    assert places[-1].tolist() == [120, 120]


def test_a_box_is_an_offset_from_its_anchor() -> None:
    (face,) = read_detections(*answers(one=(CELL_4_4, 3.0, (40, 44, 30, 20))), threshold=0.5)
    assert face.box == pytest.approx((25, 34, 30, 20))
    assert (*face.right_eye, *face.left_eye) == pytest.approx((34, 40, 46, 40))
    assert face.score == pytest.approx(1 / (1 + np.exp(-3)))


def test_anchors_that_agree_are_averaged_by_their_scores() -> None:
    found = read_detections(
        *answers(sure=(CELL_4_4, 100.0, (40, 40, 30, 30)), less=(CELL_4_4 + 2, 0.0, (43, 40, 30, 30))), 0.4
    )
    (face,) = found
    assert face.box == pytest.approx((26, 25, 30, 30))  # a third of the way: scores 1 and 0.5
    assert face.score == 1


def test_faces_apart_stay_apart_and_the_surest_is_first() -> None:
    found = read_detections(
        *answers(one=(CELL_4_4, 1.0, (40, 40, 30, 30)), other=(600, 2.0, (90, 90, 30, 30))), 0.5
    )
    assert [face.box[0] for face in found] == [75, 25]


def test_what_is_below_the_threshold_or_no_number_is_no_face() -> None:
    offsets, logits = answers(one=(CELL_4_4, -0.1, (40, 40, 30, 30)))
    assert read_detections(offsets, logits, 0.5) == []
    logits[:] = np.nan
    assert read_detections(offsets, logits, 0.5) == []


def test_extreme_scores_do_not_overflow() -> None:
    with np.errstate(all="raise"):
        found = read_detections(*answers(one=(CELL_4_4, 1e30, (40, 40, 30, 30))), threshold=0.5)
    assert [face.score for face in found] == [1]


def test_a_box_without_a_size_is_harmless() -> None:
    found = read_detections(*answers(one=(CELL_4_4, 5.0, (40, 40, 0, 0))), threshold=0.5)
    assert len(found) == 1
