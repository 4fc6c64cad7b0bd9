"""The training loop, on a recipe of a few numbers."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

torch = pytest.importorskip("torch")
safetensors = pytest.importorskip("safetensors.torch")

from tests.support.faces import textured_frame  # noqa: E402
from train.__main__ import main  # noqa: E402
from train.card import read_history  # noqa: E402
from train.checkpoint import CheckpointError  # noqa: E402
from train.data.shards import FaceSample  # noqa: E402
from train.distributed import DistributedError, Ranks, shared  # noqa: E402
from train.loop import fit  # noqa: E402
from train.meters import Diverged  # noqa: E402
from train.recipes.paper_recipe import PaperOptions, PaperRecipe  # noqa: E402
from train.training_options import MachineOptions, OptionsError, TrainingOptions, load_options  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
OPTIONS = TrainingOptions(
    preset="live",
    batch=4,
    images=48,
    generator_rate=0.01,
    discriminator_rate=0.01,
    critic_per_generator=2,
    ema_half_life=100.0,
    clip=1.0,
)
MACHINE = MachineOptions(workers=0, device="cpu", threads=1, log_every=1)
NAMES = ("generator", "discriminator", "average")


class Noise:
    """Item i: a picture of noise around its sample, and i."""

    def __init__(self, samples, seed):
        self._samples, self._seed = samples, seed

    def __getitem__(self, index):
        random = torch.Generator().manual_seed(1000 * self._seed + index)
        image = torch.rand(3, 8, 8, generator=random) + self._samples[index % len(self._samples)]
        return {"image": image, "index": torch.tensor(index)}


class Tiny:
    """A generator that is to double pictures, a discriminator that is to tell real ones."""

    options = None

    def __init__(self):
        torch.manual_seed(0)
        self.generator = torch.nn.Conv2d(3, 3, 3, padding=1)
        self.discriminator = torch.nn.Sequential(
            torch.nn.Conv2d(3, 4, 3), torch.nn.Tanh(), torch.nn.Conv2d(4, 1, 3)
        )
        self.seen, self.steps = [], []

    def items(self, samples, seed):
        return Noise(samples, seed)

    def discriminator_loss(self, batch, generator, discriminator, step):
        self.seen += batch["index"].tolist()
        fake = generator(batch["image"])
        assert not fake.requires_grad
        told = discriminator(batch["image"]).mean((1, 2, 3)) - discriminator(fake).mean((1, 2, 3))
        return {"told": (told - 1).square().mean()}

    def generator_loss(self, batch, generator, discriminator, step):
        self.steps.append(step)
        fake = generator(batch["image"])
        return {
            "adversarial": -0.1 * discriminator(fake).mean(),
            "doubled": (fake - 2 * batch["image"]).square().mean(),
        }

    def validation(self, batch, generator):
        return {"doubled": (generator(batch["image"]) - 2 * batch["image"]).square().mean()}

    def preview(self, batch, generator):
        return torch.cat([batch["image"], generator(batch["image"])], 3)


class NeverFinite(Tiny):
    def generator_loss(self, batch, generator, discriminator, step):
        return {"doubled": generator(batch["image"]).mean() * float("inf")}


class OnceNotFinite(Tiny):
    """In its step 3, which learns nothing."""

    def generator_loss(self, batch, generator, discriminator, step):
        terms = super().generator_loss(batch, generator, discriminator, step)
        return terms if step != 3 else {"doubled": terms["doubled"] * float("nan")}


def train(run, recipe=None, options=OPTIONS, machine=MACHINE, **more):
    run.mkdir(exist_ok=True)
    training, held_out = [0.1 * number for number in range(10)], [0.0, 0.5, 1.0]
    return fit(recipe or Tiny(), training, held_out, options, machine, run, **more)


def checkpoint(run):
    return torch.load(run / "checkpoint.pt", weights_only=True)


def stats(run):
    return [json.loads(line) for line in (run / "stats.jsonl").read_text().splitlines()]


def assert_same_weights(run, other, **tolerance):
    first, second = checkpoint(run), checkpoint(other)
    assert first["images"] == second["images"]
    for name in NAMES:
        torch.testing.assert_close(first[name], second[name], **(tolerance or {"rtol": 0, "atol": 0}))


@dataclass
class AfterSteps:
    """A `say` that raises SIGTERM when so many steps are done."""

    steps: int

    def __call__(self, line):
        self.steps -= "left" in line
        if "left" in line and self.steps == 0:
            os.kill(os.getpid(), signal.SIGTERM)


def test_a_run_learns_and_says_how_far_it_came(tmp_path):
    lines = []
    outcome = train(tmp_path, say=lines.append)
    doubled = [line["generator/doubled"] for line in stats(tmp_path) if "generator/doubled" in line]
    assert (outcome.images, outcome.total, outcome.reason) == (48, 48, "done")
    assert doubled[-1] < 0.5 * doubled[0]
    assert [line["images"] for line in stats(tmp_path) if "images_per_s" in line] == list(range(4, 49, 4))
    assert lines[-2].startswith("48/48 images") and "0s left" in lines[-2]
    assert lines[-1] == "done at 48 of 48 images"
    assert load_options(tmp_path / "options.json") == OPTIONS


def test_an_epoch_shows_every_sample_once(tmp_path):
    recipe = Tiny()
    train(tmp_path, recipe, replace(OPTIONS, batch=5, images=30))
    assert sorted(recipe.seen[:10]) == list(range(10))
    assert sorted(recipe.seen) == list(range(30))
    assert [index % 10 for index in recipe.seen[:10]] != [index % 10 for index in recipe.seen[10:20]]


def test_the_generator_has_its_turn_after_so_many_of_the_discriminator(tmp_path):
    recipe = Tiny()
    train(tmp_path, recipe, replace(OPTIONS, critic_per_generator=3))
    assert recipe.steps == [2, 5, 8, 11]


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 1])
def test_a_stopped_run_goes_on_to_the_same_weights(tmp_path, workers):
    machine, before = replace(MACHINE, workers=workers), signal.getsignal(signal.SIGTERM)
    whole, rest = Tiny(), Tiny()
    train(tmp_path / "whole", whole)
    outcome = train(tmp_path / "stopped", machine=machine, say=AfterSteps(5))
    assert (outcome.images, outcome.reason) == (20, "stopped")
    assert signal.getsignal(signal.SIGTERM) is before
    assert train(tmp_path / "stopped", rest, machine=machine).reason == "done"
    assert rest.seen == whole.seen[20:]
    assert_same_weights(tmp_path / "whole", tmp_path / "stopped")
    first, second = checkpoint(tmp_path / "whole"), checkpoint(tmp_path / "stopped")
    for name in ("generator_optimiser", "discriminator_optimiser"):
        torch.testing.assert_close(first[name], second[name], rtol=0, atol=0)
    assert first["best"] == second["best"] and torch.equal(first["random"], second["random"])


def test_the_time_budget_ends_a_run_after_its_step_and_the_next_one_has_its_own(tmp_path):
    for images in (4, 8):
        outcome = train(tmp_path, budget_s=0.0)
        assert (outcome.images, outcome.reason) == (images, "out of time")
    assert train(tmp_path).reason == "done"


def test_lines_of_what_is_trained_again_are_dropped(tmp_path):
    train(tmp_path, say=AfterSteps(3))
    with (tmp_path / "stats.jsonl").open("a") as stream:
        stream.write('{"images": 16, "lost": 1}\n{"images": 20, "lo')
    train(tmp_path)
    assert not any("lost" in line for line in stats(tmp_path))
    assert [line["images"] for line in stats(tmp_path) if "images_per_s" in line] == list(range(4, 49, 4))


def test_parts_of_a_batch_make_the_step_of_the_whole(tmp_path):
    train(tmp_path / "whole")
    train(tmp_path / "parts", machine=replace(MACHINE, accumulate=2))
    assert_same_weights(tmp_path / "whole", tmp_path / "parts", rtol=1e-4, atol=1e-5)


def in_two_processes(call, run):
    """What each of two processes prints that calls a function of this module with `run`, as by torchrun."""
    if not (torch.distributed.is_available() and torch.distributed.is_gloo_available()):
        pytest.skip("this PyTorch was built without Gloo, by which processes on CPUs train together")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    program = (
        f"import sys; from pathlib import Path; from tests.train.test_loop import {call};"
        f"print({call}(Path(sys.argv[1])).reason)"
    )
    common = os.environ | {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(run)],
            cwd=ROOT,
            env=common | {"RANK": rank, "LOCAL_RANK": rank},
            stdout=subprocess.PIPE,
            text=True,
        )
        for rank in ("0", "1")
    ]
    try:
        return [process.communicate(timeout=120)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()  # one that waits for another that has failed


@pytest.mark.slow
def test_two_processes_take_the_steps_of_one(tmp_path):
    train(tmp_path / "one")
    assert in_two_processes("train", tmp_path / "two") == ["done\n", "done\n"]
    assert_same_weights(tmp_path / "one", tmp_path / "two", rtol=1e-4, atol=1e-5)
    one, two = stats(tmp_path / "one")[-1], stats(tmp_path / "two")[-1]
    assert one["validation/doubled"] == pytest.approx(two["validation/doubled"], rel=1e-4)
    assert stats(tmp_path / "one")[3]["discriminator/told"] == pytest.approx(
        stats(tmp_path / "two")[3]["discriminator/told"], rel=1e-4
    )


def train_in_parts(run):
    return train(run, machine=replace(MACHINE, accumulate=2))


@pytest.mark.slow
def test_two_processes_that_take_a_batch_in_parts_do_so_too(tmp_path):
    train(tmp_path / "one")
    assert in_two_processes("train_in_parts", tmp_path / "two") == ["done\n", "done\n"]
    assert_same_weights(tmp_path / "one", tmp_path / "two", rtol=1e-4, atol=1e-5)


def train_paper(run):
    """The paper's networks, small, with the gradient penalty's second derivatives."""
    run.mkdir(exist_ok=True)
    torch.manual_seed(0)
    samples = [
        FaceSample(
            textured_frame(320, 320, seed=number).image,
            np.zeros((478, 3), np.float32),
            np.full(17, number % 5, np.float32),
            "someone",
            "set",
            str(number),
        )
        for number in range(6)
    ]
    recipe = PaperRecipe(PaperOptions(size=32, ngf=4, ndf=4))
    rates = {"generator_rate": 1e-3, "discriminator_rate": 1e-3}
    options = replace(OPTIONS, preset="paper", images=24, clip=0.0, **rates)
    return fit(recipe, samples, [], options, MACHINE, run)


@pytest.mark.slow
def test_two_processes_train_the_papers_networks_as_one_does(tmp_path):
    train_paper(tmp_path / "one")
    assert in_two_processes("train_paper", tmp_path / "two") == ["done\n", "done\n"]
    one, two = (checkpoint(tmp_path / name)["discriminator"] for name in ("one", "two"))
    # Not the generator's: what an instance norm takes away again has no gradient but rounding, which Adam
    # makes a whole step of.
    apart = max((one[name] - two[name]).abs().max().item() for name in one)
    torch.manual_seed(0)
    first = PaperRecipe(PaperOptions(size=32, ngf=4, ndf=4)).discriminator.state_dict()
    moved = max((one[name] - first[name]).abs().max().item() for name in one)
    assert apart < 5e-4 < 0.2 * moved


def test_processes_share_gradients_by_torchs_own_means(tmp_path, monkeypatch):
    ranks = Ranks(0, 2, torch.device("cpu"))
    made = []
    monkeypatch.setattr(
        "train.distributed.DistributedDataParallel", lambda module, **options: made.append(module) or module
    )
    network = torch.nn.Linear(2, 2)
    shared(network, ranks)
    assert made == [network]
    assert shared(network, replace(ranks, world=1)) is network and made == [network]


def test_without_gloo_one_line_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setattr(torch.distributed, "is_gloo_available", lambda: False)
    with pytest.raises(DistributedError, match="cannot train with 2 processes: it was built without Gloo"):
        train(tmp_path)


def test_numbers_next_to_nothing_are_numbers_again_after_a_run(tmp_path):
    train(tmp_path)
    assert (torch.full((1,), 1e-39) * 0.5).item() > 0


def test_a_step_that_is_not_finite_is_left_out_and_counted(tmp_path):
    options = replace(OPTIONS, images=16, ema_half_life=0.0)
    train(tmp_path / "never", NeverFinite(), options)
    train(tmp_path / "once", OnceNotFinite(), options)
    train(tmp_path / "sound", options=replace(options, images=12))
    never, once, sound = (checkpoint(tmp_path / name) for name in ("never", "once", "sound"))
    torch.testing.assert_close(never["generator"], dict(Tiny().generator.state_dict()), rtol=0, atol=0)
    torch.testing.assert_close(once["generator"], sound["generator"], rtol=0, atol=0)
    assert (never["skipped"], once["skipped"], sound["skipped"]) == (2, 1, 0)
    assert [
        line["generator/doubled"] for line in stats(tmp_path / "never") if "generator/doubled" in line
    ] == [
        None,
        None,
    ]


def test_a_run_that_is_never_finite_is_given_up(tmp_path):
    with pytest.raises(Diverged, match=r"2[0-9] steps in a row were not finite"):
        train(tmp_path, NeverFinite(), replace(OPTIONS, images=4000, critic_per_generator=1))


def test_the_best_weights_are_those_of_the_lowest_validation(tmp_path):
    recipe = Tiny()
    train(tmp_path, recipe, replace(OPTIONS, validate_every=8))
    errors = [line["validation/doubled"] for line in stats(tmp_path) if "validation/doubled" in line]
    assert len(errors) == 6 and checkpoint(tmp_path)["best"] == min(errors)
    with safetensors.safe_open(tmp_path / "best.safetensors", "pt") as best:
        assert best.metadata()["images"] == str(8 * (errors.index(min(errors)) + 1))
        assert best.metadata()["preset"] == "live"


class Untold(Tiny):
    """Whose validation tells nothing."""

    def validation(self, batch, generator):
        return {}


def test_where_a_validation_tells_nothing_the_last_weights_count_as_best(tmp_path):
    train(tmp_path, Untold(), replace(OPTIONS, validate_every=8))
    assert checkpoint(tmp_path)["best"] is None
    with safetensors.safe_open(tmp_path / "best.safetensors", "pt") as best:
        assert best.metadata()["images"] == "48"


class Otherwise(Tiny):
    """Whose validation has other terms."""

    def validation(self, batch, generator):
        return {"other": 1000 + super().validation(batch, generator)["doubled"]}


def test_a_validation_by_other_terms_is_not_held_against_earlier_ones(tmp_path):
    train(tmp_path, options=replace(OPTIONS, images=24, validate_every=8))
    assert checkpoint(tmp_path)["best"] < 1000
    train(tmp_path, Otherwise(), replace(OPTIONS, validate_every=8))
    assert checkpoint(tmp_path)["best"] > 1000
    with safetensors.safe_open(tmp_path / "best.safetensors", "pt") as best:
        assert int(best.metadata()["images"]) > 24


def test_a_models_card_finds_the_validations(tmp_path):
    train(tmp_path, options=replace(OPTIONS, validate_every=8))
    found = read_history(tmp_path / "stats.jsonl").validations
    assert len(found) == 6 and found[0].error == found[0].parts["doubled"]


def test_exported_weights_are_the_average(tmp_path):
    train(tmp_path)
    found, average = (
        safetensors.load_file(tmp_path / "generator.safetensors"),
        checkpoint(tmp_path)["average"],
    )
    assert found.keys() == average.keys()
    assert all(torch.equal(found[name], average[name]) for name in found)


def test_a_preview_shows_people_held_out_one_below_another(tmp_path):
    cv2 = pytest.importorskip("cv2")
    train(tmp_path, options=replace(OPTIONS, validation_images=2))
    assert cv2.imread(str(tmp_path / "previews" / "000000048.png")).shape == (16, 16, 3)


def test_a_damaged_or_foreign_checkpoint_is_one_clear_line(tmp_path):
    train(tmp_path)
    path = tmp_path / "checkpoint.pt"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CheckpointError, match=r"checkpoint\.pt is damaged or not a checkpoint; remove it"):
        train(tmp_path)
    path.write_bytes(b"not a checkpoint")
    with pytest.raises(CheckpointError, match="is damaged or not a checkpoint"):
        train(tmp_path)
    torch.save({"generator": torch.zeros(3)}, path)
    with pytest.raises(CheckpointError, match="is not a checkpoint of this version"):
        train(tmp_path)
    path.write_bytes(whole)
    wider = Tiny()
    wider.generator = torch.nn.Conv2d(3, 3, 5, padding=2)
    with pytest.raises(CheckpointError, match="does not fit these networks and options") as raised:
        train(tmp_path, wider)
    assert "\n" not in str(raised.value)


def test_a_checkpoint_that_would_run_code_is_refused(tmp_path):
    class Evil:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "ran",))

    torch.save({"format": Evil()}, tmp_path / "checkpoint.pt")
    with pytest.raises(CheckpointError):
        train(tmp_path)
    assert not (tmp_path / "ran").exists()


def test_a_run_goes_on_only_with_its_own_data(tmp_path):
    train(tmp_path)
    with pytest.raises(CheckpointError, match="was trained on 10 samples, not 11"):
        fit(Tiny(), [0.0] * 11, [], OPTIONS, MACHINE, tmp_path)


def test_a_batch_that_cannot_be_shared_evenly_is_refused(tmp_path):
    with pytest.raises(OptionsError, match=r"a batch of 4 cannot be shared evenly .* a multiple of 3"):
        train(tmp_path, machine=replace(MACHINE, accumulate=3))


def test_bfloat16_learns_too(tmp_path):
    train(tmp_path, options=replace(OPTIONS, amp=True))
    doubled = [line["generator/doubled"] for line in stats(tmp_path) if "generator/doubled" in line]
    assert doubled[-1] < 0.5 * doubled[0]
    assert all(tensor.dtype == torch.float32 for tensor in checkpoint(tmp_path)["generator"].values())


@pytest.fixture
def shards(tmp_path):
    """A folder of eight faces."""
    from calib.au import OPENFACE_COUNT
    from tests.support.faces import textured_frame
    from train.data.shards import CROP, FaceSample, FolderMeta, PreparedFace, write_meta, write_shard

    def face(number):
        random = np.random.default_rng(number)
        sample = FaceSample(
            textured_frame(CROP.size, CROP.size, seed=number).image,
            random.uniform(0, CROP.size, (478, 3)).astype(np.float32),
            random.uniform(0, 5, OPENFACE_COUNT).astype(np.float32),
            f"person {number}",
            "set",
            f"{number}.png",
        )
        return PreparedFace(sample, True, 0.0, 1.0, 0.2, False, str(number))

    folder = tmp_path / "shards"
    folder.mkdir()
    write_meta(folder, FolderMeta(seed=0, share=0.4))
    write_shard(folder, "set-00000", [face(number) for number in range(8)], "all")
    return folder


def test_the_command_trains_goes_on_and_refuses_other_options(tmp_path, shards):
    run = tmp_path / "run"
    command = ["fit", "--data", str(shards), "--out", str(run), "--workers", "0", "--threads", "1"]
    sizes = ["--batch", "2", "--recipe", "size=32", "--recipe", "ngf=4", "--recipe", "ndf=4"]
    first = CliRunner().invoke(main, [*command, "--preset", "paper", "--images", "8", *sizes])
    assert first.exit_code == 0, first.output
    assert checkpoint(run)["images"] == 8 and (run / "best.safetensors").is_file()
    longer = CliRunner().invoke(main, [*command, "--images", "12"])
    assert longer.exit_code == 0, longer.output
    options = load_options(run / "options.json")
    assert (options.images, options.batch, options.recipe["ngf"], options.recipe["cycle"]) == (12, 2, 4, 30.0)
    assert checkpoint(run)["images"] == 12
    other = CliRunner().invoke(main, [*command, "--recipe", "ngf=8"])
    assert other.exit_code == 2 and other.output.count("\n") == 1
    assert other.output.startswith("Error: this run was begun with recipe option ngf 4, not 8; keep to it")
