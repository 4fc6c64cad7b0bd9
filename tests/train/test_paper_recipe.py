"""The published training: its examples, and what its losses ask of whom."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.utils.data import default_collate  # noqa: E402

import reenact  # noqa: E402
from calib.au import au_index, openface  # noqa: E402
from calib.basis import load_basis  # noqa: E402
from calib.estimator import load_estimator  # noqa: E402
from reenact.generate.geometry.face_crop import FaceCrop  # noqa: E402
from reenact.measure.measurer import Measurer  # noqa: E402
from reenact.media.image_file import load_still  # noqa: E402
from reenact.records import Frame  # noqa: E402
from reenact.track import Tracker, TrackerOptions  # noqa: E402
from tests.support.faces import change  # noqa: E402
from train.data.degrade import move_face  # noqa: E402
from train.data.shards import FaceSample  # noqa: E402
from train.recipes.paper_recipe import (  # noqa: E402
    GanimationOptions,
    PaperFilmOptions,
    PaperOptions,
    PaperRecipe,
    augment,
)
from train.training_options import OptionsError  # noqa: E402

OPTIONS = {
    "paper": PaperOptions(size=32, ngf=4, ndf=4),
    "paper-film": PaperFilmOptions(size=32, ngf=4, ndf=4),
    "ganimation": GanimationOptions(size=32, ngf=4, ndf=4),
}


def samples(count: int = 3) -> list[FaceSample]:
    """Smooth noise instead of faces; sample n shows every action unit at n."""
    random = np.random.default_rng(0)
    return [
        FaceSample(
            cv2.resize(random.integers(0, 256, (20, 20, 3), np.uint8), (320, 320)),
            np.zeros((478, 3), np.float32),
            np.full(17, number, np.float32),
            f"person{number}",
            "noise",
            str(number),
        )
        for number in range(count)
    ]


def batch(recipe: PaperRecipe, count: int = 3) -> dict[str, torch.Tensor]:
    items = recipe.items(samples(), seed=1)
    return default_collate([items[index] for index in range(count)])


@pytest.fixture(params=OPTIONS)
def recipe(request) -> PaperRecipe:
    torch.manual_seed(0)
    return PaperRecipe(OPTIONS[request.param])


class Stub(nn.Module):
    """A generator that does what it is told."""

    def __init__(self, make):
        super().__init__()
        self.make = make

    def forward(self, image, aus):
        return self.make(image, aus)


def test_the_defaults_are_the_published_ones():
    options = PaperOptions()
    assert (options.size, options.ngf, options.ndf) == (128, 64, 64)
    assert (options.adversarial, options.gradient_penalty, options.au) == (1, 10, 150)
    assert (options.self_reconstruction, options.cycle) == (30, 30)
    # A sum with 1e-5 at batch 16 and 128 pixels, written as a mean.
    assert options.total_variation == pytest.approx(1e-5 * 16 * 3 * 127 * 128, rel=0.01)


def test_a_size_without_a_network_is_refused():
    with pytest.raises(OptionsError, match="size is 100; choose from 32, 64, 128, 256"):
        PaperOptions(size=100)


def test_a_generator_that_does_not_exist_is_refused():
    with pytest.raises(OptionsError, match="no generator 'stgan'; choose from paper, paper-film, ganimation"):
        PaperOptions(generator="stgan")


@pytest.mark.slow
@pytest.mark.parametrize("name", OPTIONS)
def test_half_precision_ends_where_losses_begin(name):
    torch.manual_seed(0)
    recipe = PaperRecipe(OPTIONS[name])
    examples = batch(recipe)
    exact = recipe.generator_loss(examples, recipe.generator, recipe.discriminator, step=0)
    with torch.autocast("cpu", torch.bfloat16, cache_enabled=False):
        rough = recipe.generator_loss(examples, recipe.generator, recipe.discriminator, step=0)
        slope = recipe.discriminator_loss(examples, recipe.generator, recipe.discriminator, step=0)
    assert all(term.dtype == torch.float32 for term in [*rough.values(), *slope.values()])
    for term, value in exact.items():
        assert rough[term].item() == pytest.approx(value.item(), rel=0.05, abs=0.05)


def test_an_item_depends_on_its_number_and_seed_alone():
    first, again = (PaperRecipe(OPTIONS["paper"]).items(samples(), seed=5) for _ in range(2))
    first[7]
    for name, value in first[4].items():
        assert torch.equal(value, again[4][name])
    assert not torch.equal(first[4]["image"], first[7]["image"])
    other_seed = PaperRecipe(OPTIONS["paper"]).items(samples(), seed=6)
    assert not torch.equal(first[4]["aus"], other_seed[4]["aus"])


def test_an_epoch_sees_every_sample_once():
    items = PaperRecipe(OPTIONS["paper"]).items(samples(5), seed=0)
    shown = [round(5 * items[index]["aus"].mean().item()) for index in range(5)]
    assert sorted(shown) == [0, 1, 2, 3, 4]


def test_action_units_are_a_fifth_with_little_noise_and_targets_are_anothers_with_more():
    items = PaperRecipe(OPTIONS["paper"]).items(samples(), seed=0)
    targets = []
    for index in range(60):
        item = items[index]
        shown = item["aus"] - (index % 3) / 5
        assert 0 < shown.abs().max() <= 0.02 + 1e-6
        nearest = (item["targets"].mean() * 5).round()
        asked = item["targets"] - nearest / 5
        assert 0.02 < asked.abs().max() <= 0.1 + 1e-6
        assert 0 <= item["mix"] < 1
        targets.append(int(nearest))
    assert set(targets) == {0, 1, 2}


def test_pictures_are_the_middle_of_a_sample_in_minus_one_to_one():
    image = np.zeros((320, 320, 3), np.uint8)
    image[32:288, 32:288] = 255
    sample = FaceSample(image, np.zeros((478, 3), np.float32), np.zeros(17, np.float32), "", "", "")
    items = PaperRecipe(PaperOptions(size=64, ngf=4, ndf=4, shift_px=0)).items([sample], seed=0)
    assert items[0]["image"].shape == (3, 64, 64)
    assert torch.equal(items[0]["image"], torch.ones(3, 64, 64))


def test_augmentation_shifts_up_to_its_limit_and_mirrors_half():
    # A dot a little left of the middle, 16 of the picture's pixels wide as 4 of the crop's.
    image = np.zeros((320, 320, 3), np.uint8)
    image[152:168, 120:136] = 255
    random = np.random.default_rng(0)
    places = []
    for _ in range(400):
        crop = augment(image, 64, 8, random)[..., 0].astype(float)
        rows, columns = np.mgrid[:64, :64]
        places.append(((columns * crop).sum() / crop.sum(), (rows * crop).sum() / crop.sum()))
    x, y = np.array(places).T
    left = (128 - 32) / 4 - 0.5
    assert 31.5 - 8 <= y.min() < 31.5 - 7 and 31.5 + 7 < y.max() <= 31.5 + 8
    assert left - 8 <= x.min() < left - 7 and 63 - left + 7 < x.max() <= 63 - left + 8
    # Beyond where unmirrored dots can be, and where mirrored ones can.
    assert np.mean(x > 31.5) == pytest.approx(0.5, abs=0.15)


def test_mirroring_leaves_the_action_units_alone():
    half = np.zeros((320, 320, 3), np.uint8)
    half[:, 160:] = 255
    sample = FaceSample(half, np.zeros((478, 3), np.float32), np.arange(17, dtype=np.float32) / 4, "", "", "")
    options = PaperOptions(size=32, ngf=4, ndf=4, shift_px=0, source_noise=0.0)
    items = PaperRecipe(options).items([sample], seed=0)
    bright_sides = set()
    for index in range(10):
        bright_sides.add("left" if items[index]["image"][0, 0, 0] > 0 else "right")
        assert torch.equal(items[index]["aus"], torch.from_numpy(sample.aus / 5))
    assert bright_sides == {"left", "right"}


def test_the_first_weights_are_the_published_ones(recipe):
    for network in (recipe.generator, recipe.discriminator):
        weights = torch.cat([
            module.weight.flatten()
            for module in network.modules()
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d)
        ])  # fmt: skip
        assert weights.std().item() == pytest.approx(0.02, rel=0.05)


def test_the_critic_learns_and_the_generator_stays(recipe):
    terms = recipe.discriminator_loss(batch(recipe), recipe.generator, recipe.discriminator, step=0)
    assert set(terms) == {"adversarial", "gradient_penalty", "au"}
    sum(terms.values()).backward()
    assert all(each.grad is not None for each in recipe.discriminator.parameters())
    assert all(each.grad is None for each in recipe.generator.parameters())


@pytest.mark.slow
def test_the_generator_learns_in_all_its_parts(recipe):
    terms = recipe.generator_loss(batch(recipe), recipe.generator, recipe.discriminator, step=0)
    assert all(math.isfinite(term.item()) for term in terms.values())
    sum(terms.values()).backward()
    assert all(each.grad.abs().sum() > 0 for each in recipe.generator.parameters())


def test_a_generator_that_changes_nothing_only_fails_at_action_units():
    recipe = PaperRecipe(OPTIONS["paper"])
    terms = recipe.generator_loss(batch(recipe), Stub(lambda image, _: image), recipe.discriminator, step=0)
    assert terms["self_reconstruction"].item() == terms["cycle"].item() == 0
    assert terms["au"].item() > 0


def test_a_generator_sees_relative_action_units_and_ganimation_absolute_ones():
    seen = {}

    def relative(image, aus):
        seen.setdefault("paper", aus)
        return image

    def absolute(image, aus):
        seen.setdefault("ganimation", aus)
        return image[:, :1], image

    for name, make in (("paper", relative), ("ganimation", absolute)):
        recipe = PaperRecipe(OPTIONS[name])
        examples = batch(recipe)
        recipe.generator_loss(examples, Stub(make), recipe.discriminator, step=0)
    assert torch.equal(seen["paper"], examples["targets"] - examples["aus"])
    assert torch.equal(seen["ganimation"], examples["targets"])


def test_the_terms_weigh_as_published():
    options = PaperOptions(size=32, ngf=4, ndf=4)
    recipe = PaperRecipe(options)
    examples = batch(recipe)
    # Half as bright: self-reconstruction loses half, and there and back three quarters.
    terms = recipe.generator_loss(examples, Stub(lambda image, _: image / 2), recipe.discriminator, step=0)
    brightness = examples["image"].abs().mean().item()
    assert terms["self_reconstruction"].item() == pytest.approx(30 * 0.5 * brightness, rel=1e-4)
    assert terms["cycle"].item() == pytest.approx(30 * 0.75 * brightness, rel=1e-4)


class Brightness:
    """Reads every action unit as a picture's brightness, 0..5; nothing in a black one."""

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        pass

    def __call__(self, image, near):
        shown = np.full(17, 5 * image.mean() / 255, np.float32)
        return SimpleNamespace(aus=shown) if image.any() else None


def judged(make, name="paper", aus=0.4, targets=0.7, picture=0.4):
    """A validation on two grey pictures that show `picture` and are labelled with `aus`."""
    recipe = PaperRecipe(OPTIONS[name], open_reader=Brightness)
    examples = {
        "image": torch.full((2, 3, 32, 32), 2 * picture - 1),
        "aus": torch.full((2, 17), aus),
        "targets": torch.full((2, 17), targets),
    }
    terms = recipe.validation(examples, Stub(make))
    return {term: value.item() for term, value in terms.items()}


def obey(image, change):
    return image + 2 * change[:, :1, None, None]


def keep(image, change):
    return image


def test_a_generator_that_changes_nothing_loses_to_one_that_does_what_is_asked():
    kept, obeyed = judged(keep), judged(obey)
    assert kept["self_reconstruction"] == kept["cycle"] == 0
    assert kept["au"] == pytest.approx(150 * 0.3**2, rel=0.02)
    assert obeyed["au"] < 0.01
    assert sum(obeyed.values()) < 0.1 * sum(kept.values())


def test_one_that_obeys_by_half_and_hurts_the_face_a_little_still_wins():
    clumsy = judged(lambda image, change: obey(image, change / 2) + 0.01)
    assert clumsy["cycle"] > 0 and sum(clumsy.values()) < sum(judged(keep).values())


def test_a_face_that_is_lost_is_worse_than_one_that_stays():
    assert judged(lambda image, _: image * 0 - 1)["au"] == 150 > judged(keep)["au"]


def test_what_a_reader_is_off_in_both_pictures_does_not_count():
    assert judged(obey, picture=0.2)["au"] == pytest.approx(judged(obey)["au"], abs=0.01)


def test_nothing_is_told_where_no_face_is_found(recipe):
    assert recipe.validation(batch(recipe), recipe.generator) == {}


@pytest.mark.parametrize("name", OPTIONS)
def test_the_runtimes_reader_tells_a_blink_from_an_unchanged_portrait(name):
    """With no stub: a portrait, its eyes shut by the run-time's own warp, against itself."""
    image, aus, shut = shut_eyes()
    recipe = PaperRecipe(replace(OPTIONS[name], size=128))
    targets = aus.clone()
    targets[0, au_index("AU45")] = 0.8
    examples = {"image": image, "aus": aus, "targets": targets}
    ones = torch.ones_like(image[:, :1])

    def blink(image, asked):
        at = au_index("AU45")
        closes = asked[0, at] > 0.5 if name == "ganimation" else asked[0, at] > 0
        out = shut if closes else examples["image"]
        return (ones, out) if name == "ganimation" else out

    def unmoved(image, asked):
        return (ones, image) if name == "ganimation" else image

    blinked, unchanged = (recipe.validation(examples, Stub(make)) for make in (blink, unmoved))
    assert unchanged["self_reconstruction"] == unchanged["cycle"] == 0
    assert sum(blinked.values()) < 0.7 * sum(unchanged.values())


def shut_eyes():
    """The portrait that ships in the run-time's crop, (1, 3, 128, 128); what it shows; its eyes shut."""
    portrait = load_still(Path(reenact.__file__).with_name("data") / "portrait.jpg").image
    with Tracker(TrackerOptions(stills=True, smoothing=False)) as track:
        tracked = track(Frame(portrait))
    (face,) = tracked.faces
    moved = move_face(portrait, face.landmarks, change(AU45=4), load_basis()).picture
    alignment = FaceCrop(size=128).align(face)
    picture, shut = (
        torch.from_numpy(alignment.crop(each).transpose(2, 0, 1).astype(np.float32))[None] / 127.5 - 1
        for each in (portrait, moved)
    )
    aus = torch.from_numpy(openface(Measurer(load_estimator())(tracked).aus[0]))[None] / 5
    return picture, aus, shut


@pytest.mark.slow
def test_a_preview_is_a_row_that_begins_with_the_picture(recipe):
    examples = batch(recipe)
    with torch.no_grad():
        rows = recipe.preview(examples, recipe.generator)
    assert rows.shape == (3, 3, 32, 7 * 32)
    assert rows.min() >= 0 and rows.max() <= 1
    assert torch.allclose(rows[..., :32], (examples["image"] + 1) / 2)


def test_a_previews_last_picture_shows_the_next_ones_expression():
    recipe = PaperRecipe(OPTIONS["paper"])
    examples = batch(recipe)
    asked = []

    def remember(image, aus):
        asked.append(aus)
        return image

    recipe.preview(examples, Stub(remember))
    assert torch.allclose(asked[-1][0], examples["aus"][1] - examples["aus"][0])
    smile = (examples["aus"] + asked[0])[:, 8]
    assert torch.allclose(smile, (examples["aus"][:, 8] + 0.7).clamp(max=1))
