"""Fits the gaze estimator to portraits of people who look into the camera, and to the same with turned eyes.

Nobody has measured where the people in pictures look. In portraits it is the camera, so their heads' pose
tells the gaze relative to the head; eyes that were turned by a known angle look that much further aside.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from calib.gaze import GazeEstimator


@dataclass(frozen=True, eq=False)
class GazeExamples:
    """Eyes of known gaze, two for each picture: the person's left and right."""

    features: NDArray[np.float32]
    """(n, features) as `eye_features` returns them."""
    gaze_deg: NDArray[np.float32]
    """(n, 2) the angles outwards and up."""
    turned_deg: NDArray[np.float32]
    """(n, 2) the part of them by which the eyes were turned."""
    pictures: NDArray[np.intp]
    """(n,) the number of the portrait that each example was made from."""

    def where(self, chosen: NDArray[np.bool_]) -> GazeExamples:
        """Returns the chosen examples."""
        return GazeExamples(
            self.features[chosen], self.gaze_deg[chosen], self.turned_deg[chosen], self.pictures[chosen]
        )


USUAL_DEG = 15.0
"""The turn up to which eyes are evaluated; beyond, people turn their heads."""


@dataclass(frozen=True)
class GazeReport:
    """How well an estimator reads people who were held out of its fit, by axis: to the side and up."""

    slope: tuple[float, float]
    """The change that is read for one degree of turned eyes."""
    error_deg: tuple[float, float]
    """The mean absolute error of that change."""
    camera_deg: tuple[float, float]
    """The median absolute deviation of what is read of portraits from the direction of the camera."""


@dataclass(frozen=True)
class GazeFitOptions:
    """How the network is trained: by Adam with decoupled weight decay (Loshchilov & Hutter, ICLR 2019), on
    the absolute error, since some of the people in portraits look elsewhere."""

    units: int = 128
    """The number of hidden units."""
    epochs: int = 24
    """How often every example is seen."""
    batch: int = 128
    """The number of examples of a step."""
    rate: float = 1e-3
    """The learning rate at first; it falls to 0 like a cosine."""
    decay: float = 0.03
    """The decay of weights, relative to the learning rate."""
    dropped: float = 0.2
    """The share of features and of hidden units that are left out of a step."""
    seed: int = 0
    """The seed of the first weights, of the order and of what is left out."""


def fit_gaze(
    examples: GazeExamples, held_out: NDArray[np.bool_], options: GazeFitOptions = GazeFitOptions()
) -> tuple[GazeEstimator, GazeReport]:
    """Fits the estimator to all examples but those held out (n,), and reports on the latter.

    A regression shrinks what it predicts; the slope on the people held out makes up for that.
    """
    first = _trained(examples.where(~held_out), options)
    gain = 1 / np.clip(evaluate_gaze(first, examples.where(held_out)).slope, 0.5, 1.0)
    mean = examples.gaze_deg.mean(axis=0)
    estimator = replace(
        first,
        weights=(first.weights * gain[:, None]).astype(np.float32),
        bias=(mean + gain * (first.bias - mean)).astype(np.float32),
    )
    return estimator, evaluate_gaze(estimator, examples.where(held_out))


def _trained(examples: GazeExamples, options: GazeFitOptions) -> GazeEstimator:
    """Trains the network on features of zero mean and unit variance, and returns it for the features."""
    random = np.random.default_rng(options.seed)
    mean, spread = examples.features.mean(axis=0), examples.features.std(axis=0) + np.float32(1e-3)
    features = ((examples.features - mean) / spread).astype(np.float32)
    target = examples.gaze_deg.astype(np.float32)
    count, kept = features.shape[1], np.float32(1 - options.dropped)
    weights = [
        random.normal(0, np.sqrt(1 / count), (options.units, count)).astype(np.float32),
        np.zeros(options.units, np.float32),
        random.normal(0, np.sqrt(1 / options.units), (2, options.units)).astype(np.float32),
        np.median(target, axis=0),
    ]
    adam = _Adam(weights, options)
    steps = options.epochs * -(-len(features) // options.batch)
    for _ in range(options.epochs):
        order = random.permutation(len(features))
        for start in range(0, len(order), options.batch):
            chosen = order[start : start + options.batch]
            seen = features[chosen] * (random.random((len(chosen), count), np.float32) < kept) / kept
            shown = (random.random((len(chosen), options.units), np.float32) < kept) / kept
            adam.step(_slopes(weights, seen, shown, target[chosen]), steps)
    hidden = weights[0] / spread
    return GazeEstimator(
        hidden, (weights[1] - hidden @ mean).astype(np.float32), weights[2], weights[3].astype(np.float32)
    )


def _slopes(
    weights: list[NDArray[np.float32]],
    seen: NDArray[np.float32],
    shown: NDArray[np.float32],
    target: NDArray[np.float32],
) -> list[NDArray[np.float32]]:
    """The derivatives of the mean absolute error by the weights.

    shown: (n, units) factors on the hidden units.
    """
    hidden, hidden_bias, out, bias = weights
    before = seen @ hidden.T + hidden_bias
    units = np.maximum(before, 0) * shown
    wrong = np.sign(units @ out.T + bias - target) / np.float32(target.size)
    back = (wrong @ out) * shown * (before > 0)
    return [back.T @ seen, back.sum(axis=0), wrong.T @ units, wrong.sum(axis=0)]


class _Adam:
    """Changes weights in place, step by step."""

    def __init__(self, weights: list[NDArray[np.float32]], options: GazeFitOptions) -> None:
        self._weights = weights
        self._options = options
        self._mean = [np.zeros_like(each) for each in weights]
        self._square = [np.zeros_like(each) for each in weights]
        self._count = 0

    def step(self, slopes: list[NDArray[np.float32]], steps: int) -> None:
        """steps: the number of all steps."""
        rate = self._options.rate * (1 + np.cos(np.pi * self._count / steps)) / 2
        self._count += 1
        for weights, slope, mean, square in zip(self._weights, slopes, self._mean, self._square, strict=True):
            mean += (1 - _MEAN_KEPT) * (slope - mean)
            square += (1 - _SQUARE_KEPT) * (slope * slope - square)
            unbiased = mean / (1 - _MEAN_KEPT**self._count)
            spread = np.sqrt(square / (1 - _SQUARE_KEPT**self._count)) + 1e-8
            if weights.ndim > 1:
                weights *= np.float32(1 - rate * self._options.decay)
            weights -= (rate * unbiased / spread).astype(np.float32)


_MEAN_KEPT, _SQUARE_KEPT = 0.9, 0.999
"""The shares of the running means of the slopes, and of their squares, that are kept at a step."""


def evaluate_gaze(estimator: GazeEstimator, examples: GazeExamples) -> GazeReport:
    """Compares readings with the examples' gaze, as the mean of both eyes."""
    read = estimator.read(examples.features)
    # From angles outwards to angles to the person's left; every other eye is the right one.
    outwards = np.tile(np.array([[1, 1], [-1, 1]], np.float32), (len(read) // 2, 1))
    both_eyes = ((read * outwards).reshape(-1, 2, 2)).mean(axis=1)
    gaze = (examples.gaze_deg * outwards).reshape(-1, 2, 2)[:, 0]
    turned = (examples.turned_deg * outwards).reshape(-1, 2, 2)[:, 0]
    pictures, plain = examples.pictures[::2], ~turned.any(axis=1)
    before = dict(zip(pictures[plain].tolist(), both_eyes[plain], strict=True))
    usual = (np.abs(turned) <= USUAL_DEG).all(axis=1)
    moved = np.flatnonzero(~plain & usual & np.isin(pictures, pictures[plain]))
    change = np.array([both_eyes[index] - before[int(pictures[index])] for index in moved])
    asked = turned[moved]
    slope = (asked * change).sum(axis=0) / np.square(asked).sum(axis=0)
    off = both_eyes[plain] - gaze[plain]
    return GazeReport(
        tuple(slope.tolist()),
        tuple(np.abs(change - asked).mean(axis=0).tolist()),
        tuple(np.median(np.abs(off - np.median(off, axis=0)), axis=0).tolist()),
    )
