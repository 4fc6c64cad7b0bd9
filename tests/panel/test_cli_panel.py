"""`reenact panel` and `reenact webcam --panel` as programs of their own, with a film as the camera."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from reenact.media.read import open_capture
from reenact.run.demo import make_clip
from tests.cli.test_cli_video import SIZE

LIMIT_S = 60
HEADLESS = ("--no-virtual-camera", "--no-browser")


@pytest.fixture(scope="module")
def face(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clips") / "face.mp4"
    make_clip(path, SIZE, seconds=40)
    return path


class Program:
    """A program that serves a panel."""

    def __init__(self, process: subprocess.Popen[str], address: str) -> None:
        self.process, self.address = process, address
        self._base, self._token = re.fullmatch(r"(http://[^/]+)/\?token=(.+)", address).groups()  # type: ignore[union-attr]

    def get(self, path: str) -> bytes:
        joined = "&" if "?" in path else "?"
        with urlopen(f"{self._base}{path}{joined}token={self._token}", timeout=LIMIT_S) as response:
            return bytes(response.read())

    def send(self, **command: Any) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self._token}"}
        request = Request(f"{self._base}/v1/command", json.dumps(command).encode(), headers)
        with urlopen(request, timeout=LIMIT_S) as response:
            return dict(json.loads(response.read()))

    def state(self, until: Callable[[dict[str, Any]], bool] = lambda _: True) -> dict[str, Any]:
        """The state, as soon as it is as it should be."""
        end_s = time.monotonic() + LIMIT_S
        while not until(state := json.loads(self.get("/v1/state"))):
            assert time.monotonic() < end_s, state
            time.sleep(0.05)
        return dict(state)


@contextmanager
def program(*arguments: object) -> Iterator[Program]:
    command = [sys.executable, "-m", "reenact", *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        try:
            lines = []
            for line in process.stdout:
                lines.append(line)
                if (found := re.search(r"^panel: (\S+)$", line)) is not None:
                    break
            else:
                raise AssertionError("".join(lines))
            yield Program(process, found[1])
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
            try:
                process.communicate(timeout=LIMIT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                raise


def test_the_camera_starts_by_a_command_and_stops_and_starts_again(face: Path, tmp_path: Path) -> None:
    take = tmp_path / "take.mp4"
    with program("panel", "--camera", face, *HEADLESS, "--record", take, "--no-audio") as panel:
        state = panel.state()
        assert not state["running"] and not take.exists()
        with pytest.raises(HTTPError):
            panel.get("/v1/snapshot.png")
        assert panel.send(do="act", action="start")["message"] == "the camera starts"
        assert panel.state(lambda state: state["running"])["recording"]
        panel.send(do="act", action="hand")
        panel.send(do="set", aus={"AU12": 2}, strength=0.75)
        panel.send(do="act", action="hand")
        assert panel.get("/v1/snapshot.png").startswith(b"\x89PNG")
        steps = json.loads(panel.get("/v1/hand.json"))["steps"]
        assert [(step["targets"], step["strength"]) for step in steps] == [("none", 1), ("AU12=+2", 0.75)]
        panel.send(do="act", action="stop")
        assert not panel.state(lambda state: not state["running"])["recording"]
        with open_capture(take) as film:
            assert sum(1 for _ in film) > 1
        panel.send(do="act", action="start")
        assert panel.state(lambda state: state["running"])["targets"] == "AU12=+2"
    assert panel.process.returncode == 130


def test_a_camera_that_is_not_there_is_told_to_the_page(face: Path) -> None:
    with program("panel", "--camera", face, *HEADLESS) as panel:
        panel.send(do="act", action="start", camera="99")
        state = panel.state(lambda state: state["trouble"] is not None)
        assert "99" in state["trouble"] and len(state["trouble"].splitlines()) == 1 and not state["running"]
        panel.send(do="act", action="start")
        assert panel.state(lambda state: state["running"])["trouble"] is None


def test_webcam_runs_at_once_with_a_panel_beside_it(face: Path) -> None:
    with program(
        "webcam", "--camera", face, *HEADLESS, "--no-preview", "--panel", "--preset", "smile"
    ) as panel:
        assert panel.state(lambda state: state["running"])["preset"] == "smile"
        panel.send(do="act", action="stop")
        assert panel.process.wait(LIMIT_S) == 0
