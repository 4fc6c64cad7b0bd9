"""`reenact webcam --record` from the outside."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from pathlib import Path

import av
import numpy as np
import pytest

from reenact.media.read import open_capture
from reenact.run.demo import make_clip
from tests.cli.test_cli_video import SIZE, assert_refused, reenact, shell
from tests.run.test_recorder import rows_of
from tests.support.media import picture_times
from tests.support.portaudio import install

pytest.importorskip("pyvirtualcam")

SMILE = ("--target-aus", "AU06=+1,AU12=+2", "--generator", "warp", "--no-virtual-camera")


@pytest.fixture(scope="module")
def face(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clips") / "face.mp4"
    make_clip(path, SIZE, seconds=1)
    return path


@pytest.fixture
def no_microphone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without one, whatever this one has."""
    install(monkeypatch)


def test_what_is_shown_is_recorded_with_its_table(face: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.mp4"
    arguments = "--record", output, "--no-audio", "--duration", 3, "--json", "-"
    result = reenact("webcam", "--camera", face, *SMILE, *arguments)
    assert result.exit_code == 0, result.output
    (recording,) = json.loads(result.stdout)["recordings"]
    times, rows = picture_times(output), rows_of(tmp_path / "out.csv")
    assert recording["path"] == str(output)
    # A row for each face of each frame.
    assert recording["frames"] == len(times) == len({row["frame"] for row in rows}) >= 10
    assert f"{output}: {len(times)} frames, {recording['duration_s']:.1f} s" in result.stderr
    assert all(
        float(row["timestamp"]) == pytest.approx(times[int(row["frame"]) - 1], abs=1e-6) for row in rows
    )
    smiled = [row for row in rows if row["success"] == "1" and row["face_id"] == "0"]
    assert all(float(row["AU12_asked"]) >= float(row["AU12_r"]) for row in smiled)
    assert float(smiled[-2]["AU12_asked"]) > float(smiled[-2]["AU12_r"]) + 0.5
    with av.open(str(output)) as container:
        assert container.metadata["comment"].startswith("Edited with reenact")
        assert not container.streams.audio


def test_the_recording_shows_the_changed_face(face: Path, tmp_path: Path) -> None:
    reenact(
        "webcam", "--camera", face, *SMILE, "--record", tmp_path / "out.mp4", "--no-audio", "--duration", 1
    )
    with open_capture(face) as capture:
        originals = np.stack([frame.image for frame in capture]).astype(int)
    with open_capture(tmp_path / "out.mp4") as capture:
        recorded = [frame.image for frame in capture][-2].astype(int)
    nearest = originals[np.abs(originals - recorded).mean(axis=(1, 2, 3)).argmin()]
    assert np.abs(recorded - nearest).max() > 60


@pytest.mark.usefixtures("no_microphone")
def test_without_a_microphone_it_says_so_once_and_the_recording_is_silent(
    face: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    result = reenact("webcam", "--camera", face, *SMILE, "--record", tmp_path / "out.mp4", "--duration", 3)
    assert result.exit_code == 0, result.output
    assert caplog.messages == ["there is no microphone: recordings are silent until it works"]
    with av.open(str(tmp_path / "out.mp4")) as container:
        sound = np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])
    assert not sound.any()
    assert len(sound) / 48000 == pytest.approx(float(picture_times(tmp_path / "out.mp4")[-1]), abs=0.1)


def test_the_table_of_the_run_also_says_what_was_asked_for(face: Path, tmp_path: Path) -> None:
    reenact("webcam", "--camera", face, *SMILE, "--aus-csv", tmp_path / "aus.csv", "--duration", 1)
    last = rows_of(tmp_path / "aus.csv")[-1]
    assert float(last["AU12_asked"]) > float(last["AU12_r"]) + 0.5


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--record", "out.avi"], ["out.avi", ".mp4"]),
        (["--record", "nowhere/out.mp4"], ["nowhere", "does not exist"]),
        (["--record", "out.mp4", "--no-audio", "--audio-device", "usb"], ["exclude each other"]),
        (["--audio-device", "usb"], ["needs --record"]),
        (["--record", "out.mp4", "--audio-delay", "soon"], ["soon"]),
        (["--record", "out.mp4", "--audio-delay", "-5"], ["--audio-delay"]),
        (["--record", "out.mp4", "--audio-delay", "nan"], ["not a number"]),
    ],
)
def test_what_cannot_be_recorded_is_refused_in_one_line(
    face: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], words: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert_refused(reenact("webcam", "--camera", face, *SMILE, *arguments), *words)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("tracks_faces")
@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="needs POSIX signals")
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("number", "exit_code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_at_any_moment_leaves_a_whole_recording(
    face: Path, tmp_path: Path, number: int, exit_code: int, seed: int
) -> None:
    arguments = "--record", tmp_path / "out.mp4", "--no-audio", "--duration", 300
    process = shell("webcam", "--camera", face, *SMILE, *arguments)
    try:
        while not (tmp_path / "out.partial.csv").exists():
            assert process.poll() is None, process.communicate()
            time.sleep(0.02)
        time.sleep(random.Random(seed).random())
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == exit_code, err
    times, rows = picture_times(tmp_path / "out.mp4"), rows_of(tmp_path / "out.csv")
    assert len(times) == len(rows) > 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.csv", "out.mp4"]
