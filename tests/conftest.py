"""Fixtures shared by all tests."""

from __future__ import annotations

import random
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest
from hypothesis import HealthCheck, settings

from reenact.track import landmark_model
from reenact.track.face_mesh import has_face_mesh

SHARED = Path(__file__).resolve().parents[2] / "shared"

# A machine that is busy with other things must not fail a test.
settings.register_profile("reenact", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("reenact")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--shuffle",
        type=int,
        metavar="SEED",
        help="Run the files in an order that depends on SEED, and the tests of each file likewise.",
    )
    parser.addoption(
        "--landmarker",
        type=Path,
        metavar="FILE",
        help="MediaPipe's face_landmarker.task; else the one in your cache or in ../shared/models, or none.",
    )


def pytest_configure(config: pytest.Config) -> None:
    model = config.getoption("--landmarker")
    if model is not None and not model.is_file():
        raise pytest.UsageError(f"--landmarker={model}: no such file; give MediaPipe's face_landmarker.task")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    seed = config.getoption("--shuffle")
    if seed is not None:
        items[:] = shuffled(items, seed)


def shuffled(items: list[pytest.Item], seed: int) -> list[pytest.Item]:
    """In another order for each seed; a file's tests stay together, so that its fixtures are made once."""
    chance = random.Random(seed)
    files: dict[Path, list[pytest.Item]] = {}
    for item in items:
        files.setdefault(item.path, []).append(item)
    groups = list(files.values())
    chance.shuffle(groups)
    for group in groups:
        chance.shuffle(group)
    return [item for group in groups for item in group]


NO_MODEL = "needs MediaPipe's face landmark model, which is not on this machine: pytest --landmarker=FILE"


def _found_model(given: Path | None) -> Path | None:
    """The landmark model, where this machine has one; asked before the tests get a cache of their own."""
    places = (given, landmark_model.cached_model(), SHARED / "models" / "face_landmarker.task")
    return next((place for place in places if place is not None and place.is_file()), None)


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[None]:
    """The tests use neither the cache nor the configuration file of the user, and leave nothing there.

    Only the landmark model is taken from the cache. No test fetches it: one that would is skipped.
    """
    model = _found_model(pytestconfig.getoption("--landmarker"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.mktemp("config")))
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        if model is not None:
            landmark_model.cached_model().parent.mkdir(parents=True)
            shutil.copyfile(model, landmark_model.cached_model())
        else:
            patch.setattr(landmark_model, "read_landmark_model", _skipped_without_model)
        yield


def _skipped_without_model(given: Path | None = None) -> bytes:
    return _READ_LANDMARK_MODEL(given) if given is not None else _skip()


_READ_LANDMARK_MODEL = landmark_model.read_landmark_model


def _skip() -> NoReturn:
    pytest.skip(NO_MODEL)


@pytest.fixture(scope="session")
def tracks_faces(own_cache: None) -> None:
    """For a test that looks for faces in a process of its own: that one cannot skip the test.

    In this process a test is skipped as soon as it opens a tracker that needs a missing model.
    """
    if not has_face_mesh() and not landmark_model.is_cached():
        _skip()


@pytest.fixture(scope="session")
def landmark_file(own_cache: None) -> Path:
    """MediaPipe's face_landmarker.task."""
    if not landmark_model.cached_model().is_file():
        _skip()
    return landmark_model.cached_model()


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of test clips and labelled faces that lives beside a development checkout."""
    if not (SHARED / "data" / "clips").is_dir():
        pytest.skip("needs ../shared (test clips and labelled faces), which this checkout does not have")
    return SHARED


@pytest.fixture(scope="session", autouse=True)
def signals_as_in_a_terminal() -> Iterator[None]:
    """A runner in the background may ignore interrupts and hang-ups, which all that it starts inherits."""
    ignored = [
        number
        for name in ("SIGINT", "SIGHUP")
        if (number := getattr(signal, name, None)) and signal.getsignal(number) == signal.SIG_IGN
    ]
    for number in ignored:
        # Of an interrupt Python makes an exception, where it may: else it would end the tests.
        usual = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
        signal.signal(number, usual)
    yield
    for number in ignored:
        signal.signal(number, signal.SIG_IGN)
