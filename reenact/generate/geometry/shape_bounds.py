"""Bounds of shape: mouths and eyes open, widen and narrow no further than people's do (calib.bounds)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from calib.au import AU_INDEX, GAZE, SIDES, Change
from calib.basis import AUBasis
from calib.bounds import (
    LEFT_CORNER,
    NOSE_BASE,
    RIGHT_CORNER,
    UPPER_LIP,
    held_above,
    held_below,
    load_bounds,
    measure_mouth,
    opening_mm,
)
from calib.openings import LEFT_EYE, MOUTH, RIGHT_EYE, Opening
from calib.ramp import ramp_of, smoothstep
from calib.shape import IRIS_START, load_shape
from reenact.generate.geometry.contact import LIP_PARTERS
from reenact.records import Face

LID_OPENERS = [AU_INDEX[number] for number in (5, 7, 45)]
"""Indices of the action units that open the eyes."""

SHUT_MM = (1.5, 4.5)
"""Openings of an eye, in millimetres, up to which it counts as shut, and from which on as open. Open eyes
have 6 to 11, blinks and winks end below 1."""
BESIDE_SHUT_MM = (4.5, 7.0)
"""The same for the turning of an eye beside one that is shut. Both eyes blink together, and in a film a shut
eye that is half turned away is often taken for one of 3 to 6 mm; the open eye of a wink has more."""
SHOWN_MM = 36.0
"""The largest opening of a mouth, in millimetres, that people in films were measured to show."""
MOUTH_SPREAD_MM = 22.0
"""Distance, in millimetres, around the mouth within which skin follows a correction of its width or
height."""


def limit_opening(face: Face, amounts: Change, basis: AUBasis, *, is_asked: bool = False) -> Change:
    """`amounts` (2, units), reduced where mouth or eyes would open further than people's.

    is_asked: whether the opening of the mouth is asked for in millimetres, as that of a driver, which
    somebody has shown. Both sides use the larger limit, so that what is asked equally of both stays equal.
    """
    bounds = load_bounds()
    shape_mm = face.pose.to_canonical(face.landmarks)
    amounts = _with_shut_eyes(shape_mm, amounts, basis)
    for openers, openings, bound in (
        (LIP_PARTERS, (MOUTH, MOUTH), SHOWN_MM if is_asked else bounds.mouth_opening),
        (LID_OPENERS, (RIGHT_EYE, LEFT_EYE), bounds.eye_opening),
    ):
        amounts = _limited(shape_mm, amounts, basis, openers, openings, bound)
    return amounts


def _with_shut_eyes(shape_mm: NDArray[np.float32], amounts: Change, basis: AUBasis) -> Change:
    """`amounts`, without what would open or turn an eye that is shut.

    The frame does not show its eyeball, so that lids drawn apart would show a dark smear; and blinks and
    winks are a person's own. Here the sides may differ, as the eyes do.
    """
    eyes = (RIGHT_EYE, LEFT_EYE)
    openings_mm = [opening_mm(shape_mm, eye) for eye in eyes]
    shares = [ramp_of(opening, SHUT_MM) for opening in openings_mm]
    if min(shares) == 1:
        return amounts
    amounts = amounts.copy()
    for side, (eye, share) in enumerate(zip(eyes, shares, strict=True)):
        for index in LID_OPENERS:
            if opening_mm(basis.displacements[index], eye) * amounts[side, index] > 0:
                amounts[side, index] *= share
        beside_shut = ramp_of(openings_mm[side], BESIDE_SHUT_MM)
        amounts[side, GAZE] *= min(share, max(shares[1 - side], beside_shut))
    return amounts


def _limited(
    shape_mm: NDArray[np.float32],
    amounts: Change,
    basis: AUBasis,
    openers: list[int],
    openings: Sequence[Opening],
    bound: float,
) -> Change:
    """`amounts` (2, units) with the `openers` scaled down on each side by the limit of its opening."""
    moved_mm = shape_mm + basis.move(amounts)
    share, opens = np.ones(len(SIDES)), np.zeros(amounts.shape, bool)
    for side, opening in enumerate(openings):
        own, wanted = opening_mm(shape_mm, opening), opening_mm(moved_mm, opening)
        excess = wanted - held_below(wanted, own, bound)
        if excess > 0:
            per_unit = np.array([opening_mm(basis.displacements[index], opening) for index in openers])
            opened = np.maximum(per_unit * amounts[side, openers], 0)
            opens[side, openers] = opened > 0
            share[side] = max(0.0, 1 - excess / max(float(opened.sum()), excess))
    if not opens.any():
        return amounts
    limited = np.where(opens, share[:, None].astype(np.float32) * amounts, amounts)
    direction = np.sign(amounts)
    furthest = (direction[:, None] * limited).max(axis=1)
    return direction * np.minimum(np.abs(amounts), furthest)


def bound_mouth(face: Face, amounts: Change, basis: AUBasis) -> NDArray[np.float32]:
    """(478, 3) the correction, in canonical millimetres, of the motion of `amounts` (2, units).

    Negative amounts return the mouth to rest (calib.bounds.Bounds.at_rest) and not beyond: its width, corners
    and upper lip are limited. Width and corners also stay within the bounds of people's mouths.
    """
    bounds = load_bounds()
    shape_mm = face.pose.to_canonical(face.landmarks)
    own = measure_mouth(shape_mm)
    taken = measure_mouth(shape_mm + basis.move(np.minimum(amounts, 0)))
    rest = bounds.at_rest(shape_mm)
    back = np.array(
        [
            max(0.0, min(now, at_rest) - after)
            for now, at_rest, after in (
                (own.width, rest.width, taken.width),
                (own.corners, rest.corners, taken.corners),
                (own.lip, rest.lip, taken.lip),
            )
        ]
    )
    wanted = measure_mouth(shape_mm + basis.move(amounts))
    width, corners = wanted.width + back[0], wanted.corners + back[1]
    held = held_below(width, own.width, bounds.widest)
    back[0] += held_above(held, min(own.width, rest.width), bounds.narrowest) - width
    back[1] += held_below(corners, own.corners, bounds.corners) - corners
    if not back.any():
        return np.zeros_like(shape_mm)
    motions = _corrections()
    return (back @ motions.reshape(len(motions), -1)).reshape(motions.shape[1:]).astype(np.float32)


@lru_cache(maxsize=1)
def _corrections() -> NDArray[np.float64]:
    """(3, 478, 3) motions of the mouth, each of which changes one of its width, the height of its corners and
    the height of its upper lip by 1 mm, and not the others."""
    canonical = load_shape().canonical.astype(np.float64)
    x, y = canonical[:, 0], canonical[:, 1]
    mouth = measure_mouth(canonical)
    half, middle = mouth.width / 2, canonical[list(MOUTH.outline), 1].mean()
    across = np.maximum(np.abs(x) - half, 0)
    # Skin above the mouth is short, so it follows as far as the nose.
    reach = np.where(y < middle, middle - canonical[NOSE_BASE, 1], MOUTH_SPREAD_MM)
    near = smoothstep(1 - np.hypot(across / MOUTH_SPREAD_MM, (y - middle) / reach))
    near[IRIS_START:] = 0
    at_corners = np.clip(np.abs(x) / half, 0, 1) ** 2
    motions = np.zeros((3, len(canonical), 3))
    motions[0, :, 0] = near * np.clip(x / half, -1, 1)
    motions[1, :, 1] = -near * at_corners
    motions[2, :, 1] = -near * (1 - at_corners)
    right, left = motions[:, RIGHT_CORNER], motions[:, LEFT_CORNER]
    nose = motions[:, NOSE_BASE, 1]
    changes = np.stack(
        [left[:, 0] - right[:, 0], nose - (left[:, 1] + right[:, 1]) / 2, nose - motions[:, UPPER_LIP, 1]],
        axis=1,
    )
    return np.tensordot(np.linalg.inv(changes), motions, 1)
