"""The page of the panel in a browser, with a film as the camera: what is moved shows in the picture."""

from __future__ import annotations

import io
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from calib.opening_sizes import opening_sizes
from reenact.programme.presets import PRESETS
from reenact.programme.steps import load_steps
from reenact.records import Frame
from reenact.run.demo import make_clip
from reenact.track import Tracker, TrackerOptions
from tests.cli.test_cli_video import SIZE
from tests.panel.test_cli_panel import HEADLESS, LIMIT_S, Program, program
from tests.panel.test_server import free_port

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
if CHROMIUM is None:
    pytest.skip("there is no Chromium", allow_module_level=True)

WIDE, NARROW = {"width": 1400, "height": 900}, {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clips") / "face.mp4"
    make_clip(path, SIZE, seconds=120)
    return path


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as runner:
        opened = runner.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    opened = browser.new_page(viewport=WIDE)
    opened.set_default_timeout(1000 * LIMIT_S)
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    opened.errors = errors
    yield opened
    opened.close()


@pytest.fixture
def panel(film: Path) -> Iterator[Program]:
    with program("panel", "--camera", film, *HEADLESS) as served:
        yield served


def started(page: Any, panel: Program) -> Any:
    page.goto(panel.address)
    page.click("#begin")
    panel.state(lambda state: state["running"])
    page.wait_for_selector("#picture", state="visible")
    until(page, "document.getElementById('fps').textContent.startsWith('2')")
    return page


def until(page: Any, holds: str) -> None:
    """Waits until an expression of the page is true; its policy forbids the browser's own waiting for one."""
    end_s = time.monotonic() + LIMIT_S
    while not page.evaluate(holds):
        assert time.monotonic() < end_s, holds
        page.wait_for_timeout(50)


def snapshot(panel: Program) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(panel.get("/v1/snapshot.png")))).astype(int)


def drag(page: Any, slider: str, value: float) -> None:
    page.evaluate(
        "([id, value]) => { const it = document.getElementById(id); it.value = value;"
        " it.dispatchEvent(new Event('input')); it.dispatchEvent(new Event('change')); }",
        [slider, value],
    )


def lip_gap_mm(picture: np.ndarray) -> float:
    with Tracker(TrackerOptions(stills=True, smoothing=False, max_faces=1)) as tracker:
        face = tracker(Frame(picture.astype(np.uint8))).faces[0]
    return float(opening_sizes(face.pose.to_canonical(face.landmarks))[0, 0])


@pytest.mark.slow
def test_what_is_moved_shows_in_the_picture(page: Any, panel: Program) -> None:
    started(page, panel)
    page.wait_for_timeout(500)
    calm = snapshot(panel)
    drag(page, "au-AU26", 4)
    panel.state(lambda state: state["targets"] == "AU26=+4")
    page.wait_for_timeout(700)
    opened = snapshot(panel)
    assert lip_gap_mm(opened) > lip_gap_mm(calm) + 4
    assert page.input_value("#au-AU26") == "4" and page.inner_text("#au-AU26 + output") == "+4"
    page.keyboard.press("b")
    panel.state(lambda state: state["bypass"])
    page.wait_for_timeout(700)
    assert lip_gap_mm(snapshot(panel)) < lip_gap_mm(calm) + 2
    page.keyboard.press("b")
    drag(page, "strength", 0)
    assert panel.state(lambda state: state["strength"] == 0)["targets"] == "AU26=+4"
    page.click("#clear")
    panel.state(lambda state: state["targets"] == "none")
    page.click("[data-switch=mirror]")
    panel.state(lambda state: state["mirror"])
    page.wait_for_selector("[data-switch=mirror][aria-pressed=true]")
    assert page.errors == []


@pytest.mark.slow
def test_the_hand_is_recorded_and_plays_again_to_the_same_values(
    page: Any, panel: Program, tmp_path: Path
) -> None:
    started(page, panel)
    page.click("[data-act=hand]")
    for value in (1, 2.5, -1):
        drag(page, "au-AU12", value)
        panel.state(lambda state, value=value: state["aus"].get("AU12") == f"{value:+g}")
    page.click("[data-preset=surprise]")
    panel.state(lambda state: state["preset"] == "surprise")
    page.click("[data-act=hand]")
    page.wait_for_selector("#hand", state="visible")
    with page.expect_download() as download:
        page.click("#hand")
    download.value.save_as(tmp_path / "hand.json")
    targets = [step.targets for step in load_steps(tmp_path / "hand.json").steps]
    assert targets == ["none", "AU12=+1", "AU12=+2.5", "AU12=-1", panel.state()["targets"]]
    assert page.errors == []


@pytest.mark.slow
def test_presets_sides_and_the_split_can_be_used(page: Any, panel: Program) -> None:
    started(page, panel)
    assert page.locator("[data-preset]").count() == len(PRESETS)
    page.click("[data-preset=smile]")
    panel.state(lambda state: state["preset"] == "smile")
    page.wait_for_selector("[data-preset=smile][aria-pressed=true]")
    page.click("#sides")
    drag(page, "au-AU02L", 3)
    assert panel.state(lambda state: "AU02L" in (state["aus"] or {}))["aus"]["AU02L"] == "+3"
    drag(page, "au-AU61L", -2)
    panel.state(lambda state: state["aus"].get("AU62L") == "+2")
    until(page, "document.querySelector('#au-AU61L').value == '-2'")
    page.dblclick("#au-AU02L")
    panel.state(lambda state: "AU02L" not in state["aus"])
    page.click("#compare")
    until(page, "document.getElementById('picture').src.includes('split=0.5')")
    assert page.errors == []


@pytest.mark.slow
def test_the_page_comes_back_when_the_server_does(page: Any, film: Path) -> None:
    arguments = ("panel", "--camera", film, *HEADLESS, "--panel-port", free_port())
    with program(*arguments) as first:
        page.goto(first.address)
        until(page, "document.getElementById('connection').textContent === 'no camera runs'")
    until(page, "document.getElementById('connection').className === 'lost'")
    with program(*arguments) as second:
        assert second.address == first.address
        until(page, "document.getElementById('connection').textContent === 'no camera runs'")
        page.click("[data-preset=smile]")
        second.state(lambda state: state["preset"] == "smile")


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_nothing_is_cut_off_and_everything_has_a_name(
    browser: Any, panel: Program, scheme: str, size: Any
) -> None:
    page = browser.new_page(viewport=size, color_scheme=scheme)
    page.goto(panel.address)
    page.wait_for_selector("#au-AU12")
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
    nameless = page.evaluate(
        "[...document.querySelectorAll('button, input, select, a')].filter(it => !(it.textContent.trim() ||"
        " it.labels?.length || it.getAttribute('aria-label'))).map(it => it.outerHTML)"
    )
    assert nameless == []
    ground, ink = page.evaluate(
        "[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]"
    )
    lightness = [sum(map(int, colour[4:-1].split(",")[:3])) for colour in (ground, ink)]
    assert (lightness[0] > lightness[1]) == (scheme == "light")
    page.close()
