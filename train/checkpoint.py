"""Checkpoints: the state with which an interrupted run continues as if it had never stopped."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save as serialise
from torch import nn
from torch.optim import Optimizer

from reenact.media.atomic import replacing
from train.ema import Ema

_FORMAT = "reenact.train checkpoint 1"


class CheckpointError(ValueError):
    """A checkpoint is damaged, of another format, or of another run."""


@dataclass
class Training:
    """The whole state of a run that changes during training."""

    generator: nn.Module
    discriminator: nn.Module
    average: Ema
    """The running average of the generator."""
    generator_optimiser: Optimizer
    discriminator_optimiser: Optimizer
    images: int = 0
    """The pictures seen so far, with repetitions."""
    skipped: int = 0
    """The steps that were left out because they were not finite."""
    best: float | None = None
    """The lowest validation error so far. None: there is none yet."""
    best_terms: str = ""
    """The names of the terms that `best` is the sum of; it is compared only with sums of the same terms."""

    def parts(self) -> Mapping[str, nn.Module | Optimizer]:
        """Returns the networks and optimisers by their names in the checkpoint."""
        return {
            "generator": self.generator,
            "discriminator": self.discriminator,
            "average": self.average.network,
            "generator_optimiser": self.generator_optimiser,
            "discriminator_optimiser": self.discriminator_optimiser,
        }


def save_checkpoint(training: Training, samples: int, path: Path) -> None:
    """Saves tensors and plain numbers. samples: the number of samples from which the data's order is
    drawn."""
    content: dict[str, Any] = {name: part.state_dict() for name, part in training.parts().items()}
    content |= {
        "format": _FORMAT,
        "images": training.images,
        "skipped": training.skipped,
        "best": training.best,
        "best_terms": training.best_terms,
        "samples": samples,
        "random": torch.get_rng_state(),
    }
    if torch.cuda.is_available():
        content["cuda_random"] = torch.cuda.get_rng_state()
    with replacing(path) as beside:
        torch.save(content, beside)


def load_checkpoint(training: Training, samples: int, path: Path) -> None:
    """Restores `training` and torch's random state. Raises CheckpointError if the file does not fit."""
    content = _read(path)
    if content["samples"] != samples:
        raise CheckpointError(
            f"{path} was trained on {content['samples']} samples, not {samples}; "
            "give the same data, or train into another folder"
        )
    try:
        for name, part in training.parts().items():
            part.load_state_dict(content[name])
        training.images, training.skipped = int(content["images"]), int(content["skipped"])
        training.best, training.best_terms = content["best"], str(content.get("best_terms", ""))
        torch.set_rng_state(content["random"])
        if "cuda_random" in content and torch.cuda.is_available():
            torch.cuda.set_rng_state(content["cuda_random"])
    except (RuntimeError, ValueError, KeyError, TypeError, AttributeError) as error:
        reason = str(error).splitlines()[0]
        raise CheckpointError(f"{path} does not fit these networks and options: {reason}") from error


def _read(path: Path) -> Mapping[str, Any]:
    advice = "remove it to train from the start, or train into another folder"
    with path.open("rb") as stream:
        try:
            content = torch.load(stream, map_location="cpu", weights_only=True)
        # These are all errors that torch was seen to raise for damaged files.
        except (OSError, RuntimeError, ValueError, EOFError, LookupError, pickle.UnpicklingError) as error:
            raise CheckpointError(f"{path} is damaged or not a checkpoint; {advice}") from error
    if not isinstance(content, dict) or content.get("format") != _FORMAT:
        raise CheckpointError(f"{path} is not a checkpoint of this version; {advice}")
    return content


def save_weights(network: nn.Module, path: Path, metadata: Mapping[str, str]) -> None:
    """Saves the network's state as safetensors."""
    tensors = {name: tensor.cpu().contiguous() for name, tensor in network.state_dict().items()}
    with replacing(path) as beside:
        # Not save_file, which replaces the file by one that no other user may read.
        beside.write_bytes(serialise(tensors, dict(metadata)))
