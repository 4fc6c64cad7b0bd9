"""The stage that decides in each frame which mouths are hidden, with a threshold that does not flicker."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from reenact.occlusion.mouth_occlusion import MouthOcclusion, load_mouth_occlusion
from reenact.records import Face, Measured, Tracked


@dataclass(frozen=True)
class OcclusionOptions:
    """Thresholds and times of the decision that a mouth is hidden."""

    hidden: float = 0.7
    """The probability from which on a mouth counts as hidden."""
    free: float = 0.4
    """The probability below which a hidden mouth counts as free again."""
    look_s: float = 0.07
    """The least time in seconds between two measurements of one face."""
    settle_s: float = 0.1
    """The time constant in seconds of the running mean of the probability."""
    forget_s: float = 1.0
    """The time in seconds after which a lost face is forgotten."""


class OcclusionWatch:
    """A stage that determines for every face whether something hides its mouth.

    One measurement takes about 0.5 ms.
    """

    def __init__(
        self, network: MouthOcclusion | None = None, options: OcclusionOptions = OcclusionOptions()
    ) -> None:
        """network: the network. None: the one that ships with the project."""
        self._network = network or load_mouth_occlusion()
        self._options = options
        self._mouths: dict[int, _Mouth] = {}

    def __call__(self, measured: Measured) -> Measured:
        pts = measured.frame.pts
        self._forget(measured)
        hidden = tuple(self._look(measured, face, pts) for face in measured.faces)
        return replace(measured, mouth_hidden=hidden)

    def _forget(self, tracked: Tracked) -> None:
        earliest = tracked.frame.pts - Fraction(self._options.forget_s)
        self._mouths = {
            track_id: mouth
            for track_id, mouth in self._mouths.items()
            if not tracked.cut and earliest <= mouth.looked <= tracked.frame.pts
        }

    def _look(self, measured: Measured, face: Face, pts: Fraction) -> bool:
        mouth = self._mouths.get(face.track_id)
        if mouth is not None and pts - mouth.looked < self._options.look_s:
            return mouth.hidden
        probability = self._network(measured.frame.image, face)
        if mouth is None:
            mouth = _Mouth(pts, probability, probability >= self._options.hidden)
        else:
            mouth = mouth.after(pts, probability, self._options)
        self._mouths[face.track_id] = mouth
        return mouth.hidden


@dataclass(frozen=True)
class _Mouth:
    """The state of one mouth."""

    looked: Fraction
    """The time of the last measurement in seconds."""
    probability: float
    """The running mean of the probability that it is hidden."""
    hidden: bool
    """Whether it counts as hidden."""

    def after(self, pts: Fraction, probability: float, options: OcclusionOptions) -> _Mouth:
        """The state after another measurement."""
        share = 1 - float(np.exp(-float(pts - self.looked) / options.settle_s))
        mean = self.probability + share * (probability - self.probability)
        threshold = options.free if self.hidden else options.hidden
        return _Mouth(pts, mean, mean >= threshold)
