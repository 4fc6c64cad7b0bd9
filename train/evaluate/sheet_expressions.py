"""The expressions on contact sheets, and the faces that they are asked of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calib.au import HIGHEST, LOWEST, AUVector, au_index, both
from reenact.programme.target_syntax import parse_targets

Fits = Callable[[Callable[[str], NDArray[np.float32]]], NDArray[np.bool_]]
"""A function from a look-up of an AU's intensities (n,) to (n,) whether the expression suits each face."""


@dataclass(frozen=True)
class Expression:
    """An expression on contact sheets."""

    name: str
    """The name on sheets."""
    spec: str
    """The change, in the syntax of --target-aus."""
    of: str
    """A description of the faces that it is asked of."""
    fits: Fits
    """Selects these faces."""

    def change(self, measured: AUVector) -> AUVector:
        """Returns the relative action units (17,) for a face that shows `measured`, within the run-time's
        limits."""
        target = np.clip(measured + both(parse_targets(self.spec).change(measured)), LOWEST, HIGHEST)
        return (target - measured).astype(np.float32)

    def eligible(self, aus: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Returns (n,) whether the expression suits each of the faces with action units (n, 17)."""
        return self.fits(lambda code: aus[:, au_index(code)])


EXPRESSIONS = (
    Expression(
        "smile with teeth", "AU06=+2,AU12=+3.5,AU25=+2.5,AU10=+1", "closed mouths",
        lambda au: (au("AU25") < 0.4) & (au("AU12") < 0.8) & (au("AU26") < 1),
    ),
    Expression(
        "close the mouth", "mouth-closed", "open mouths",
        lambda au: (au("AU25") > 1.2) & (au("AU26") > 0.4),
    ),
    Expression(
        "surprise", "surprise", "calm brows and mouths",
        lambda au: (au("AU01") < 0.6) & (au("AU02") < 0.6) & (au("AU25") < 1.2),
    ),
    Expression("blink", "blink", "open eyes", lambda au: au("AU45") < 0.4),
    Expression(
        "brow raise", "brows-up", "calm brows",
        lambda au: (au("AU01") < 0.5) & (au("AU02") < 0.5),
    ),
    Expression(
        "frown", "frown", "calm brows",
        lambda au: (au("AU04") < 0.3) & (au("AU15") < 0.8) & (au("AU25") < 1.5),
    ),
    Expression(
        "disgust", "disgust", "calm noses and lips",
        lambda au: (au("AU09") < 0.4) & (au("AU10") < 1.2) & (au("AU25") < 1.5),
    ),
    Expression("sad", "sad", "no sad mouths", lambda au: (au("AU15") < 0.5) & (au("AU01") < 0.8)),
)  # fmt: skip

BY_NAME: Mapping[str, Expression] = {expression.name: expression for expression in EXPRESSIONS}
