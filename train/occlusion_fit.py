"""Fits the network that detects hidden mouths, and measures its errors."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import nn

from calib.au import OPENFACE_COUNT, SIDES, Change, bilateral, neutral_aus
from calib.basis import load_basis
from calib.pose import fit_pose
from calib.shape import load_shape
from reenact.media.atomic import replacing
from reenact.occlusion.mouth_occlusion import LowerFace, MouthOcclusion
from reenact.records import Face
from reenact.track.fit import Landmarker
from reenact.track.region import region_around
from train.data.degrade import move_face
from train.data.occluders import occlude, painted_face, photographed
from train.data.shards import Shards
from train.evaluate.result_table import Cell, ResultTable
from train.evaluate.statistics import area_under_curve


@dataclass(frozen=True)
class MouthOcclusionOptions:
    """The options of the pictures and of the training."""

    hidden: int = 2
    """Pictures of each face with an occluder in front of it, some of them beside the mouth."""
    free: int = 3
    """Pictures of each face without an occluder."""
    moved: float = 0.5
    """Share of the pictures to which the run-time's geometry first gives another expression, as portraits
    show few."""
    most_moved: float = 3.0
    """Largest intensity of these expressions."""
    least: float = 0.35
    """Covered share of the mouth from which it counts as hidden."""
    most: float = 0.05
    """Covered share of the mouth up to which it counts as free; shares in between are left out."""
    presence: float = 0.1
    """Presence of the fit below which the tracker loses a face; such pictures are left out."""
    units: int = 32
    epochs: int = 30
    batch: int = 256
    learning_rate: float = 1e-3
    weight_decay: float = 0.03
    drop: float = 0.3
    """Dropout of the descriptor's features."""
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Mouths:
    """Descriptors of hidden and free mouths."""

    descriptors: NDArray[np.float32]
    """(n, k), see reenact.occlusion.mouth_occlusion.LowerFace."""
    hidden: NDArray[np.bool_]
    """(n,) whether the mouth is hidden."""
    kinds: NDArray[np.str_]
    """(n,) "free", "beside" (an occluder that leaves the mouth free) or "hidden"."""
    samples: NDArray[np.int64]
    """(n,) numbers of the samples in the shards."""


def describe_mouths(
    shards: Shards, landmarker: Landmarker, options: MouthOcclusionOptions = MouthOcclusionOptions()
) -> Mouths:
    """Describes every face of the shards several times, with and without occluders, as the tracker follows
    it.

    Faces that the tracker loses are left out.
    """
    describe = LowerFace()
    rng = np.random.default_rng(options.seed)
    rows: list[tuple[NDArray[np.float32], str, int]] = []
    for index in range(len(shards)):
        sample = shards[index]
        for number in range(options.free + options.hidden):
            image, landmarks, covered = sample.image, sample.landmarks, 0.0
            if rng.random() < options.moved:
                moved = move_face(image, landmarks, _expression(rng, options.most_moved), load_basis())
                image, landmarks = moved.picture, moved.landmarks
            image = painted_face(image, landmarks, rng)
            if number >= options.free:
                other = shards[int(rng.integers(len(shards)))].image
                occluded = occlude(image, landmarks, other, rng)
                image, covered = occluded.image, occluded.covered
            if options.most < covered < options.least:
                continue
            image = photographed(image, rng)
            face = _followed(image, landmarks, landmarker, options.presence)
            if face is not None:
                kind = "free" if number < options.free else "beside" if covered <= options.most else "hidden"
                rows.append((describe(image, face), kind, index))
    descriptors, kinds, samples = zip(*rows, strict=True)
    names = np.array(kinds)
    return Mouths(np.stack(descriptors), names == "hidden", names, np.array(samples, np.int64))


def _expression(rng: np.random.Generator, most: float) -> Change:
    """Draws a few action units at random, some of them on one side only."""
    change = bilateral(neutral_aus())
    for index in rng.choice(OPENFACE_COUNT, rng.integers(1, 5), replace=False):
        change[:, index] = rng.uniform(-most / 2, most)
    if rng.random() < 0.3:
        change[rng.integers(len(SIDES))] *= rng.uniform(0, 1)
    return change


def _followed(
    image: NDArray[np.uint8], landmarks: NDArray[np.float32], landmarker: Landmarker, presence: float
) -> Face | None:
    """Tracks the face from its former place. None: it is no longer found."""
    fit = landmarker.fit(image, region_around(landmarks))
    if fit is not None:
        fit = landmarker.fit(image, region_around(fit.landmarks))
    if fit is None or fit.presence < presence:
        return None
    return Face(0, fit.landmarks, fit_pose(fit.landmarks, load_shape()), fit.presence)


def fit_mouth_occlusion(
    mouths: Mouths, options: MouthOcclusionOptions = MouthOcclusionOptions()
) -> MouthOcclusion:
    """Fits the network by cross entropy; hidden mouths have half of the weight."""
    torch.manual_seed(options.seed)
    x = torch.from_numpy(mouths.descriptors)
    y = torch.from_numpy(mouths.hidden.astype(np.float32))
    mean, spread = x.mean(0), x.std(0).clamp_min(0.02)
    network = nn.Sequential(nn.Linear(x.shape[1], options.units), nn.ReLU(), nn.Linear(options.units, 1))
    optimiser = torch.optim.AdamW(
        network.parameters(), lr=options.learning_rate, weight_decay=options.weight_decay
    )
    steps = options.epochs * -(-len(x) // options.batch)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    balance = (len(y) - y.sum()) / y.sum().clamp_min(1)
    for _ in range(options.epochs):
        for rows in torch.randperm(len(x)).split(options.batch):
            described = F.dropout((x[rows] - mean) / spread, options.drop)
            logits = network(described)[:, 0]
            loss = F.binary_cross_entropy_with_logits(logits, y[rows], pos_weight=balance)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    hidden, output = network[0], network[2]
    with torch.no_grad():
        weights = hidden.weight / spread
        return MouthOcclusion(
            weights.numpy(),
            (hidden.bias - weights @ mean).numpy(),
            output.weight[0].numpy(),
            float(output.bias),
        )


def save_mouth_occlusion(network: MouthOcclusion, path: Path) -> None:
    """Saves the weights in half precision."""
    with replacing(path) as beside:
        np.savez_compressed(
            beside,
            hidden=network.hidden.astype(np.float16),
            hidden_bias=network.hidden_bias,
            output=network.output,
            output_bias=np.float32(network.output_bias),
        )


def rounded(network: MouthOcclusion) -> MouthOcclusion:
    """Returns the network with its weights rounded as they are saved."""
    return replace(network, hidden=network.hidden.astype(np.float16).astype(np.float32))


def occlusion_table(network: MouthOcclusion, mouths: Mouths, threshold: float) -> ResultTable:
    """Returns the table of errors on the held-out split."""
    probabilities = network.of(mouths.descriptors)
    rows: list[tuple[Cell, ...]] = []
    for kind in ("free", "beside", "hidden"):
        chosen = mouths.kinds == kind
        taken = float((probabilities[chosen] >= threshold).mean()) if chosen.any() else None
        rows.append((kind, int(chosen.sum()), taken))
    curve = area_under_curve(probabilities[mouths.hidden], probabilities[~mouths.hidden])
    return ResultTable(
        "mouth_occlusion",
        "Mouths classified as hidden",
        f"Faces of held-out people with drawn occluders; threshold {threshold:g}, area under the curve "
        f"{curve:.4f}. `beside`: the occluder leaves the mouth free.",
        ("mouth", "pictures", "share classified as hidden"),
        tuple(rows),
        digits=4,
    )
