"""The networks of single regions: their examples, their shape, their losses."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from calib.au import au_index
from calib.openings import MOUTH
from tests.support.faces import closed_mouth, posed_face, textured_frame

torch = pytest.importorskip("torch")

from reenact.generate.network.network_regions import PLANES, REGIONS  # noqa: E402
from train.data.live_examples import (  # noqa: E402
    LiveExampleOptions,
    LiveItems,
    chances,
    plan_away,
    plan_opening,
    vary,
)
from train.data.shards import FaceSample  # noqa: E402
from train.networks.region_network import (  # noqa: E402
    LiveDiscriminator,
    LiveGenerator,
    LiveShape,
    StandardConv,
    compose,
)
from train.recipes.live_recipe import LiveRecipe, LiveRecipeOptions  # noqa: E402
from train.training_options import OptionsError  # noqa: E402

SMALL = LiveShape(channels=(8, 8, 16), blocks=1, critic=(8, 8, 16))
REGION = REGIONS["mouth"]
SIZE = REGION.height_px, REGION.width_px


def open_mouth(gap_mm=10.0):
    landmarks = closed_mouth()
    landmarks[list(MOUTH.upper[1:-1]), 1] -= 0.4 * gap_mm
    landmarks[list(MOUTH.lower[1:-1]), 1] += 0.6 * gap_mm
    return landmarks


def sample(landmarks_mm=None, **aus):
    face = posed_face(scale=320 / 237.5, centre=(160.0, 140.0), landmarks_mm=landmarks_mm)
    shown = np.zeros(17, np.float32)
    for code, value in aus.items():
        shown[au_index(code)] = value
    return FaceSample(textured_frame(320, 320).image, face.landmarks, shown, "someone", "drawn", "1")


class Samples(list):
    """What the examples use of Shards."""

    def __init__(self, samples, grey=False):
        super().__init__(samples)
        self.grey = np.array([grey] * len(self)) if isinstance(grey, bool) else np.array(grey)

    landmarks = property(lambda self: np.array([each.landmarks for each in self]))
    aus = property(lambda self: np.array([each.aus for each in self]))
    zooms = property(lambda self: np.ones(len(self)))
    yaws = property(lambda self: np.zeros(len(self)))


SHUT, OPEN = sample(closed_mouth()), sample(open_mouth())


def items(*samples, region="mouth", seed=0, **options):
    return LiveItems(Samples(samples), REGIONS[region], seed, LiveExampleOptions(**options))


def batch_of(examples):
    return {name: torch.stack([each[name] for each in examples]) for name in examples[0]}


def noise(count=2):
    return torch.rand(count, 3, *SIZE) * 2 - 1, torch.rand(count, 2, *SIZE), torch.rand(count, PLANES, *SIZE)


def test_an_example_is_a_function_of_seed_and_number():
    once, again, other = items(OPEN, seed=3)[7], items(OPEN, seed=3)[7], items(OPEN, seed=4)[7]
    assert all(torch.equal(once[name], again[name]) for name in once)
    assert any(not torch.equal(once[name], other[name]) for name in once)


def test_examples_made_in_another_process_are_the_same():
    made = items(OPEN, SHUT, forth=0.5)
    for index, example in enumerate(pickle.loads(pickle.dumps(made))[index] for index in range(4)):
        assert all(torch.equal(example[name], made[index][name]) for name in example)


def test_an_example_does_not_depend_on_those_that_were_made_before():
    made = items(OPEN, SHUT)
    for index in range(6):
        made[index]
    found, alone = made[6], items(OPEN, SHUT)[6]
    assert all(torch.equal(found[name], alone[name]) for name in alone)


def test_an_open_mouth_has_a_truth_which_differs_between_the_lips():
    example = items(OPEN)[0]
    apart = (example["warped"].int() - example["truth"].int()).abs().amax(0)
    inside = example["mask"][0] == 255
    assert example["has_truth"] == 1
    assert inside.float().mean() > 0.03
    assert apart[inside].float().mean() > 3 * apart[~inside].float().mean()


def test_shut_lips_are_opened_without_a_truth():
    example = items(SHUT)[0]
    assert example["has_truth"] == 0
    assert (example["mask"][0] == 255).float().mean() > 0.01
    assert example["geometry"][2].max() < 1.5, "the gap before"


def test_eyes_have_a_truth_either_way():
    example = items(SHUT, region="eyes")[0]
    region = REGIONS["eyes"]
    assert example["has_truth"] == 1
    assert example["warped"].shape == (3, region.height_px, region.width_px)


def test_open_mouths_are_led_to_shut():
    rng = np.random.default_rng(0)
    away = np.array([plan_away(REGION, OPEN, rng)[au_index("AU25")] for _ in range(20)])
    assert away.max() < -2
    assert plan_opening(rng)[au_index("AU25")] > 0.5


def test_a_mirrored_example_is_mirrored_in_all_its_planes():
    made = items(OPEN)._make(0, 0)
    for seed in range(8):
        varied = vary(made, LiveExampleOptions(), np.random.default_rng(seed))
        same = [np.array_equal(getattr(varied, name), getattr(made, name)) for name in ("mask", "geometry")]
        mirrored = [
            np.array_equal(getattr(varied, name), getattr(made, name)[:, ::-1])
            for name in ("mask", "geometry")
        ]
        assert all(same) or all(mirrored)


def test_shut_grey_and_wide_mouths_are_drawn_as_often_as_they_should():
    wide = sample(open_mouth(16))
    narrow = sample(open_mouth(4))
    samples = Samples([SHUT, narrow, wide, wide], grey=[False, False, False, True])
    drawn = chances(samples, REGION, LiveExampleOptions(forth=0.2))
    assert drawn.sum() == pytest.approx(1)
    assert drawn[0] == pytest.approx(0.2)
    assert drawn[2] == pytest.approx(2 * drawn[1])
    assert drawn[3] == 0


def test_the_generator_paints_only_where_it_is_allowed():
    network = LiveGenerator(SMALL)
    warped, mask, geometry = noise()
    mask[:, 1, :48] = 0
    alpha, colour = network(warped, mask, geometry)
    assert alpha.shape == (2, 1, *SIZE) and colour.shape == (2, 3, *SIZE)
    assert alpha[:, :, :48].abs().max() == 0
    assert torch.equal(compose(warped, alpha, colour)[:, :, :48], warped[:, :, :48])
    assert 0 < alpha.max() <= 1 and colour.abs().max() <= 1


def test_a_fresh_generator_leaves_the_picture_as_it_is():
    warped, mask, geometry = noise()
    painted = compose(warped, *LiveGenerator(SMALL)(warped, mask, geometry))
    assert torch.allclose(painted, warped, atol=1e-6)


def test_a_network_cannot_paint_what_is_finer_than_its_patches():
    """What it adds to an even picture bends only at the middles of patches."""
    torch.manual_seed(0)
    network = LiveGenerator(SMALL)
    torch.nn.init.normal_(network.paint.weight, std=0.2)
    even, mask, geometry = torch.zeros(1, 3, *SIZE), torch.ones(1, 2, *SIZE), torch.rand(1, PLANES, *SIZE)
    _, colour = network(even, mask, geometry)
    row = colour[0, 0, 50]
    bends = (row[2:] - 2 * row[1:-1] + row[:-2]).abs()
    assert row.std() > 1e-3
    # The middle of a patch lies between its fourth pixel and its fifth; tanh bends gains, too, by little.
    between = ~np.isin(np.arange(1, SIZE[1] - 1) % 8, (3, 4))
    assert bends[between].max() < 0.1 * bends.max()


def test_a_network_tints_the_whole_crop_alike():
    torch.manual_seed(0)
    network = LiveGenerator(SMALL)
    torch.nn.init.normal_(network.paint.weight, std=0.5)
    even, mask, geometry = torch.zeros(1, 3, *SIZE), torch.ones(1, 2, *SIZE), torch.rand(1, PLANES, *SIZE)
    _, colour = network(even, mask, geometry)
    red, green = colour[0, 0], colour[0, 1]
    assert (red - green).std() < 1e-6 and (red - green).abs().mean() > 1e-3


def test_what_is_black_stays_black():
    """A gain cannot fill the dark of a mouth."""
    torch.manual_seed(0)
    network = LiveGenerator(SMALL)
    torch.nn.init.normal_(network.paint.weight, std=1.0)
    _, mask, geometry = noise(1)
    black = torch.full((1, 3, *SIZE), -1.0)
    _, colour = network(black, mask, geometry)
    assert torch.equal(colour, black)


def test_the_generator_answers_to_geometry():
    torch.manual_seed(0)
    network = LiveGenerator(SMALL)
    torch.nn.init.normal_(network.paint.weight, std=0.1)
    warped, mask, geometry = noise(1)
    one, other = (compose(warped, *network(warped, mask, g)) for g in (geometry, geometry + 5))
    assert (one - other).abs().mean() > 1e-3


def test_the_default_generator_is_small_enough_to_ship():
    assert sum(each.numel() for each in LiveGenerator().parameters()) < 1_000_000


def test_neither_size_nor_mean_of_a_convolutions_weights_matters():
    torch.manual_seed(0)
    convolution, picture = StandardConv(4, 6, 3), torch.rand(1, 4, 16, 16)
    before = convolution(picture)
    with torch.no_grad():
        convolution.weight.mul_(3).add_(0.5)
    assert torch.allclose(convolution(picture), before, atol=1e-5)
    white = convolution(torch.randn(8, 4, 64, 64))[:, :, 1:-1, 1:-1] - convolution.bias[:, None, None]
    assert white.std().item() == pytest.approx(2**0.5, rel=0.05)


def test_the_discriminator_judges_patches_and_minds_the_opening():
    torch.manual_seed(0)
    discriminator = LiveDiscriminator(SMALL)
    picture, mask, _ = noise()
    shut, wide = (discriminator(picture, inside) for inside in (torch.zeros_like(mask[:, :1]), mask[:, :1]))
    assert shut.realness.shape == (2, 1, 6, 8)
    assert len(shut.features) == 4
    assert not torch.allclose(shut.realness, wide.realness)


@pytest.fixture(scope="module")
def batch():
    made = items(OPEN, SHUT, forth=0.5)
    return batch_of([made[index] for index in range(4)])


class Untouched(torch.nn.Module):
    """A generator that paints nothing."""

    def forward(self, warped, mask, geometry):
        return torch.zeros_like(mask[:, :1]), warped


def test_there_are_examples_with_and_without_a_truth(batch):
    assert 0 < batch["has_truth"].mean() < 1


def test_validation_is_nothing_for_the_truth_and_something_for_the_layers(batch):
    recipe = LiveRecipe(LiveRecipeOptions(shape=SMALL))
    of_truth = recipe.validation({**batch, "warped": batch["truth"]}, Untouched())
    assert max(of_truth.values()) < 1e-5
    assert recipe.validation(batch, Untouched())["light"] > 0.02


def test_a_tooth_that_the_layers_lack_hardly_counts(batch):
    """Its place is far brighter in the truth, which no gain may make up for."""
    recipe = LiveRecipe(LiveRecipeOptions(shape=SMALL))
    layers, truth = torch.full_like(batch["truth"], 110), torch.full_like(batch["truth"], 140)
    layers[..., :64], truth[..., :64] = 20, 220
    fake = (layers.float() / 127.5 - 1).requires_grad_()
    mask, comparable = (torch.full_like(batch[name], 255) for name in ("mask", "comparable"))
    lacking = {"warped": layers, "truth": truth, "mask": mask, "comparable": comparable}
    lacking = {**batch, **lacking, "has_truth": torch.ones(4)}
    recipe._restoration(lacking, fake)["light"].backward()
    left, right = fake.grad[..., :64].abs().sum(), fake.grad[..., 64:].abs().sum()
    assert left < 0.1 * right


def test_what_the_truth_shows_no_teeth_at_does_not_count(batch):
    recipe = LiveRecipe(LiveRecipeOptions(shape=SMALL))
    layers, truth = torch.full_like(batch["truth"], 110), torch.full_like(batch["truth"], 140)
    comparable = torch.full_like(batch["comparable"], 255)
    comparable[..., :64] = 0
    fake = (layers.float() / 127.5 - 1).requires_grad_()
    mask = torch.full_like(batch["mask"], 255)
    seen = {"warped": layers, "truth": truth, "mask": mask, "comparable": comparable}
    recipe._restoration({**batch, **seen, "has_truth": torch.ones(4)}, fake)["light"].backward()
    assert fake.grad[..., :64].abs().max() == 0 < fake.grad[..., 64:].abs().max()


def test_generator_terms_are_finite_and_reach_the_generator(batch):
    recipe = LiveRecipe(LiveRecipeOptions(shape=SMALL))
    terms = recipe.generator_loss(batch, recipe.generator, recipe.discriminator, 0)
    sum(terms.values()).backward()
    assert all(torch.isfinite(term) for term in terms.values())
    assert all(each.grad is not None for each in recipe.generator.parameters())


def test_a_face_with_shut_lips_is_no_example_of_a_real_mouth(batch):
    recipe = LiveRecipe(LiveRecipeOptions(shape=SMALL))
    lacking = batch["has_truth"] == 0
    changed = {**batch, "truth": batch["truth"].clone()}
    changed["truth"][lacking] = 255
    before, after = (
        recipe.discriminator_loss(each, recipe.generator, recipe.discriminator, 1)["adversarial"]
        for each in (batch, changed)
    )
    assert torch.equal(before, after)


def test_the_gradient_penalty_comes_every_so_many_steps(batch):
    recipe = LiveRecipe(LiveRecipeOptions(shape=SMALL, r1_every=4))
    terms = [
        recipe.discriminator_loss(batch, recipe.generator, recipe.discriminator, step) for step in range(5)
    ]
    assert ["r1" in each for each in terms] == [True, False, False, False, True]
    assert all(each.grad is None for each in recipe.generator.parameters())


def test_a_preview_shows_layers_refined_difference_and_truth_side_by_side(batch):
    recipe = LiveRecipe(LiveRecipeOptions(shape=SMALL))
    rows = recipe.preview(batch, Untouched())
    height, width = SIZE
    assert rows.shape == (4, 3, height, 4 * width)
    assert torch.allclose(rows[..., :width], rows[..., width : 2 * width])
    assert torch.allclose(rows[..., 2 * width : 3 * width], torch.tensor(0.5))
    assert torch.allclose(rows[..., 3 * width :], batch["truth"].float() / 255, atol=1e-6)


def test_an_unknown_region_is_refused_with_the_choices():
    with pytest.raises(OptionsError, match="no region 'nose'; choose from mouth, eyes"):
        LiveRecipe(LiveRecipeOptions(region="nose"))
