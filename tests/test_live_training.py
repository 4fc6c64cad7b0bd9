"""The appearance network: its examples, its shape, its losses."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from calib.au import AU_CODES, au_index
from calib.openings import MOUTH
from tests.faces import closed_mouth, posed_face, textured_frame

torch = pytest.importorskip("torch")

from reenact.generate.creases import COARSE_SIZE, Creases  # noqa: E402
from train.data.live import (  # noqa: E402
    LiveExampleOptions,
    LiveItems,
    chances,
    plan_away,
    plausible_change,
    redden_mouth,
    vary,
)
from train.data.shards import FaceSample  # noqa: E402
from train.networks.live import (  # noqa: E402
    SEEN_AUS,
    WINDOWS,
    LiveDiscriminator,
    LiveGenerator,
    LiveShape,
    StandardConv,
    compose,
    window,
)
from train.recipes.live import LiveOptions, LiveRecipe  # noqa: E402

SMALL = LiveShape(channels=(8, 8, 16, 16), blocks=1, finest=8, conditioning=8, critic=(8, 8, 16))
NO_CREASES = Creases((), *np.zeros((2, 17, *COARSE_SIZE), np.float32), np.ones(1, np.float32))


def open_mouth():
    landmarks = closed_mouth()
    landmarks[list(MOUTH.upper[1:-1]), 1] -= 4
    landmarks[list(MOUTH.lower[1:-1]), 1] += 6
    return landmarks


def sample(landmarks_mm=None, **aus):
    face = posed_face(scale=320 / 237.5, centre=(160.0, 140.0), landmarks_mm=landmarks_mm)
    shown = np.zeros(17, np.float32)
    for code, value in aus.items():
        shown[au_index(code)] = value
    return FaceSample(textured_frame(320, 320).image, face.landmarks, shown, "someone", "drawn", "1")


class Samples(list):
    """What the examples use of Shards."""

    aus = property(lambda self: np.array([each.aus for each in self]))
    zooms = property(lambda self: np.ones(len(self)))
    yaws = property(lambda self: np.zeros(len(self)))
    grey = property(lambda self: np.zeros(len(self), bool))


def items(options=LiveExampleOptions(), seed=0, **aus):  # noqa: B008
    return LiveItems(Samples([sample(open_mouth(), AU25=2, **aus)]), NO_CREASES, seed, options)


def batch_of(examples):
    return {name: torch.stack([each[name] for each in examples]) for name in examples[0]}


def test_an_example_is_a_function_of_seed_and_number():
    once, again, other = items(seed=3)[7], items(seed=3)[7], items(seed=4)[7]
    assert all(torch.equal(once[name], again[name]) for name in once)
    assert any(not torch.equal(once[name], other[name]) for name in once)


def test_an_example_with_a_truth_differs_from_it_only_near_the_face():
    example = items(LiveExampleOptions(forth=0.0))[0]
    apart = (example["warped"].int() - example["truth"].int()).abs().amax(0)
    assert example["has_truth"] == 1
    assert torch.equal(example["aim"], example["aus"])
    assert apart.max() > 20
    assert apart[:16, :16].max() == 0


def test_a_move_without_a_truth_aims_at_what_was_asked():
    example = items(LiveExampleOptions(forth=1.0))[1]
    assert example["has_truth"] == 0
    wanted = (example["aus"] + example["relative_aus"]).clamp(0, 1)
    assert torch.allclose(example["aim"], wanted)


def test_open_mouths_are_led_to_close_and_shut_ones_to_open():
    rng = np.random.default_rng(0)
    away = np.array([plan_away(sample(open_mouth()), rng)[au_index("AU25")] for _ in range(20)])
    assert away.min() < -2 and away.max() <= 0
    away = np.array([plan_away(sample(closed_mouth()), rng)[au_index("AU25")] for _ in range(20)])
    assert away.max() > 0.5 and away.min() >= 0


def test_folds_that_are_shown_are_led_away():
    rng = np.random.default_rng(0)
    frown = au_index("AU04")
    away = np.array([plan_away(sample(AU04=3), rng)[frown] for _ in range(30)])
    assert away.min() < -1.2 and away.max() <= 0


def test_plausible_changes_never_ask_for_what_no_face_does():
    rng = np.random.default_rng(0)
    changes = [plausible_change(sample(AU12=2), np.zeros(17, np.float32), rng) for _ in range(50)]
    assert np.abs(changes).max() <= 5.5
    assert np.isfinite(changes).all()


def test_varying_moves_picture_and_landmarks_alike():
    """A bright dot on the nose stays on the nose."""
    start = sample()
    x, y = start.landmarks[4, :2]
    rows, columns = np.mgrid[:320, :320]
    dot = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 8)
    image = np.repeat((dot * 255).astype(np.uint8)[..., None], 3, axis=2)
    dotted = FaceSample(image, start.landmarks, start.aus, "", "", "")
    for seed in range(8):
        varied = vary(dotted, LiveExampleOptions(), np.random.default_rng(seed))
        row, column = np.unravel_index(varied.image[..., 1].argmax(), (320, 320))
        assert np.hypot(*(varied.landmarks[4, :2] - (column, row))) < 1.5


def test_grey_and_rare_samples_are_drawn_as_often_as_they_should():
    aus = np.zeros((4, 17), np.float32)
    aus[3, au_index("AU25")] = 3
    table = SimpleNamespace(
        aus=aus, zooms=np.ones(4), yaws=np.zeros(4), grey=np.array([True, True, False, False])
    )
    drawn = chances(table, grey=0.4)
    assert drawn.sum() == pytest.approx(1)
    assert drawn[:2].sum() == pytest.approx(0.4)
    assert drawn[3] == pytest.approx(2.5 * drawn[2])


def test_the_generator_paints_only_through_the_gate():
    network = LiveGenerator(SMALL)
    warped, mask = torch.rand(2, 3, 256, 256) * 2 - 1, torch.rand(2, 2, 256, 256)
    mask[:, 1, :128] = 0
    alpha, colour = network(warped, mask, torch.rand(2, 17))
    assert alpha.shape == (2, 1, 256, 256) and colour.shape == (2, 3, 256, 256)
    assert alpha[:, :, :128].abs().max() == 0
    assert torch.equal(compose(warped, alpha, colour)[:, :, :128], warped[:, :, :128])
    assert 0 < alpha.max() <= 1 and colour.abs().max() <= 1


def test_a_fresh_generator_leaves_the_picture_as_it_is():
    warped = torch.rand(1, 3, 256, 256) * 2 - 1
    painted = compose(warped, *LiveGenerator(SMALL)(warped, torch.ones(1, 2, 256, 256), torch.rand(1, 17)))
    assert torch.equal(painted, warped)


def test_the_generator_answers_to_action_units_everywhere():
    """Not only at its borders, as it would if they were fed in before a norm."""
    torch.manual_seed(0)
    network = LiveGenerator(SMALL)
    torch.nn.init.normal_(network.paint.weight, std=0.1)
    warped, mask = torch.rand(1, 3, 256, 256), torch.ones(1, 2, 256, 256)
    one, other = (compose(warped, *network(warped, mask, torch.full((1, 17), a))) for a in (0.0, 0.5))
    assert (one - other)[:, :, 112:144, 112:144].abs().mean() > 1e-4


def test_the_default_generator_is_small_enough_to_ship():
    assert sum(each.numel() for each in LiveGenerator().parameters()) < 6_000_000


def test_the_discriminator_judges_each_window_and_minds_the_action_units():
    torch.manual_seed(0)
    discriminator = LiveDiscriminator(SMALL)
    windows = [torch.rand(2, 3, *size) for size in WINDOWS.values()]
    calm, other = (discriminator(windows, aus) for aus in (torch.zeros(2, 17), torch.rand(2, 17)))
    assert [tuple(each.realness.shape) for each in calm] == [(2, 1, 12, 16), (2, 1, 12, 20)]
    assert [len(each.features) for each in calm] == [4, 4]
    assert [tuple(each.aus.shape) for each in calm] == [(2, 17), (2, 17)]
    assert not torch.allclose(calm[0].realness, other[0].realness)


def test_neither_size_nor_mean_of_a_convolutions_weights_matters():
    torch.manual_seed(0)
    convolution, picture = StandardConv(4, 6, 3), torch.rand(1, 4, 16, 16)
    before = convolution(picture)
    with torch.no_grad():
        convolution.weight.mul_(3).add_(0.5)
    assert torch.allclose(convolution(picture), before, atol=1e-5)
    noise = convolution(torch.randn(8, 4, 64, 64))[:, :, 1:-1, 1:-1] - convolution.bias[:, None, None]
    assert noise.std().item() == pytest.approx(2**0.5, rel=0.05)


def test_windows_are_cut_around_their_centres_and_stay_inside():
    image = torch.arange(256 * 256.0).reshape(1, 1, 256, 256).repeat(2, 1, 1, 1)
    middle, corner = window(image, torch.tensor([[100, 50], [0, 255]]), (48, 72))
    assert middle[0, 24, 36] == image[0, 0, 50, 100]
    assert torch.equal(corner[0], image[0, 0, 208:, :72])


@pytest.fixture(scope="module")
def batch():
    made = items(LiveExampleOptions(forth=0.5))
    return batch_of([made[index] for index in range(4)])


class Untouched(torch.nn.Module):
    """A generator that paints nothing."""

    def forward(self, warped, mask, relative_aus):
        return torch.zeros_like(mask[:, :1]), warped


def test_restoration_is_nothing_for_the_truth_and_something_for_the_warp(batch):
    recipe = LiveRecipe(LiveOptions(shape=SMALL))
    assert recipe.validation({**batch, "warped": batch["truth"]}, Untouched())["restore"] < 1e-6
    assert recipe.validation(batch, Untouched())["restore"] > 0.01


def test_generator_terms_are_finite_and_reach_the_generator(batch):
    recipe = LiveRecipe(LiveOptions(shape=SMALL))
    terms = recipe.generator_loss(batch, recipe.generator, recipe.discriminator, 0)
    sum(terms.values()).backward()
    assert all(torch.isfinite(term) for term in terms.values())
    assert all(each.grad is not None for each in recipe.generator.parameters())


def test_action_units_are_read_from_the_truth_and_wanted_of_the_painted(batch):
    recipe = LiveRecipe(LiveOptions(shape=SMALL, au=2.0))
    # Untaught, the discriminator reads 0 everywhere: mouth and eyes count, each with its own units.
    seen = [[code in codes for code in AU_CODES] for codes in SEEN_AUS.values()]
    for terms, aus in (
        (recipe.discriminator_loss(batch, recipe.generator, recipe.discriminator, 1), batch["aus"]),
        (recipe.generator_loss(batch, recipe.generator, recipe.discriminator, 1), batch["aim"]),
    ):
        wanted = 2 * sum(aus[:, here].square().mean().item() for here in seen)
        assert terms["au"].item() == pytest.approx(wanted, rel=1e-4)


def test_every_action_unit_shows_in_a_window():
    assert {code for codes in SEEN_AUS.values() for code in codes} == set(AU_CODES)


def test_the_gradient_penalty_comes_every_so_many_steps(batch):
    recipe = LiveRecipe(LiveOptions(shape=SMALL, r1_every=4))
    terms = [
        recipe.discriminator_loss(batch, recipe.generator, recipe.discriminator, step) for step in range(5)
    ]
    assert ["r1" in each for each in terms] == [True, False, False, False, True]
    assert all(each.grad is None for each in recipe.generator.parameters())


def test_a_preview_shows_warped_painted_alpha_and_truth_side_by_side(batch):
    recipe = LiveRecipe(LiveOptions(shape=SMALL))
    rows = recipe.preview(batch, Untouched())
    assert rows.shape == (4, 3, 256, 4 * 256)
    assert torch.allclose(rows[..., :256], rows[..., 256:512])
    assert rows[..., 512:768].max() == 0
    assert torch.allclose(rows[..., 768:], batch["truth"].float() / 255, atol=1e-6)


def test_the_inside_of_a_grey_mouth_gets_redder_but_for_its_teeth():
    face = posed_face(scale=1.35, centre=(160.0, 140.0), landmarks_mm=open_mouth())
    image = np.full((320, 320, 3), 150, np.uint8)
    upper, lower = (face.landmarks[edge[len(edge) // 2], :2] for edge in (MOUTH.upper, MOUTH.lower))
    x, tooth, tongue = (
        round(float(each)) for each in (upper[0], 0.7 * upper[1] + 0.3 * lower[1], lower[1] - 3)
    )
    image[tooth - 1 : tooth + 2], image[tongue - 1 : tongue + 2] = 170, 70
    red = redden_mouth(image, face.landmarks, 1.0).astype(int)
    assert red[tongue, x, 0] > 72 and red[tongue, x, 1] < 65
    assert red[tooth, x].tolist() == [170, 170, 170]
    assert np.array_equal(red[:, :60], image[:, :60])
