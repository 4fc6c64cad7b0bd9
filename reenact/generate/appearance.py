"""Paint what moving cannot make: a network's colours over the warped face, where its alpha says so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from calib.au import MAX_INTENSITY, Change, au_index, both, larger
from calib.openings import MOUTH, OPENINGS, Opening
from calib.ramp import smoothstep
from engines.base import Engine
from reenact.generate.gate import gate
from reenact.generate.paint import lay_over
from reenact.generate.steady import Moment, Steady, moment
from reenact.generate.warp import Warp
from reenact.geometry import Alignment, align
from reenact.types import Face, Frame

Paint: TypeAlias = NDArray[np.float32]
"""(size, size, 4) over the crop: what is to be added to the picture (RGB), then the share of it that is
replaced."""
UNSEEN = 1 / 512
"""An alpha up to this changes no colour by half a level. Within the gate the network's is hardly ever 0: with
`surprise` it reaches three fifths of the crop, of three faces without anything to be seen of it."""


@dataclass(frozen=True)
class FaceCrop:
    """What the network sees: an upright square of the face, after the move."""

    size: int = 256
    width_mm: float = 190.0
    centre_mm: tuple[float, float, float] = (0.0, 14.0, 0.0)

    def align(self, face: Face) -> Alignment:
        return align(face.pose, self.size, self.width_mm, self.centre_mm)


OPEN_MM, WIDE_OPEN_MM = 4.0, 7.0
"""A mouth whose lips are apart by the first shows teeth of its own, by the second enough of them to keep."""
OPENED_BY_MM = 1.5
"""A mouth that opens by so much more is being opened."""
WIDEST_MM = 22.0, 26.0
"""A mouth that is as open as the first still shows what the network makes of it, as the second nothing."""
JAW_FROM, JAW_TO = 0.5, 1.5
"""The same of jaws dropped by this intensity ..."""
SMILED_AWAY = 0.6
"""... less this share of a smile, which shows the upper teeth as the network has learned to paint them."""
_JAW_DROP, _SMILE = au_index("AU26"), au_index("AU12")


class Appearance:
    """The appearance network, on any engine.

    Its inputs, for a batch of n faces: `warped` (n, size, size, 3) uint8 RGB; `mask` (n, size, size, 2)
    uint8, first 255 inside mouth and eyes after the move, then reenact.generate.gate, by which the network
    multiplies its alpha; `relative_aus` (n, 17) float32, -1..1.
    Its outputs: `alpha` (n, size, size, 1) float32, 0..1, and `colour` (n, size, size, 3) float32, 0..255.
    """

    def __init__(self, engine: Engine, crop: FaceCrop = FaceCrop()):
        self.engine = engine
        self._crop = crop
        self._steady = Steady()

    def __call__(self, frame: Frame, face: Face, change: Change, warp: Warp) -> Warp:
        """`warp` with the network's paint; its region's border pixels stay as they are."""
        return self.lay_over(face, warp, self.paint(frame, face, change, warp))

    def paint(self, frame: Frame, face: Face, change: Change, warp: Warp) -> Paint | None:
        """What the network makes of the face, or has just made of it; None where it may paint nothing."""
        alignment = self._crop.align(face)
        now = moment(frame, face, warp.moved, change, alignment)
        paint = self._steady.recall(now, fresh=True)
        return self._made(frame, face, warp, now, alignment) if paint is None else paint

    def recalled(self, frame: Frame, face: Face, change: Change, warp: Warp) -> Paint | None:
        """What the network has made of a frame before, where the face is now; None where that is too old."""
        now = moment(frame, face, warp.moved, change, self._crop.align(face))
        return self._steady.recall(now, fresh=False)

    def lay_over(self, face: Face, warp: Warp, paint: Paint | None) -> Warp:
        """`warp` with the paint over it."""
        return warp if paint is None else lay_over(warp, self._crop.align(face), paint, _blend)

    def _made(self, frame: Frame, face: Face, warp: Warp, now: Moment, alignment: Alignment) -> Paint | None:
        allowed = gate(warp.moved, now.change, alignment)
        if not allowed.any():
            return None
        seen = see(frame, warp, alignment)
        openings = opening_mask(warp.moved, alignment)
        outputs = self.engine.run(
            {
                "warped": seen[None],
                "mask": cv2.merge([openings, allowed])[None],
                # The network knows no sides: it is told the larger change, and the gate keeps it there.
                "relative_aus": (larger(now.change) / MAX_INTENSITY).astype(np.float32)[None],
            }
        )
        alpha = outputs["alpha"][0]
        share = left_to_painters(face, warp.moved, now.change)
        if share > 0:
            alpha = alpha * (1 - share * _inside_mouth(warp.moved, alignment))
        _, alpha = cv2.threshold(alpha, UNSEEN, 0, cv2.THRESH_TOZERO)
        return self._steady(now, _layers(seen, openings, alpha, outputs["colour"][0]))


def see(frame: Frame, warp: Warp, alignment: Alignment) -> NDArray[np.uint8]:
    """The aligned crop of the frame as the warp leaves it."""
    left, top, right, bottom = alignment.bounds(frame.size)
    picture = frame.image[top:bottom, left:right].copy()
    x, y = warp.region[:2]
    x0, y0 = np.maximum((left, top), warp.region[:2])
    x1, y1 = np.maximum((x0, y0), np.minimum((right, bottom), warp.region[2:]))
    picture[y0 - top : y1 - top, x0 - left : x1 - left] = warp.image[y0 - y : y1 - y, x0 - x : x1 - x]
    return alignment.shifted((left, top)).crop(picture)


def opening_mask(landmarks: NDArray[np.float32], alignment: Alignment) -> NDArray[np.uint8]:
    """(size, size) 255 inside mouth and eyes, 0 elsewhere, with soft edges; landmarks in the frame."""
    return _filled(OPENINGS, landmarks, alignment)


def _filled(
    openings: Sequence[Opening], landmarks: NDArray[np.float32], alignment: Alignment
) -> NDArray[np.uint8]:
    mask = np.zeros((alignment.size, alignment.size), np.uint8)
    points = np.round(alignment.points(landmarks)[:, :2] * 16).astype(np.int32)
    for opening in openings:
        cv2.fillPoly(mask, [points[list(opening.outline)]], 255, lineType=cv2.LINE_AA, shift=4)
    return mask


def left_to_painters(face: Face, moved: NDArray[np.float32], change: Change) -> float:
    """0..1: how much of the mouth's inside stays as the painters made it. change: (2, 17).

    All of it in a mouth that was open and opens further: its teeth are the person's own, all of them in view,
    the painters carry them along, and a network that is taught to give back what a lip has covered would make
    them longer. And where it paints glints: in mouths that are opened by the jaw without a smile, and in
    those wider than nearly all that it was taught with.
    """
    before_mm, after_mm = (
        MOUTH.gaps(places, face.pose.down).max() / face.pose.scale for places in (face.landmarks, moved)
    )
    was_open = (before_mm - OPEN_MM) / (WIDE_OPEN_MM - OPEN_MM)
    opened = (after_mm - before_mm) / OPENED_BY_MM
    too_wide = (after_mm - WIDEST_MM[0]) / (WIDEST_MM[1] - WIDEST_MM[0])
    asked = both(change)
    by_jaw = (asked[_JAW_DROP] - SMILED_AWAY * asked[_SMILE] - JAW_FROM) / (JAW_TO - JAW_FROM)
    was_open, opened, too_wide, by_jaw = smoothstep(np.array([was_open, opened, too_wide, by_jaw]))
    return float(max(was_open * opened, too_wide, by_jaw))


def _inside_mouth(landmarks: NDArray[np.float32], alignment: Alignment) -> NDArray[np.float32]:
    """(size, size, 1) 1 inside the mouth, fading out on the lips' rim."""
    mask = _filled([MOUTH], landmarks, alignment)
    rim = cv2.dilate(mask, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5)))
    return (cv2.GaussianBlur(rim, (5, 5), 0).astype(np.float32) / 255)[..., None]


def _layers(
    seen: NDArray[np.uint8],
    openings: NDArray[np.uint8],
    alpha: NDArray[np.float32],
    colour: NDArray[np.float32],
) -> Paint:
    """The paint that makes of a picture what alpha, colour and openings say.

    On skin the difference that the network makes to what it has seen is added, so that pores and hair which
    are finer than its crop stay; inside mouth and eyes its colours replace what was there.

    picture + alpha (colour - seen) + replaced (seen - picture)
        = (1 - replaced) picture + [alpha colour - (alpha - replaced) seen]

    In cv2, which takes a third of the time of numpy where a single channel meets three; so does `_blend`.
    """
    replaced = cv2.multiply(alpha, openings, scale=1 / 255, dtype=cv2.CV_32F)
    on_skin = cv2.subtract(alpha, replaced)
    added = cv2.subtract(
        cv2.multiply(colour, cv2.merge([alpha] * 3)),
        cv2.multiply(seen, cv2.merge([on_skin] * 3), dtype=cv2.CV_32F),
    )
    return cv2.merge([*cv2.split(added), replaced])


def _blend(picture: NDArray[np.uint8], layers: NDArray[np.float32]) -> NDArray[np.uint8]:
    """(1 - replaced) picture + added, rounded and limited to 0..255."""
    kept = 1 - cv2.extractChannel(layers, 3)
    kept_picture = cv2.multiply(picture, cv2.merge([kept] * 3), dtype=cv2.CV_32F)
    return cv2.add(kept_picture, cv2.cvtColor(layers, cv2.COLOR_RGBA2RGB), dtype=cv2.CV_8U)
