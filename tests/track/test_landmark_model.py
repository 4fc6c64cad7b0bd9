"""The landmark model is fetched once, whole or not at all, and what fails is said in one line."""

from __future__ import annotations

import hashlib
import io
import logging
import os
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from reenact.track import landmark_model
from reenact.track.fit import TrackerError
from reenact.track.landmark_model import MODEL_SHA256, MODEL_URL, fetched_model, read_networks

CONTENT = bytes(range(256)) * 300
NETWORK = b"\x08\0\0\0TFL3...."
"""The first bytes of a TFLite file."""
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Server:
    """What a local server sends, and how often it was asked."""

    def __init__(self, content: bytes = CONTENT, status: int = 200, announced: int | None = None) -> None:
        self.content, self.status = content, status
        self.announced = len(content) if announced is None else announced
        self.asked = 0
        self.url = ""


@contextmanager
def serving(server: Server) -> Iterator[Server]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            server.asked += 1
            self.send_response(server.status)
            self.send_header("Content-Length", str(server.announced))
            self.end_headers()
            self.wfile.write(server.content)

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        server.url = f"http://127.0.0.1:{http.server_port}/face_landmarker.task"
        thread = threading.Thread(target=http.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            http.shutdown()
            thread.join()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "models" / "face_landmarker.task"


def beside(file: Path) -> list[str]:
    """What lies in the file's folder."""
    return sorted(each.name for each in file.parent.iterdir()) if file.parent.is_dir() else []


def test_the_model_is_fetched_once(file: Path) -> None:
    with serving(Server()) as server:
        assert fetched_model(file, server.url, SHA256) == CONTENT
        assert fetched_model(file, server.url, SHA256) == CONTENT
    assert server.asked == 1
    assert file.read_bytes() == CONTENT
    assert beside(file) == ["face_landmarker.task"]


def test_what_is_damaged_in_the_cache_is_fetched_again(file: Path) -> None:
    file.parent.mkdir(parents=True)
    file.write_bytes(CONTENT[:-1])
    with serving(Server()) as server:
        assert fetched_model(file, server.url, SHA256) == CONTENT
    assert file.read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("server", "words"),
    [
        (Server(CONTENT[:1000], announced=len(CONTENT)), "breaks off after 1000 bytes, 75800 are missing"),
        (Server(CONTENT[:-1]), "has the SHA-256"),
        (Server(b"<html>captive portal</html>"), "has the SHA-256"),
        (Server(b"", status=404), "404 Not Found"),
        (Server(b"", status=503), "503 Service Unavailable"),
    ],
)
def test_a_bad_answer_is_said_in_one_line_and_leaves_nothing(file: Path, server: Server, words: str) -> None:
    with serving(server), pytest.raises(TrackerError) as caught:
        fetched_model(file, server.url, SHA256)
    message = str(caught.value)
    assert words in message and "\n" not in message
    assert server.url in message and str(file) in message and "--landmarker" in message
    assert beside(file) == []


def test_without_a_network_the_message_says_what_to_do(file: Path) -> None:
    with serving(Server()) as server:
        pass  # which has gone by now
    with pytest.raises(TrackerError) as caught:
        fetched_model(file, server.url, SHA256)
    message = str(caught.value)
    assert "Connection refused" in message
    assert server.url in message and str(file) in message and "--landmarker" in message


def test_a_server_that_falls_silent_is_given_up(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(landmark_model, "_TIMEOUT_S", 0.2)
    silent = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            silent.wait(10)

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = threading.Thread(target=http.serve_forever)
        thread.start()
        try:
            with pytest.raises(TrackerError, match="timed out"):
                fetched_model(file, f"http://127.0.0.1:{http.server_port}/", SHA256)
        finally:
            silent.set()
            http.shutdown()
            thread.join()


def test_an_endless_answer_is_refused(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(landmark_model, "MOST_BYTES", 1000)
    with serving(Server()) as server, pytest.raises(TrackerError, match="more than 1000 bytes"):
        fetched_model(file, server.url, SHA256)


def test_processes_that_fetch_at_once_all_get_it(file: Path) -> None:
    code = (
        "import sys, pathlib\n"
        "from reenact.track.landmark_model import fetched_model\n"
        "file, url, sha256 = sys.argv[1:]\n"
        "print(len(fetched_model(pathlib.Path(file), url, sha256)))\n"
    )
    with serving(Server()) as server:
        command = [sys.executable, "-c", code, str(file), server.url, SHA256]
        runs = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
        assert [run.communicate()[0].strip() for run in runs] == [str(len(CONTENT))] * 3
    assert file.read_bytes() == CONTENT
    assert beside(file) == ["face_landmarker.task"]


def test_a_cache_that_cannot_be_written_is_done_without(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    blocked = tmp_path / "cache"
    blocked.write_text("a file where a folder should be")  # root may write everywhere else
    with serving(Server()) as server, caplog.at_level(logging.WARNING):
        assert fetched_model(blocked / "models" / "face_landmarker.task", server.url, SHA256) == CONTENT
    assert "cannot be kept at" in caplog.text


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="needs a user who may not write everywhere")
def test_a_read_only_cache_is_done_without(file: Path) -> None:
    file.parent.mkdir(parents=True)
    file.parent.chmod(0o500)
    with serving(Server()) as server:
        assert fetched_model(file, server.url, SHA256) == CONTENT


def test_the_address_is_mediapipes_own() -> None:
    assert MODEL_URL.startswith("https://storage.googleapis.com/mediapipe-models/")
    assert len(MODEL_SHA256) == 64


def test_the_models_hash_is_the_one_that_is_expected(landmark_file: Path) -> None:
    assert hashlib.sha256(landmark_file.read_bytes()).hexdigest() == MODEL_SHA256


def _zip(**members: bytes) -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as task:
        for name, content in members.items():
            task.writestr(f"{name}.tflite", content)
    return written.getvalue()


def test_the_two_networks_are_read() -> None:
    one, two = (NETWORK + name for name in (b"one", b"two"))
    networks = read_networks(_zip(face_detector=one, face_landmarks_detector=two))
    assert (networks.detector, networks.landmarks) == (one, two)


@pytest.mark.parametrize(
    "network",
    [
        b"",
        b"\x08\0\0\0",
        b"\x08\0\0\0TFL3",
        b"\0\0\0\0TFL3....",
        b"\xff\xff\xff\x7fTFL3....",
        b"\x08\0\0\0ONNX....",
    ],
    ids=["empty", "cut", "no-root", "root-in-header", "root-beyond", "other-kind"],
)
def test_a_network_that_openvino_could_crash_on_is_refused(network: bytes) -> None:
    with pytest.raises(ValueError, match=r"^face_landmarks_detector\.tflite is no TFLite network$"):
        read_networks(_zip(face_detector=NETWORK, face_landmarks_detector=network))


@pytest.mark.parametrize(
    "content",
    [b"", b"not a zip", _zip(face_detector=b"one"), _zip()[:-4]],
    ids=["empty", "text", "one-network", "cut"],  # a ZIP holds the time at which it was made
)
def test_another_file_is_no_model(content: bytes) -> None:
    with pytest.raises(ValueError) as caught:
        read_networks(content)
    assert "\n" not in str(caught.value)
