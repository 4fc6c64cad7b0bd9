"""The paper's training: no pairs, one picture and the action units of two.

It serves `paper`, `paper-film` and, with its own weights, `ganimation`. See train.networks for each.

N: pictures, H, W: height and width, K: action units.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from calib.au import MAX_INTENSITY, OPENFACE_COUNT, AUVector, au_index
from train import losses
from train.data.shards import CROP, FaceSample, Shards
from train.evaluate.picture_reader import PictureReader
from train.networks.discriminator import Discriminator
from train.networks.ganimation import Ganimation, compose
from train.networks.paper_network import Paper
from train.recipes.achieved_aus import OpenReader, asked_and_achieved
from train.recipes.recipe import Batch, Terms
from train.training_options import OptionsError, described

GeneratorName = Literal["paper", "paper-film", "ganimation"]
_SIZES = (32, 64, 128, 256)
_SEEN_PX = 256
"""Width of the central part of a sample that is used; the rest gives room for shifts."""
_MARGIN_PX = (CROP.size - _SEEN_PX) // 2

_PREVIEWS = (
    {"AU12": 0.7, "AU06": 0.4},
    {"AU25": 0.7, "AU26": 0.7},
    {"AU04": 0.8},
    {"AU45": 0.9},
    {"AU01": 0.7, "AU02": 0.7},
)
"""Relative action units, OpenFace's / 5, of the pictures between a preview's first and last."""


@dataclass(frozen=True, kw_only=True)
class PaperOptions:
    """Networks and weights of the losses; the defaults are the published values."""

    generator: GeneratorName = "paper"
    size: int = described(128, "Height and width of the pictures in pixels: 32, 64, 128 or 256.")
    ngf: int = described(64, "Channels of the generator's first layer.")
    ndf: int = described(64, "Channels of the discriminator's first layer.")
    adversarial: float = described(1.0, "Weight of the Wasserstein distance.")
    gradient_penalty: float = described(10.0, "Weight of the gradient penalty.")
    au: float = described(150.0, "Weight of the discriminator's squared error of action units.")
    self_reconstruction: float = described(30.0, "Weight of the difference for no change.")
    cycle: float = described(30.0, "Weight of the cycle loss.")
    # Published: 1e-5 times the sum, which at batch 16 and 128 pixels is over 780,288 neighbours each way.
    total_variation: float = described(7.8, "Weight of the mean difference between neighbours.")
    attention: float = described(0.0, "Weight of the unpainted share of GANimation's attention.")
    source_noise: float = described(0.02, "Largest noise added to the action units of a picture, / 5.")
    target_noise: float = described(0.1, "Largest noise added to the action units asked for, / 5.")
    shift_px: int = described(8, "Largest shift of a picture, in pixels of `size`.")

    def __post_init__(self) -> None:
        if self.generator not in get_args(GeneratorName):
            choices = ", ".join(get_args(GeneratorName))
            raise OptionsError(f"no generator {self.generator!r}; choose from {choices}")
        if self.size not in _SIZES:
            raise OptionsError(f"size is {self.size}; choose from {', '.join(map(str, _SIZES))}")


@dataclass(frozen=True, kw_only=True)
class PaperFilmOptions(PaperOptions):
    """The published options with the FiLM conditioning."""

    generator: GeneratorName = "paper-film"


@dataclass(frozen=True, kw_only=True)
class GanimationOptions(PaperOptions):
    """GANimation's published weights."""

    generator: GeneratorName = "ganimation"
    au: float = described(4000.0, "Weight of the discriminator's squared error of action units.")
    self_reconstruction: float = described(0.0, "Weight of the difference for no change.")
    cycle: float = described(10.0, "Weight of the cycle loss.")
    # Published: 1e-4 times the sum over one attention mask, at 128 pixels.
    total_variation: float = described(1.6, "Weight of the mean difference between attention's neighbours.")
    attention: float = described(0.1, "Weight of the unpainted share of the attention.")


VALIDATION_WEIGHTS = PaperOptions()
"""The options whose weights every validation uses, so that runs of all presets can be compared."""


class Painted(NamedTuple):
    """A generator's picture."""

    image: Tensor
    """(N, 3, H, W) -1..1."""
    rough: Tensor
    """(N, C, H, W) the tensor whose total variation is penalised: the picture, or GANimation's attention."""


class PaperRecipe:
    """The networks with the published initial weights, the examples, and the losses."""

    def __init__(self, options: PaperOptions = PaperOptions(), open_reader: OpenReader = PictureReader):
        """open_reader: opens the reader of action units for validations."""
        self.options = options
        self._open_reader = open_reader
        self.generator = _network(options)
        self.discriminator = Discriminator(options.size, options.ndf)
        self.generator.apply(_draw_weights)
        self.discriminator.apply(_draw_weights)

    def items(self, samples: Sequence[FaceSample], seed: int) -> PaperItems:
        """Returns the training examples."""
        return PaperItems(samples, seed, self.options)

    def discriminator_loss(
        self, batch: Batch, generator: nn.Module, discriminator: nn.Module, step: int
    ) -> Terms:
        """Returns the Wasserstein distance, the gradient penalty and the error of action units."""
        options, real = self.options, batch["image"]
        with torch.no_grad():
            fake = self.paint(generator, real, batch["aus"], batch["targets"]).image
        scores, aus = discriminator(torch.cat([real, fake]))
        real_scores, fake_scores = scores.chunk(2)
        slope = losses.gradient_penalty(lambda image: discriminator(image).realness, real, fake, batch["mix"])
        return {
            "adversarial": options.adversarial * losses.critic_wasserstein(real_scores, fake_scores),
            "gradient_penalty": options.gradient_penalty * slope,
            "au": options.au * losses.au_error(aus[: len(real)], batch["aus"]),
        }

    def generator_loss(
        self, batch: Batch, generator: nn.Module, discriminator: nn.Module, step: int
    ) -> Terms:
        """Returns the weighted terms of the generator."""
        options, image, aus, targets = self.options, batch["image"], batch["aus"], batch["targets"]
        fake = self.paint(generator, image, aus, targets)
        verdict = discriminator(fake.image)
        terms = {
            "adversarial": options.adversarial * losses.generator_wasserstein(verdict.realness),
            "au": options.au * losses.au_error(verdict.aus, targets),
            "total_variation": options.total_variation * losses.total_variation(fake.rough),
        }
        if options.self_reconstruction:
            unchanged = self.paint(generator, image, aus, aus).image
            terms["self_reconstruction"] = options.self_reconstruction * losses.self_reconstruction(
                unchanged, image
            )
        if options.cycle:
            returned = self.paint(generator, fake.image, targets, aus).image
            terms["cycle"] = options.cycle * losses.cycle(returned, image)
        if options.attention:
            terms["attention"] = options.attention * losses.attention_saturation(fake.rough)
        return terms

    def validation(self, batch: Batch, generator: nn.Module) -> Terms:
        """Returns the paper's objective by its published weights: the error of the action units asked for,
        read by an estimator that is not in the training, and the errors of self-reconstruction and cycle.

        Without the first term, a generator that changes nothing would be best. Empty: the reader found no
        face, so generators cannot be compared.
        """
        image, aus, targets = batch["image"], batch["aus"], batch["targets"]
        fake = self.paint(generator, image, aus, targets).image
        change = targets.clamp(0, 1) - aus.clamp(0, 1)
        errors = asked_and_achieved(image, fake, change, self._open_reader)
        if errors is None:
            return {}
        unchanged = self.paint(generator, image, aus, aus).image
        returned = self.paint(generator, fake, targets, aus).image
        return {
            "au": VALIDATION_WEIGHTS.au * errors.mean().to(image.device),
            "self_reconstruction": VALIDATION_WEIGHTS.self_reconstruction
            * losses.self_reconstruction(unchanged, image),
            "cycle": VALIDATION_WEIGHTS.cycle * losses.cycle(returned, image),
        }

    def preview(self, batch: Batch, generator: nn.Module) -> Tensor:
        """Returns rows of the input, smile, open mouth, frown, blink, raised brows, and the next example's
        AUs."""
        image, aus = batch["image"], batch["aus"]
        wanted = [(aus + _relative(change).to(aus)).clamp(0, 1) for change in _PREVIEWS]
        wanted.append(aus.roll(-1, 0))
        pictures = [image, *(self.paint(generator, image, aus, targets).image for targets in wanted)]
        return (torch.cat(pictures, 3) + 1).div(2).clamp(0, 1)

    def paint(self, generator: nn.Module, image: Tensor, aus: Tensor, targets: Tensor) -> Painted:
        """Changes `image`, which shows `aus`, to show `targets`; action units are 0..1."""
        # In float32, because in half precision neighbours differ by rounding alone.
        if self.options.generator == "ganimation":
            attention, colour = (each.float() for each in generator(image, targets))
            return Painted(compose(image, attention, colour), attention)
        image = generator(image, targets - aus).float()
        return Painted(image, image)


class PaperItems:
    """A picture, its action units and another picture's, each with noise, as a function of the number alone.

    image (3, size, size) -1..1; aus and targets (17,) OpenFace's / 5, absolute; mix () 0..1.
    """

    def __init__(self, samples: Sequence[FaceSample], seed: int, options: PaperOptions):
        self._samples = samples
        self._seed = seed
        self._options = options

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        sample = self._samples[index % len(self._samples)]
        random = np.random.default_rng((self._seed, index))
        other = _shown_by(self._samples, int(random.integers(len(self._samples))))
        image = augment(sample.image, self._options.size, self._options.shift_px, random)
        return {
            "image": torch.from_numpy(image.transpose(2, 0, 1).astype(np.float32) / 127.5 - 1),
            "aus": _noisy(sample.aus, self._options.source_noise, random),
            "targets": _noisy(other, self._options.target_noise, random),
            "mix": torch.tensor(random.random(), dtype=torch.float32),
        }


def _shown_by(samples: Sequence[FaceSample], index: int) -> AUVector:
    """Returns the action units (17,) of one sample, without reading its picture where possible."""
    aus: AUVector = samples.value("aus", index) if isinstance(samples, Shards) else samples[index].aus
    return aus


def augment(
    image: NDArray[np.uint8], size: int, shift_px: int, random: np.random.Generator
) -> NDArray[np.uint8]:
    """Returns (size, size, 3): the middle of a sample, shifted, and mirrored with probability one half.

    The action units stay as they are, since OpenFace's count both sides of the face as one. The published
    code crops from a padded picture; here the surroundings of the face come into view instead.
    """
    limit = min(_MARGIN_PX, shift_px * _SEEN_PX // size)
    x, y = _MARGIN_PX + random.integers(-limit, limit + 1, 2)
    seen = image[y : y + _SEEN_PX, x : x + _SEEN_PX]
    if random.random() < 0.5:
        seen = seen[:, ::-1]
    return cv2.resize(np.ascontiguousarray(seen), (size, size), interpolation=cv2.INTER_AREA)


def _noisy(aus: AUVector, largest: float, random: np.random.Generator) -> Tensor:
    noise = random.uniform(-largest, largest, OPENFACE_COUNT)
    return torch.from_numpy((aus / MAX_INTENSITY + noise).astype(np.float32))


def _relative(change: dict[str, float]) -> Tensor:
    aus = torch.zeros(OPENFACE_COUNT)
    for name, amount in change.items():
        aus[au_index(name)] = amount
    return aus


def _network(options: PaperOptions) -> nn.Module:
    if options.generator == "ganimation":
        return Ganimation(options.ngf)
    return Paper(options.ngf, "film" if options.generator == "paper-film" else "concat")


def _draw_weights(module: nn.Module) -> None:
    """Draws N(0, 0.02) for convolutions, as published; all other weights have torch's defaults."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
