"""A change that grows little by little is seen to grow, and does not jump, because changes vary with time."""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise

import numpy as np
import pytest

from calib.au import AU_COUNT, Change
from calib.basis import load_basis
from reenact.generate import MovedFace
from reenact.generate.painters.paint import polygon
from reenact.records import Face, Frame
from reenact.track import Tracker, TrackerOptions
from tests.support.faces import change
from tests.support.golden import portrait


@lru_cache(maxsize=1)
def seen() -> tuple[Frame, Face]:
    frame = Frame(portrait().image)
    with Tracker(TrackerOptions(stills=True, smoothing=False)) as track:
        return frame, track(frame).faces[0]


def shown(asked: Change) -> np.ndarray:
    frame, face = seen()
    image = frame.image.astype(int)
    patch = MovedFace(load_basis())(frame, face, np.zeros(AU_COUNT, np.float32), asked)
    if patch is not None:
        x0, y0, x1, y1 = patch.region
        image[y0:y1, x0:x1] = patch.image
    return image


@pytest.mark.parametrize(
    "aus",
    [{"AU12": 1, "AU25": 1}, {"AU12": -1}, {"AU25": -1}, {"AU25": 1}, {"AU15": 1}, {"AU20": 1}, {"AU09": 1}],
    ids="+".join,
)
def test_a_mouth_that_begins_to_move_does_not_jump(aus: dict[str, float]):
    pictures = [
        shown(change(**{name: step * 0.01 * value for name, value in aus.items()})) for step in range(20)
    ]
    jumps = [np.abs(after - before).max() for before, after in pairwise(pictures)]
    assert (pictures[-1] != pictures[0]).any() and max(jumps) < 60


@pytest.mark.parametrize("width", [45, 120])
def test_the_edge_of_a_polygon_moves_with_it(width: int):
    angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    radii = np.array([width / 2, width / 4])
    outline = (np.stack([np.cos(angles), np.sin(angles)], axis=1) + 1) * radii + 10
    box = (0, 0, width + 20, width // 2 + 20)
    masks = [
        polygon((outline + step * np.array([0.013, 0.02])).astype(np.float32), box) for step in range(60)
    ]
    assert max(np.abs(after - before).max() for before, after in pairwise(masks)) < 0.1
    x, y = outline.T
    area = abs(x @ np.roll(y, 1) - y @ np.roll(x, 1)) / 2
    around = np.linalg.norm(outline - np.roll(outline, 1, axis=0), axis=1).sum()
    # Half a pixel, and the slight blur of a convex edge.
    assert area + 0.5 * around < masks[0].sum() < area + 1.1 * around
