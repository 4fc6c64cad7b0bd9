"""Draws objects that hide mouths into pictures of faces: masks, hands, cups, microphones, other shapes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from calib.estimator import JAW
from calib.openings import OUTER_LIPS

Alpha: TypeAlias = NDArray[np.float32]
"""(height, width) the share of each pixel that an occluder covers, 0..1."""
Texture: TypeAlias = NDArray[np.float32]
"""(height, width, 3) RGB, 0..255."""
Shape: TypeAlias = Callable[[NDArray[np.float32], tuple[int, int], Generator], Alpha]
"""A function from landmarks (478, 2), the picture's size (height, width) and a random generator to an
alpha."""

_FOREHEAD = (151, 9, 108, 337)
_UNDER_EYES = ((116, 345), (117, 346), (50, 280), (123, 352))
"""Landmarks on the right and the left cheek for the upper corners of masks."""
_NOSE = (6, 197, 195, 5, 4, 2)
"""Landmarks down the nose for the upper edges of masks; at the last one the nose is uncovered."""


@dataclass(frozen=True, eq=False)
class Occluded:
    """A picture with an occluder in front of the face."""

    image: NDArray[np.uint8]
    """(height, width, 3) RGB."""
    covered: float
    """The share of the mouth that is covered, 0..1."""


def occlude(
    image: NDArray[np.uint8], landmarks: NDArray[np.float32], other: NDArray[np.uint8], rng: Generator
) -> Occluded:
    """Draws a random occluder. other: another picture (RGB), from which its texture may be taken."""
    size, places = _size(image), landmarks[:, :2]
    shape = SHAPES[rng.choice(len(SHAPES), p=_SHARES)]
    alpha = shape(places, size, rng)
    if rng.random() < 0.25:
        alpha = _moved_away(alpha, places, rng)
    skin_like = shape is hand and rng.random() < 0.85
    texture = _skin_texture(image, places, size, rng) if skin_like else _texture(size, other, rng)
    texture = texture * _shading(alpha, rng)[..., None]
    alpha = cv2.GaussianBlur(alpha, (0, 0), rng.uniform(0.4, 1.4))
    drawn = _with_shadow(image.astype(np.float32), alpha, rng)
    drawn += alpha[..., None] * (np.clip(texture, 0, 255) - drawn)
    mouth = np.zeros(size, np.uint8)
    cv2.fillPoly(mouth, [np.rint(places[list(OUTER_LIPS)]).astype(np.int32)], 1)
    covered = float(alpha[mouth > 0].mean()) if mouth.any() else 0.0
    return Occluded(np.rint(np.clip(drawn, 0, 255)).astype(np.uint8), covered)


def face_mask(places: NDArray[np.float32], size: tuple[int, int], rng: Generator) -> Alpha:
    """Draws a mask from the nose to below the chin, along the jaw or as a plain rectangle."""
    right, left = (places[index] for index in _UNDER_EYES[rng.integers(len(_UNDER_EYES))])
    nose, chin = places[_NOSE[rng.integers(len(_NOSE))]], places[152]
    down = chin - places[168]
    if rng.random() < 0.3:
        centre = (nose + chin) / 2 + rng.uniform(-0.03, 0.06) * down
        wide = float(np.linalg.norm(left - right)) * rng.uniform(0.8, 1.25)
        high = float(np.linalg.norm(chin - nose)) * rng.uniform(0.8, 1.2)
        return _rounded(centre, (wide, high), _angle(right, left), rng.uniform(0.05, 0.5), size)
    jaw = places[list(JAW[2:-2])]
    jaw = jaw + rng.uniform(-0.04, 0.08) * (jaw - places[list(JAW)].mean(axis=0))
    nose = nose + rng.uniform(-0.02, 0.05) * down
    outline = np.vstack([right, nose, left, jaw[::-1]])
    return _filled([cv2.convexHull(outline.astype(np.float32))[:, 0]], size)


def hand(places: NDArray[np.float32], size: tuple[int, int], rng: Generator) -> Alpha:
    """Draws parallel fingers in front of the mouth, often with their palm."""
    unit = _face_width(places)
    centre = _mouth(places) + rng.normal(0, 0.1, 2) * unit
    angle = rng.uniform(0, np.pi)
    along = np.array([np.cos(angle), np.sin(angle)])
    across = np.array([-along[1], along[0]])
    thick = rng.uniform(0.1, 0.16) * unit
    alpha = np.zeros(size, np.float32)
    count = rng.integers(2, 5)
    for finger in range(count):
        middle = centre + (finger - (count - 1) / 2) * thick * rng.uniform(0.92, 1.12) * across
        tip = middle + along * unit * rng.uniform(0.2, 0.45)
        root = middle - along * unit * rng.uniform(0.3, 0.9)
        alpha = np.maximum(alpha, _capsule(root, tip, thick * rng.uniform(0.85, 1.0), size))
    if rng.random() < 0.6:
        palm = centre - along * unit * rng.uniform(0.3, 0.7)
        wide = thick * count * rng.uniform(1.0, 1.3)
        axes = (wide * 0.6, wide * rng.uniform(0.55, 0.8))
        alpha = np.maximum(alpha, _ellipse(palm, axes, np.degrees(angle), size))
    return alpha


def cup(places: NDArray[np.float32], size: tuple[int, int], rng: Generator) -> Alpha:
    """Draws a cup, a bottle, a telephone or a sheet of paper in front of the mouth."""
    unit = _face_width(places)
    wide, high = unit * rng.uniform(0.3, 0.9), unit * rng.uniform(0.35, 1.1)
    centre = _mouth(places) + np.array([rng.normal(0, 0.08), rng.uniform(-0.05, 0.45)]) * unit
    if rng.random() < 0.3:
        return _ellipse(centre, (wide / 2, high / 2), rng.uniform(-40, 40), size)
    return _rounded(centre, (wide, high), rng.uniform(-0.5, 0.5), rng.uniform(0, 0.4), size)


def microphone(places: NDArray[np.float32], size: tuple[int, int], rng: Generator) -> Alpha:
    """Draws a ball on a stick from below or from a side."""
    unit = _face_width(places)
    centre = _mouth(places) + rng.normal(0, 0.08, 2) * unit
    ball = unit * rng.uniform(0.14, 0.3)
    angle = rng.uniform(-0.2, np.pi + 0.2)
    end = centre + np.array([np.cos(angle), np.sin(angle)]) * unit * 1.5
    stick = _capsule(centre, end, ball * rng.uniform(0.5, 1.4), size)
    return np.maximum(stick, _ellipse(centre, (ball, ball * rng.uniform(0.9, 1.3)), np.degrees(angle), size))


def anything(places: NDArray[np.float32], size: tuple[int, int], rng: Generator) -> Alpha:
    """Draws a smooth outline around the mouth, for a scarf, food, flowers or another head."""
    unit = _face_width(places)
    angles = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    radius = (
        unit * rng.uniform(0.25, 0.6) * (1 + 0.25 * np.sin(angles * rng.integers(1, 4) + rng.uniform(0, 6)))
    )
    centre = _mouth(places) + rng.normal(0, 0.12, 2) * unit
    spread = rng.uniform(0.7, 1.4)
    outline = centre + radius[:, None] * np.stack([spread * np.cos(angles), np.sin(angles) / spread], axis=1)
    return _filled([outline], size)


SHAPES: tuple[Shape, ...] = (face_mask, hand, cup, microphone, anything)
_SHARES = (0.35, 0.25, 0.15, 0.13, 0.12)


def painted_face(
    image: NDArray[np.uint8], landmarks: NDArray[np.float32], rng: Generator
) -> NDArray[np.uint8]:
    """Returns the face with a beard, lipstick or other light, which do not hide the mouth but look
    similar."""
    drawn = image.astype(np.float32)
    size, places = _size(image), landmarks[:, :2]
    if rng.random() < 0.25:
        below = np.array([0, 0.03 * _face_width(places)])
        outline = np.vstack([places[[205, 2, 425]] + below, places[list(JAW[3:-3])][::-1]])
        beard = _filled([cv2.convexHull(outline.astype(np.float32))[:, 0]], size)
        beard = cv2.GaussianBlur(beard, (0, 0), rng.uniform(2, 7)) * rng.uniform(0.4, 0.95)
        beard *= 1 - _filled([places[list(OUTER_LIPS)]], size)
        hair = rng.uniform(15, 110) * np.array([1, rng.uniform(0.8, 1), rng.uniform(0.65, 1)])
        rough = 1 + 0.35 * _noise(size, 1.2, rng)[..., None]
        drawn += beard[..., None] * (hair * rough - drawn)
    if rng.random() < 0.25:
        lips = cv2.GaussianBlur(_filled([places[list(OUTER_LIPS)]], size), (0, 0), 1.2)
        colour = rng.uniform((90, 10, 10), (255, 150, 160))
        light = drawn.mean(axis=2, keepdims=True) / max(float(drawn[lips > 0.5].mean()), 1.0)
        drawn += rng.uniform(0.3, 0.7) * lips[..., None] * (colour * light - drawn)
    return np.rint(np.clip(drawn, 0, 255)).astype(np.uint8)


def photographed(image: NDArray[np.uint8], rng: Generator) -> NDArray[np.uint8]:
    """Returns the picture as another camera takes it: gain, tint, gamma, grey, blur, noise, JPEG."""
    light = image.astype(np.float32) / 255
    tint = rng.uniform(0.6, 1.35) * rng.uniform(0.88, 1.12, 3)
    light = light ** np.float32(rng.uniform(0.65, 1.5)) * tint.astype(np.float32)
    if rng.random() < 0.12:
        light = np.repeat(light.mean(axis=2, keepdims=True), 3, axis=2)
    if rng.random() < 0.3:
        light = light * (1 + rng.uniform(-0.5, 0.5) * np.linspace(-1, 1, image.shape[1])[None, :, None])
    if rng.random() < 0.5:
        light = cv2.GaussianBlur(light, (0, 0), rng.uniform(0.4, 3.0))
    light = light + rng.uniform(0, 0.03) * rng.standard_normal(light.shape, np.float32)
    picture = np.rint(np.clip(255 * light, 0, 255)).astype(np.uint8)
    _, encoded = cv2.imencode(".jpg", picture, (cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(35, 96))))
    return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR), np.uint8)


def _moved_away(alpha: Alpha, places: NDArray[np.float32], rng: Generator) -> Alpha:
    """Moves the occluder beside, above or below the mouth, as not every object at a face hides it."""
    angle = rng.uniform(0, 2 * np.pi)
    x, y = np.array([np.cos(angle), np.sin(angle)]) * _face_width(places) * rng.uniform(0.4, 0.9)
    shift = np.array([[1, 0, x], [0, 1, y]], np.float32)
    return cv2.warpAffine(alpha, shift, alpha.shape[::-1])


def _texture(size: tuple[int, int], other: NDArray[np.uint8], rng: Generator) -> Texture:
    colour = _colour(rng)
    kind = rng.random()
    if kind < 0.3:
        return _from(other, size, rng)
    texture = np.broadcast_to(colour, (*size, 3)).astype(np.float32)
    if kind < 0.55:
        return texture + rng.uniform(0, 8) * _noise(size, rng.uniform(0.5, 2), rng)[..., None]
    second = _colour(rng) if rng.random() < 0.4 else colour * rng.uniform(0.5, 0.9)
    x, y = np.meshgrid(np.arange(size[1]), np.arange(size[0]))
    angle = rng.normal(0, 0.2) + (np.pi / 2 if rng.random() < 0.75 else rng.uniform(0, np.pi))
    along = (x * np.cos(angle) + y * np.sin(angle)) / (size[0] * rng.uniform(0.02, 0.12))
    wave = np.sin(2 * np.pi * along + rng.uniform(0, 6))
    if kind > 0.85:
        beside = (y * np.cos(angle) - x * np.sin(angle)) / (size[0] * rng.uniform(0.02, 0.12))
        wave = wave * np.sin(2 * np.pi * beside)
    share = np.clip((wave - rng.uniform(-0.8, 0.97)) * rng.uniform(2, 30), 0, 1)
    return (texture + share[..., None] * (second - texture)).astype(np.float32)


def _skin_texture(
    image: NDArray[np.uint8], places: NDArray[np.float32], size: tuple[int, int], rng: Generator
) -> Texture:
    """Returns the person's own skin, a little lighter or darker, or another person's."""
    x, y = np.clip(np.rint(places[list(_FOREHEAD)]), 0, np.array(size[::-1]) - 1).astype(np.intp).T
    skin = np.median(image[y, x], axis=0) * rng.uniform(0.75, 1.2) * rng.uniform(0.94, 1.06, 3)
    if rng.random() < 0.2:
        skin = np.array([1, rng.uniform(0.65, 0.85), rng.uniform(0.5, 0.75)]) * rng.uniform(60, 240)
    mottled = 1 + 0.04 * _noise(size, 6, rng) + 0.03 * _noise(size, 1, rng)
    return (skin * mottled[..., None]).astype(np.float32)


def _from(other: NDArray[np.uint8], size: tuple[int, int], rng: Generator) -> Texture:
    """Returns a part of another picture, enlarged to the size."""
    side = int(min(other.shape[:2]) * rng.uniform(0.2, 0.6))
    top, left = (int(rng.integers(0, length - side + 1)) for length in other.shape[:2])
    part = other[top : top + side, left : left + side]
    return cv2.resize(part, size[::-1], interpolation=cv2.INTER_LINEAR).astype(np.float32)


def _colour(rng: Generator) -> NDArray[np.float32]:
    """Draws an RGB colour (3,); black, white, grey and the blue and green of surgical masks are frequent."""
    usual: Sequence[tuple[int, int, int]] = (
        (20, 20, 22), (235, 235, 232), (120, 120, 122), (110, 165, 215), (120, 190, 180), (60, 70, 100),
    )  # fmt: skip
    if rng.random() < 0.55:
        colour = np.array(usual[rng.integers(len(usual))]) + rng.normal(0, 12, 3)
    else:
        colour = rng.uniform(10, 245, 3)
    return np.clip(colour, 0, 255).astype(np.float32)


def _shading(alpha: Alpha, rng: Generator) -> NDArray[np.float32]:
    """Returns (height, width) light on a rounded object, whose middle is lighter than its edges."""
    inside = cv2.distanceTransform((alpha > 0.5).astype(np.uint8), cv2.DIST_L2, 3)
    round_ = np.clip(inside / max(float(inside.max()) * rng.uniform(0.2, 1.0), 1.0), 0, 1)
    depth = rng.uniform(0, 0.5)
    slope = rng.uniform(-0.25, 0.25) * np.linspace(-1, 1, alpha.shape[1])[None]
    return (1 - depth + depth * np.sqrt(round_) + slope).astype(np.float32)


def _with_shadow(drawn: NDArray[np.float32], alpha: Alpha, rng: Generator) -> NDArray[np.float32]:
    """Returns the picture with the occluder's soft shadow."""
    shift = np.array([[1, 0, rng.normal(0, 3)], [0, 1, rng.uniform(0, 6)]], np.float32)
    shadow = cv2.GaussianBlur(cv2.warpAffine(alpha, shift, alpha.shape[::-1]), (0, 0), rng.uniform(1.5, 5))
    return drawn * (1 - rng.uniform(0, 0.45) * shadow[..., None])


def _noise(size: tuple[int, int], sigma_px: float, rng: Generator) -> NDArray[np.float32]:
    """Returns (height, width) smooth noise of unit variance."""
    noise = cv2.GaussianBlur(rng.normal(0, 1, size).astype(np.float32), (0, 0), sigma_px)
    return noise / max(float(noise.std()), 1e-6)


def _filled(outlines: Sequence[NDArray[np.float32]], size: tuple[int, int]) -> Alpha:
    mask = np.zeros(size, np.uint8)
    cv2.fillPoly(mask, [np.rint(outline).astype(np.int32) for outline in outlines], 255, cv2.LINE_AA)
    return mask.astype(np.float32) / 255


def _capsule(
    start: NDArray[np.float64], end: NDArray[np.float64], width_px: float, size: tuple[int, int]
) -> Alpha:
    mask = np.zeros(size, np.uint8)
    ends = [tuple(int(value) for value in np.rint(point)) for point in (start, end)]
    cv2.line(mask, ends[0], ends[1], 255, max(1, round(width_px)), cv2.LINE_AA)
    return mask.astype(np.float32) / 255


def _ellipse(
    centre: NDArray[np.float64], axes: tuple[float, float], angle_deg: float, size: tuple[int, int]
) -> Alpha:
    mask = np.zeros(size, np.uint8)
    around = (float(centre[0]), float(centre[1])), (2 * float(axes[0]), 2 * float(axes[1])), float(angle_deg)
    cv2.ellipse(mask, around, 255, -1, cv2.LINE_AA)
    return mask.astype(np.float32) / 255


def _rounded(
    centre: NDArray[np.float64],
    sides: tuple[float, float],
    angle_rad: float,
    roundness: float,
    size: tuple[int, int],
) -> Alpha:
    """Draws a rectangle with round corners; roundness: 0..0.5 of its shorter side."""
    radius = roundness * min(sides)
    corners = [np.array([x, y]) for x, y in ((-1, -1), (1, -1), (1, 1), (-1, 1))]
    turn = np.array([[np.cos(angle_rad), -np.sin(angle_rad)], [np.sin(angle_rad), np.cos(angle_rad)]])
    arc = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    points = [
        corner * (np.array(sides) / 2 - radius) + radius * np.stack([np.cos(arc), np.sin(arc)], axis=1)
        for corner in corners
    ]
    outline = centre + np.concatenate(points) @ turn.T
    return _filled([cv2.convexHull(outline.astype(np.float32))[:, 0]], size)


def _size(image: NDArray[np.uint8]) -> tuple[int, int]:
    """(height, width)."""
    return image.shape[0], image.shape[1]


def _mouth(places: NDArray[np.float32]) -> NDArray[np.float64]:
    return places[list(OUTER_LIPS)].mean(axis=0).astype(np.float64)


def _face_width(places: NDArray[np.float32]) -> float:
    return float(np.linalg.norm(places[454] - places[234]))


def _angle(start: NDArray[np.float32], end: NDArray[np.float32]) -> float:
    return float(np.arctan2(end[1] - start[1], end[0] - start[0]))
