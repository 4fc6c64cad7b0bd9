"""`reenact webcam` from the outside, with a file as the camera and a backend that reads the result back."""

from __future__ import annotations

import csv
import json
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from reenact.cli.errors import Stop, Terminated, signals_stop
from reenact.cli.progress import status_line
from reenact.cli.webcam import SHOW_S, LiveProgress
from reenact.generate.generator import shipped_models
from reenact.media.read import open_capture
from reenact.pipeline.meter import LiveStatus
from reenact.run.demo import make_clip
from tests.cli.test_cli_video import SIZE, assert_refused, reenact, shell
from tests.media.test_virtual_camera import Seen
from tests.support import tiny_models
from tests.support.media import Film, write_film

pyvirtualcam = pytest.importorskip("pyvirtualcam")

SMILE = ("--preset", "smile")
HEADLESS = (*SMILE, "--no-virtual-camera", "--no-preview")


@pytest.fixture(scope="module")
def face(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clips") / "face.mp4"
    make_clip(path, SIZE, seconds=1)
    return path


@pytest.fixture(scope="module")
def no_face(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten frames, smooth and all different."""
    return write_film(tmp_path_factory.mktemp("clips") / "none.mp4", Film(ticks=range(0, 10 * 512, 512)))


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Seen]]:
    """What a program that uses the virtual camera sees."""
    monkeypatch.setattr("pyvirtualcam.camera.BACKENDS", {})
    monkeypatch.setattr(Seen, "opened", [])
    pyvirtualcam.register_backend("seen", Seen)
    yield Seen.opened


def test_the_virtual_camera_shows_the_camera_with_its_face_changed(face: Path, seen: list[Seen]) -> None:
    surprise = "--preset", "surprise", "--no-preview"
    result = reenact("webcam", "--camera", face, *surprise, "--duration", 4, "--json", "-")
    assert result.exit_code == 0, result.output
    (camera,) = seen
    assert (camera.size, camera.fps, camera.closed) == (SIZE, 30, 1)
    document = json.loads(result.stdout)
    assert len(camera.images) >= document["frames"] >= 5
    with open_capture(face) as capture:
        originals = np.stack([frame.image for frame in capture]).astype(int)
    last = camera.images[-1].astype(int)
    nearest = originals[np.abs(originals - last).mean(axis=(1, 2, 3)).argmin()]
    assert np.abs(last - nearest).max() > 60, "the face"
    np.testing.assert_array_equal(last[:10], nearest[:10], "nothing but the face")


def test_without_a_face_the_cameras_pixels_pass_through_bit_for_bit(no_face: Path, seen: list[Seen]) -> None:
    result = reenact("webcam", "--camera", no_face, *SMILE, "--no-preview", "--duration", 1)
    assert "Warning: no face was found: the picture was unchanged" in result.stderr
    with open_capture(no_face) as capture:
        originals = {frame.image.tobytes() for frame in capture}
    shown = {image.tobytes() for image in seen[0].images if image.any()}
    assert len(shown) >= 5
    assert shown <= originals


def test_the_mirror_exchanges_left_and_right(no_face: Path, seen: list[Seen]) -> None:
    reenact("webcam", "--camera", no_face, *SMILE, "--no-preview", "--mirror", "--duration", 0.5)
    green = seen[0].images[-1][..., 1].astype(int).mean(axis=0)
    assert green[0] > green[-1] + 100, "the film's grows to the right"


def test_the_json_says_how_it_went(face: Path) -> None:
    result = reenact("webcam", "--camera", face, *HEADLESS, "--duration", 1, "--json", "-")
    document = json.loads(result.stdout)
    assert document["camera"] == str(face)
    assert document["frames"] == document["frames_with_face"] == document["last"]["frames"] > 0
    assert 0 < document["latency"]["p50_ms"] <= document["latency"]["p95_ms"]
    assert document["dropped"] == document["last"]["dropped"] >= 0
    refining = ["appearance"] if shipped_models() else []
    stages = ["read", "wait", "track", "measure", "occlusion", "retarget", "generate", *refining]
    stages += ["paste", "hand over", "write"]
    told = {name: times for name, times in document["stages"].items() if name != "appearance later"}
    assert list(told) == stages
    assert document["last"]["slowest"] in stages[2:-2] or document["last"]["slowest"] == "write"
    parts = sum(times["p50_ms"] for name, times in told.items() if name != "read")
    assert 0.5 < parts / document["latency"]["p50_ms"] < 1.5, "the parts of the latency"
    assert document["last"]["signal"]["state"] == "live"


@pytest.mark.slow
def test_over_the_budget_it_says_which_step_it_took(face: Path, tmp_path: Path) -> None:
    model = tmp_path / "mouth.onnx"
    model.write_bytes(tiny_models.described(tiny_models.blackener(), "live"))
    asked = "--target-aus", "AU26=+1.5", "--model", model
    arguments = *asked, "--budget-ms", 1, "--duration", 10, "--json", "-"
    result = reenact("webcam", "--camera", face, *HEADLESS, *arguments)
    document = json.loads(result.stdout)
    assert document["last"]["step"].startswith("over 1 ms: the networks ")
    assert "appearance later" in document["stages"]


def test_a_generator_without_a_network_has_no_steps(face: Path) -> None:
    arguments = "--generator", "warp", "--budget-ms", 1, "--duration", 3, "--json", "-"
    document = json.loads(reenact("webcam", "--camera", face, *HEADLESS, *arguments).stdout)
    assert document["last"]["step"] is None
    assert "appearance later" not in document["stages"]


def test_the_table_has_a_row_for_each_frame_that_was_not_dropped(face: Path, tmp_path: Path) -> None:
    table = tmp_path / "aus.csv"
    arguments = "--duration", 1, "--aus-csv", table, "--json", "-"
    document = json.loads(reenact("webcam", "--camera", face, *HEADLESS, *arguments).stdout)
    with table.open() as file:
        rows = list(csv.DictReader(file))
    # The last frame or two may have been measured and then not shown any more.
    assert 0 <= len(rows) - document["frames"] <= 2
    numbers = [int(row["frame"]) for row in rows]
    assert numbers == sorted(set(numbers))
    assert float(rows[-1]["timestamp"]) < 2
    assert float(rows[-1]["AU12_r"]) > 0.5, "the portrait smiles"


def test_where_standard_error_is_no_terminal_it_says_one_line_at_the_end(face: Path) -> None:
    result = reenact("webcam", "--camera", face, *HEADLESS, "--duration", 2 * SHOW_S)
    (line,) = result.stderr.splitlines()
    assert "with a face" in line and "dropped" in line and "\r" not in line


def test_what_the_camera_does_not_give_is_noted(no_face: Path) -> None:
    arguments = "--size", "1280x720", "--fps", 60, "--duration", 0.1
    result = reenact("webcam", "--camera", no_face, *HEADLESS, *arguments)
    assert f"Note: camera {no_face} gives 64x48, not 1280x720" in result.stderr
    assert f"Note: camera {no_face} gives 30 frames a second, not 60" in result.stderr


def test_it_starts_without_anything_asked_for(face: Path, tmp_path: Path) -> None:
    table = tmp_path / "aus.csv"
    arguments = "--no-virtual-camera", "--no-preview", "--duration", 1, "--aus-csv", table
    result = reenact("webcam", "--camera", face, "--generator", "warp", *arguments)
    assert result.exit_code == 0, result.stderr
    with table.open() as file:
        rows = list(csv.DictReader(file))
    assert rows and all(row["AU12_asked"] == row["AU12_r"] for row in rows)


def test_a_table_may_drive_the_face_before_the_camera(face: Path, tmp_path: Path) -> None:
    (tmp_path / "driver.csv").write_text("timestamp,AU12_r\n0,5\n")
    table = tmp_path / "aus.csv"
    arguments = "--no-virtual-camera", "--no-preview", "--duration", 2, "--aus-csv", table
    result = reenact("webcam", "--camera", face, "--driver", tmp_path / "driver.csv", *arguments)
    assert result.exit_code == 0, result.stderr
    with table.open() as file:
        rows = [row for row in csv.DictReader(file) if row["face_id"] == "0"]
    assert float(rows[-1]["AU12_asked"]) == pytest.approx(5, abs=0.3)
    assert float(rows[-1]["AU12_r"]) < 4


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--size", "720p", *HEADLESS], ["'720p' is not a size", "1280x720"]),
        (["--size", "0x0", *HEADLESS], ["'0x0' is not a size"]),
        (["--fps", "0", *HEADLESS], ["--fps"]),
        (["--duration", "0", *HEADLESS], ["--duration"]),
        (["--duration", "nan", *HEADLESS], ["not a number"]),
        (["--target-aus", "AU99=1"], ["unknown action unit 'AU99'"]),
        (["--camera", "nowhere.mp4", *HEADLESS], ["no camera or video file 'nowhere.mp4'"]),
        (["--camera", "/dev/video98", *HEADLESS], ["/dev/video98"]),
        (["--camera", "http://127.0.0.1:9/x", *HEADLESS], ["does not open", "is it on"]),
        (["--aus-csv", "aus.txt", *HEADLESS], ["aus.txt", ".csv"]),
        (["--generator", "magic", *HEADLESS], ["'magic'", "warp"]),
    ],
)
def test_bad_arguments_and_cameras_are_refused_in_one_line(
    no_face: Path, arguments: list[str], words: list[str]
) -> None:
    if "--camera" not in arguments:
        arguments = ["--camera", str(no_face), *arguments]
    assert_refused(reenact("webcam", *arguments), *words)


def test_where_no_virtual_camera_opens_one_line_says_what_to_do(
    no_face: Path, seen: list[Seen], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Seen, "broken", True)
    result = reenact("webcam", "--camera", no_face, *SMILE, "--no-preview")
    assert_refused(result, "no virtual camera opens", "there is no such device")


class Shown:
    """The window of a test: closed after some frames."""

    opened: ClassVar[list[Shown]] = []

    def __init__(self, title: str, size: tuple[int, int]) -> None:
        self.size = size
        self.count = 0
        Shown.opened.append(self)

    def __enter__(self) -> Shown:
        return self

    def __exit__(self, *error: object) -> None:
        """Nothing is held."""

    def show(self, picture: np.ndarray) -> None:
        self.count += 1

    def key(self) -> None:
        """None is pressed."""

    @property
    def closed(self) -> bool:
        return self.count >= 5


@pytest.fixture
def window(monkeypatch: pytest.MonkeyPatch) -> list[Shown]:
    monkeypatch.setattr(Shown, "opened", [])
    monkeypatch.setattr("reenact.run.live.Window", Shown)
    monkeypatch.setattr("reenact.run.live.why_no_preview", lambda: None)
    return Shown.opened


def test_without_a_virtual_camera_the_preview_still_runs_and_a_warning_says_what_to_do(
    no_face: Path, seen: list[Seen], window: list[Shown], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Seen, "broken", True)
    result = reenact("webcam", "--camera", no_face, *SMILE, "--json", "-")
    assert result.exit_code == 0, result.output
    warnings = [line for line in result.stderr.splitlines() if "no virtual camera opens" in line]
    assert len(warnings) == 1 and warnings[0].startswith("Warning: ")
    assert json.loads(result.stdout)["notes"] == [warnings[0].removeprefix("Warning: ")]


def test_the_run_ends_when_its_window_is_closed(no_face: Path, window: list[Shown]) -> None:
    started_s = time.monotonic()
    result = reenact(
        "webcam", "--camera", no_face, *SMILE, "--no-virtual-camera", "--duration", 60, "--json", "-"
    )
    assert json.loads(result.stdout)["frames"] == 5
    assert window[0].size == (48, 64)
    assert time.monotonic() - started_s < 30


def test_where_no_window_opens_a_note_says_why_and_asking_for_one_is_refused(
    no_face: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reenact.run.live.why_no_preview", lambda: "this machine has no display")
    arguments = "webcam", "--camera", no_face, *SMILE, "--no-virtual-camera", "--duration", 0.2
    result = reenact(*arguments)
    assert result.stderr.count("Note: no preview: this machine has no display") == 1
    assert_refused(reenact(*arguments, "--preview"), "no preview: this machine has no display")


@pytest.mark.usefixtures("tracks_faces")
@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="needs POSIX signals")
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("number", "exit_code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_at_any_moment_ends_it_with_everything_written(
    face: Path, tmp_path: Path, number: int, exit_code: int, seed: int
) -> None:
    table, document = tmp_path / "aus.csv", tmp_path / "run.json"
    arguments = "--aus-csv", table, "--json", document, "--duration", 300
    process = shell("webcam", "--camera", face, *HEADLESS, *arguments)
    try:
        while not any(path.stat().st_size for path in tmp_path.glob(".aus.*")):
            assert process.poll() is None, process.communicate()
            time.sleep(0.02)
        time.sleep(random.Random(seed).random() / 5)
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == exit_code, err
    summary, *notes = err.splitlines()
    assert " frames, " in summary and all(line.startswith("Note: ") for line in notes), err
    assert len(table.read_text().splitlines()) > json.loads(document.read_text())["frames"] > 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["aus.csv", "run.json"]


# The parts.


@pytest.mark.skipif(os.name == "nt", reason="needs POSIX signals")
@pytest.mark.parametrize(("number", "exit_code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_the_first_signal_asks_and_the_second_strikes(number: int, exit_code: int) -> None:
    def strike(number: int, frame: object) -> None:
        raise Terminated

    before = signal.signal(number, strike)
    try:
        with signals_stop() as stop:
            assert (stop.number, stop.exit_code) == (None, 0)
            signal.raise_signal(number)
            assert (stop.number, stop.exit_code) == (number, exit_code)
            with pytest.raises(Terminated):
                signal.raise_signal(number)
        assert signal.getsignal(number) is strike
    finally:
        signal.signal(number, before)


def test_in_another_thread_signals_are_left_alone() -> None:
    before, during = signal.getsignal(signal.SIGINT), []

    def work() -> None:
        with signals_stop():
            during.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(5)
    assert during == [before]


def test_the_watch_shows_how_it_goes_now_and_then_and_ends_in_time() -> None:
    now, shown = [0.0], []
    watch = LiveProgress(lambda: LiveStatus(frames=3), shown.append, Stop(), 2.0, lambda: now[0])
    going = 0
    while watch():
        going += 1
        now[0] += 0.01
    assert going == 200
    assert shown == ["0.0 fps, 0 dropped"] * 4


def test_the_watch_ends_when_a_signal_has_come() -> None:
    stop = Stop()
    watch = LiveProgress(LiveStatus, lambda text: None, stop, 60)
    assert watch()
    stop.number = signal.SIGTERM
    assert not watch()


def test_the_status_line_replaces_itself_and_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "20")
    with status_line() as show:
        show("a long line")
        show("short")
        show("x" * 100)
    assert capsys.readouterr().err == (
        "\ra long line" + "\rshort      " + "\r" + "x" * 19 + "\r" + " " * 19 + "\r"
    )


def test_a_second_camera_drives(face: Path, no_face: Path, seen: list[Seen], tmp_path: Path) -> None:
    """The portrait smiles, before both cameras; nobody is before the third."""
    table = tmp_path / "aus.csv"
    held = "--gain", 0, "--generator", "warp", "--no-preview", "--duration", 2, "--aus-csv", table
    asked = {}
    for name, camera in (("her", face), ("nobody", no_face)):
        result = reenact("webcam", "--camera", face, "--driver-camera", camera, *held)
        assert result.exit_code == 0, result.output
        with table.open() as file:
            rows = [row for row in csv.DictReader(file) if row["success"] == "1"]
        asked[name] = float(rows[-1]["AU12_asked"]) - float(rows[-1]["AU12_r"])
    assert asked["her"] < -1, (
        "what a driver has beyond its rest counts for nothing here, and hers is taken away"
    )
    assert asked["nobody"] == pytest.approx(0, abs=0.01), "her own smile"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--driver-camera", "nowhere.mp4"), "nowhere.mp4"),
        (("--driver-camera", "0", "--driver", "film.mp4"), "give either --driver or --driver-camera"),
    ],
)
def test_a_second_camera_that_cannot_be_is_refused(
    face: Path, arguments: tuple[str, ...], message: str
) -> None:
    assert_refused(reenact("webcam", "--camera", face, *HEADLESS, *arguments), message)
