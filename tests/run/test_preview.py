"""The preview: pictures into a window, keys out of it. The last test needs Xvfb, and opens a real one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from reenact.doctor import diagnose
from reenact.doctor.machine import ProbeResult, System
from reenact.media.write.encoding import SinkError
from reenact.pipeline.meter import LiveStatus
from reenact.programme import parse_targets
from reenact.retarget.controls import Controls, Settings, name_of
from reenact.run import preview_window as window_module
from reenact.run.demo import make_clip
from reenact.run.preview import FIGURES_S, IDLE_S, MESSAGE_S, Preview
from reenact.run.preview_window import Window, why_no_preview
from tests.media.test_virtual_camera import Clock
from tests.project.test_architecture import ROOT
from tests.run.test_overlay import finished

DEBIAN = System("linux", "apt-get", root=True)


class Screen:
    """A window whose keys are pressed by the test."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.pictures: list[np.ndarray] = []
        self.closed = False

    def show(self, picture: np.ndarray) -> None:
        self.pictures.append(picture)

    def key(self) -> str | None:
        return self.keys.pop(0) if self.keys else None


class Tape:
    """Something that records."""

    recording = False

    def toggle(self) -> str:
        self.recording = not self.recording
        return "records to tape.mp4" if self.recording else "tape.mp4 is complete"


class Setup:
    def __init__(self, recording: Tape | None = None, neutral: str = "taken") -> None:
        self.screen, self.clock = Screen(), Clock()
        self.controls = Controls(Settings(parse_targets("smile")))
        self.asked = 0
        self.neutrals = 0
        self._neutral = neutral
        self.preview = Preview(
            self.screen, self.controls, self._status, self._take_neutral, recording, self.clock
        )

    def _status(self) -> LiveStatus:
        self.asked += 1
        return LiveStatus(fps=float(self.asked))

    def _take_neutral(self) -> str:
        self.neutrals += 1
        return self._neutral

    def press(self, *keys: str) -> np.ndarray:
        """The picture after the last of them."""
        for key in keys:
            self.screen.keys.append(key)
            self.preview.write(finished())
        return self.screen.pictures[-1]


@pytest.fixture
def setup() -> Setup:
    return Setup()


def test_every_frame_is_shown_and_what_is_shown_is_no_frame(setup: Setup) -> None:
    record = finished()
    setup.preview.write(record)
    setup.preview.write(record)
    assert len(setup.screen.pictures) == 2
    assert (record.image == 100).all()


def test_keys_change_the_settings(setup: Setup) -> None:
    setup.press("4", "up", "space", "m")
    now = setup.controls.now
    assert (name_of(now.targets), now.strength, now.bypass, now.mirror) == ("surprise", 1.1, True, True)
    setup.press("0")
    assert name_of(setup.controls.now.targets) == "smile"


@pytest.mark.parametrize("key", ["q", "escape"])
def test_quitting_ends_the_run(setup: Setup, key: str) -> None:
    setup.press("h")
    assert not setup.preview.closed
    setup.press(key)
    assert setup.preview.closed


def test_a_window_that_is_closed_ends_the_run(setup: Setup) -> None:
    setup.screen.closed = True
    assert setup.preview.closed


def test_keys_are_seen_to_while_no_frame_comes(setup: Setup) -> None:
    setup.screen.keys = ["space", "q"]
    setup.preview.idle()
    setup.preview.idle()
    assert setup.controls.now.bypass and setup.preview.closed
    assert setup.screen.pictures == []


def test_while_no_frame_comes_the_last_one_is_shown_again_now_and_then(setup: Setup) -> None:
    setup.preview.write(finished())
    for _ in range(101):
        setup.clock.now_s += 0.01
        setup.preview.idle()
    assert len(setup.screen.pictures) == pytest.approx(1 + 1 / IDLE_S, abs=1)


def test_figures_stand_still_long_enough_to_be_read(setup: Setup) -> None:
    for _ in range(91):  # three seconds
        setup.preview.write(finished())
        setup.clock.now_s += 1 / 30
    assert setup.asked == pytest.approx(3 / FIGURES_S, abs=2)


@pytest.mark.parametrize("neutral", ["this is the neutral face now", "no face"])
def test_the_neutral_is_taken_and_the_answer_told_for_a_moment(neutral: str) -> None:
    setup = Setup(neutral=neutral)
    quiet = setup.press("x")
    told = setup.press("n")
    assert setup.neutrals == 1
    assert (told[:60] != quiet[:60]).any()
    setup.clock.now_s += MESSAGE_S
    assert (setup.press("x")[:60] == quiet[:60]).all()


def test_recording_is_turned_on_and_off_by_whatever_records() -> None:
    tape = Tape()
    setup = Setup(tape)
    setup.press("r")
    assert tape.recording
    setup.press("r")
    assert not tape.recording


def test_without_a_recorder_the_key_says_what_to_do(setup: Setup) -> None:
    quiet = setup.press("x")
    assert (setup.press("r")[:60] != quiet[:60]).any()


# Whether a window can open.


def test_without_a_display_there_is_no_preview_and_nothing_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(window_module.machine, "run", lambda program: pytest.fail("tried"))
    assert why_no_preview() == "this machine has no display"


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (
            ProbeResult(error="this OpenCV has no windows"),
            ["pip uninstall -y", f"pip install {diagnose.CV2}"],
        ),
        (ProbeResult(error="crashes Python (SIGABRT)"), ["the display", "ssh -Y"]),
        (ProbeResult(error="ImportError: libGL.so.1: cannot open"), ["apt-get install -y libgl1"]),
    ],
)
def test_why_no_window_opens_is_one_line_with_what_to_do(outcome: ProbeResult, words: list[str]) -> None:
    why = diagnose.why_no_window(outcome, DEBIAN)
    assert why is not None and "\n" not in why
    assert all(word in why for word in words)
    finding = diagnose.check_preview(outcome, DEBIAN)
    assert finding.verdict == "warning" and finding.fix is not None


def test_a_window_that_opens_or_a_machine_without_a_display_is_no_fault() -> None:
    assert diagnose.check_preview(ProbeResult("QT5"), DEBIAN).verdict == "ok"
    assert diagnose.check_preview(None, DEBIAN).verdict == "ok"


def test_an_opencv_without_windows_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> None:
        raise cv2.error("The function is not implemented")

    monkeypatch.setattr(cv2, "namedWindow", refuse)
    with pytest.raises(SinkError, match="no window opens: The function is not implemented"):
        Window("reenact", (48, 64))


# For real.

XVFB = shutil.which("Xvfb"), shutil.which("xdotool"), shutil.which("import")


@pytest.fixture
def display() -> Iterator[str]:
    """A display of its own."""
    if not all(XVFB):
        pytest.skip("needs Xvfb, xdotool and ImageMagick's import: apt-get install xvfb xdotool imagemagick")
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", "1", "-screen", "0", "800x600x24"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert server.stdout is not None
        yield f":{server.stdout.readline().strip()}"
    finally:
        server.terminate()
        server.wait(10)


class Desk:
    """Somebody who sits before a display."""

    def __init__(self, display: str, folder: Path) -> None:
        self.environment = {**os.environ, "DISPLAY": display, "PYTHONPATH": str(ROOT)}
        self._shot = folder / "shot.png"

    def run(self, *command: str) -> str:
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)
        return done.stdout.strip()

    def press(self, key: str) -> None:
        """In the window, if it is there; a key may get lost on its way."""
        for window in self.run("xdotool", "search", "--name", "^reenact$").split():
            self.run("xdotool", "windowfocus", window, "key", key)

    def look(self) -> np.ndarray:
        self.run("import", "-window", "root", str(self._shot))
        return cv2.cvtColor(cv2.imread(str(self._shot)), cv2.COLOR_BGR2RGB)


def wait_for(ask: object, limit_s: float = 120) -> object:
    """The first answer that is true."""
    end_s = time.monotonic() + limit_s
    while time.monotonic() < end_s:
        if answer := ask():
            return answer
        time.sleep(0.1)
    raise AssertionError("waits in vain")


def test_a_real_window_shows_the_result_answers_its_keys_and_ends_the_run(
    display: str, tmp_path: Path
) -> None:
    desk, clip = Desk(display, tmp_path), tmp_path / "face.mp4"
    make_clip(clip, (480, 640), seconds=1)
    command = [sys.executable, "-m", "reenact", "webcam", "--camera", str(clip), "--preset", "smile"]
    options = ["--generator", "warp", "--duration", "400", "--preview"]
    process = subprocess.Popen([*command, *options], env=desk.environment, stderr=subprocess.PIPE, text=True)
    try:
        wait_for(lambda: process.poll() is not None or desk.look()[:480, :640].mean() > 20)
        before = desk.look()[455:480, :90]

        def pressed(key: str) -> bool:
            """Whether the preset's name is another now."""
            desk.press(key)
            return bool((np.abs(desk.look()[455:480, :90].astype(int) - before) > 60).sum() > 20)

        wait_for(lambda: process.poll() is not None or pressed("4"))

        def ended() -> bool:
            desk.press("q")
            return process.poll() is not None

        wait_for(ended)
        _, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 0, errors
    assert "Warning: no virtual camera opens" in errors
    assert "frames" in errors.splitlines()[-1]
