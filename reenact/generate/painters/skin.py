"""The bare skin of a face, which may be shaded, and its roughness."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from calib.openings import LEFT_EYE, OUTER_LIPS, RIGHT_EYE
from calib.percentile import median, percentile
from calib.ramp import smoothstep

CHEEKS = (50, 280, 205, 425, 101, 330, 36, 266, 207, 427, 187, 411, 123, 352)
"""Landmarks on skin that neither hair nor glasses cover on most faces."""
_SMOOTHER, _AS_A_MEDIAN = 30, 1.18
"""The percentile of the cheeks' roughness that is taken for the skin's, because rims of glasses and edges of
shadows are also rough; and the factor from it to the median on skin without these."""
_FEATURES = (OUTER_LIPS, LEFT_EYE.outline, RIGHT_EYE.outline)
_FLOOR = 30.0
"""Level that is added before a logarithm, so that noise in dark skin does not count as roughness."""
_LOG = np.log(np.arange(256, dtype=np.float32) + np.float32(_FLOOR))
_FINE_MM = 2.2
"""Detail finer than this, in millimetres, is roughness."""
_VALLEY_MM = 5.0
"""Dark places narrower than this, in millimetres, are not hair."""
_DARKER_BY = ((0.35, 0.95), (0.85, 1.2))
"""Log brightness below the cheeks' between which a place passes from skin to hair: of a rough place, then of
any place, which may also lie in shadow."""
_ROUGHER_BY = ((1.6, 3.2), (4.0, 8.0))
"""Multiples of the cheeks' roughness between which a place passes from skin to hair: of a dark place, then of
any place."""
_SMOOTHEST, _ROUGHEST = 0.01, 0.03
"""Limits of the cheeks' roughness with which others are compared."""
_BLOWN = (226.0, 252.0)
"""Grey levels of the brightest channel between which shading fades out."""


@dataclass(frozen=True, eq=False)
class Skin:
    """The skin in an aligned crop."""

    bare: NDArray[np.float32]
    """(size, size) the mask of bare skin: 0 on hair, on glasses and where the picture is overexposed."""
    roughness: float
    """The roughness of the cheeks' smooth part: the mean absolute detail in log brightness."""


@dataclass(frozen=True)
class SkinMemoryOptions:
    """How long a face's skin is remembered."""

    look_s: float = 0.1
    """The least time in seconds between two looks at a face's skin, which changes slowly."""
    settle_s: float = 1.0
    """The time constant, in seconds, with which its roughness follows. A measurement varies by a tenth from
    frame to frame, and lines of other people would come and go with it."""
    forget_s: float = 1.0
    """The time in seconds after which the last look does not count any more."""


class SkinMemory:
    """Remembers the skin of each face of a film. Where time stands still or runs backwards, as between
    unrelated pictures, it looks anew."""

    def __init__(self, options: SkinMemoryOptions = SkinMemoryOptions()) -> None:
        self._options = options
        self._seen: dict[int, tuple[float, Skin]] = {}
        """When each face was looked at, in seconds, and its skin."""

    def __call__(self, track_id: int, time_s: float, look: Callable[[], Skin]) -> Skin:
        """The skin of a face at a time in seconds. look: sees it in the present frame."""
        looked_s, skin = self._seen.get(track_id, (math.inf, None))
        passed_s = time_s - looked_s
        if skin is not None and 0 < passed_s < self._options.look_s - _ROUNDED_S:
            return skin
        now = look()
        if skin is not None and 0 < passed_s <= self._options.forget_s:
            share = 1 - math.exp(-passed_s / self._options.settle_s)
            least = min(skin.roughness, now.roughness)
            if least > 0:
                now = replace(now, roughness=skin.roughness * (now.roughness / skin.roughness) ** share)
        kept = {
            other: seen
            for other, seen in self._seen.items()
            if 0 <= time_s - seen[0] <= self._options.forget_s
        }
        self._seen = {**kept, track_id: (time_s, now)}
        return now


_ROUNDED_S = 0.001
"""Times of frames are rounded to milliseconds in some films; every third of 30 a second is 0.1 s later."""


def see_skin(crop: NDArray[np.uint8], places: NDArray[np.float32], px_per_mm: float) -> Skin:
    """The skin in an aligned crop (size, size, 3) RGB.

    places: (478, 2 or 3) the landmarks in the crop, in pixels. px_per_mm: crop pixels per millimetre.
    """
    brightest = cv2.max(cv2.max(crop[..., 0], crop[..., 1]), crop[..., 2]).astype(np.float32)
    log = cv2.LUT(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), _LOG)
    x, y = np.clip(np.rint(places[list(CHEEKS), :2]).astype(np.intp), 0, len(crop) - 1).T
    cheeks = median(log[y, x])
    for outline in _FEATURES:
        # Eyes and lips must not count as hair on the skin beside them.
        cv2.fillPoly(log, [np.rint(places[list(outline), :2]).astype(np.int32)], cheeks)
    detail = cv2.absdiff(log, cv2.GaussianBlur(log, (0, 0), _FINE_MM * px_per_mm))
    rough = cv2.GaussianBlur(detail, (0, 0), _FINE_MM * px_per_mm)
    roughness = _AS_A_MEDIAN * percentile(rough[y, x], _SMOOTHER)
    # Narrow valleys are creases.
    valley = np.ones((2 * round(_VALLEY_MM * px_per_mm / 2) + 1,) * 2, np.uint8)
    filled = cv2.morphologyEx(log, cv2.MORPH_CLOSE, valley)
    darkness = np.float32(cheeks) - cv2.GaussianBlur(filled, (0, 0), 2 * px_per_mm)
    dark, black = (smoothstep((darkness - low) / (high - low)) for low, high in _DARKER_BY)
    coarseness = rough / np.float32(np.clip(roughness, _SMOOTHEST, _ROUGHEST))
    coarse, coarsest = (smoothstep((coarseness - low) / (high - low)) for low, high in _ROUGHER_BY)
    blown = smoothstep((brightest - _BLOWN[0]) / (_BLOWN[1] - _BLOWN[0]))
    hair = np.maximum(np.maximum(dark * (0.35 + 0.65 * coarse), coarsest), black)
    covered = np.maximum(hair, blown)
    return Skin(1 - cv2.GaussianBlur(covered, (0, 0), 1.5 * px_per_mm), roughness)
