"""Input over pipes and from addresses."""

from __future__ import annotations

import errno
import functools
import http.server
import io
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from reenact.measure.read_aus import is_still
from reenact.media.image_file import StillError, load_still
from reenact.media.read import CaptureError, open_capture
from reenact.media.read import spool as spool_module
from reenact.media.read.devices import FileDevice
from reenact.media.read.spool import Spooled, needs_spooling, spooled
from reenact.media.write import FileSink
from reenact.run.demo import PORTRAIT, make_clip
from tests.support.media import Film, picture_times, write_film

LIMIT_S = 60


@pytest.fixture(autouse=True)
def own_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where spooled input is kept; nothing of it may stay."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    assert list(folder.iterdir()) == []


@pytest.fixture
def film(tmp_path: Path) -> Path:
    return write_film(tmp_path / "film.mp4", Film(sound="aac"))


def piped(path: Path, pipe: Path) -> threading.Thread:
    """Makes a named pipe into which the file's content is written as soon as somebody reads."""
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_bytes(path.read_bytes()), daemon=True)
    writer.start()
    return writer


@pytest.fixture
def served(tmp_path: Path) -> Iterator[str]:
    """The address under which the folder's files are found."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *arguments: object) -> None:
            """Says nothing."""

        def do_GET(self) -> None:
            if self.path.startswith("/cut"):  # more is announced than comes
                self.send_response(200)
                self.send_header("Content-Length", "1000")
                self.end_headers()
                self.wfile.write(b"x" * 100)
            else:
                super().do_GET()

    handler = functools.partial(Quiet, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_a_film_from_a_pipe_arrives_with_its_sound(film: Path, tmp_path: Path) -> None:
    writer = piped(film, tmp_path / "pipe")
    with open_capture(tmp_path / "pipe") as capture, FileSink(tmp_path / "out.mp4", capture) as sink:
        for frame in capture:
            sink.write(frame)
        assert capture.name == str(tmp_path / "pipe")
    writer.join(LIMIT_S)
    assert picture_times(tmp_path / "out.mp4") == picture_times(film)
    with open_capture(tmp_path / "out.mp4") as capture:
        assert capture.sound_rates == (44100,)


def test_what_was_spooled_can_be_read_again_and_again(film: Path, tmp_path: Path) -> None:
    piped(film, tmp_path / "pipe")
    with spooled(tmp_path / "pipe") as kept:
        for _ in range(2):
            with open_capture(kept) as capture:
                assert len(list(capture)) == 30
        assert not needs_spooling(kept)


def test_a_pipe_may_stand_in_for_a_camera(film: Path, tmp_path: Path) -> None:
    piped(film, tmp_path / "pipe")
    device = FileDevice(tmp_path / "pipe")
    device.grab()
    assert device.retrieve() is not None
    device.close()


def test_a_picture_from_a_pipe_is_read(tmp_path: Path) -> None:
    piped(PORTRAIT, tmp_path / "pipe")
    assert (load_still(tmp_path / "pipe").image == load_still(PORTRAIT).image).all()


def test_what_came_through_a_pipe_is_told_by_its_content(film: Path, tmp_path: Path) -> None:
    assert is_still(Spooled("standard input", PORTRAIT))
    assert not is_still(Spooled("standard input", film))
    assert not is_still(Spooled("a.png", film))


def test_films_and_pictures_are_read_from_addresses(film: Path, tmp_path: Path, served: str) -> None:
    with open_capture(f"{served}/film.mp4?token=1") as capture:
        assert capture.name == f"{served}/film.mp4?token=1"
        assert len(list(capture)) == 30
    with open_capture(film.as_uri()) as capture:
        assert len(list(capture)) == 30


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("{served}/none.mp4", ["{served}/none.mp4 cannot be read: 404"]),
        ("{served}/cut.mp4", ["{served}/cut.mp4 breaks off", "missing"]),
        ("http://127.0.0.1:1/a.mp4", ["http://127.0.0.1:1/a.mp4 cannot be read", "refused"]),
        ("rtsp://me:secret@camera/live", ["rtsp://camera/live", "reenact webcam --camera"]),
        ("http://[", ["http://[ cannot be read"]),
    ],
)
def test_addresses_that_cannot_be_read_are_named_whole(served: str, address: str, words: list[str]) -> None:
    with pytest.raises(CaptureError) as caught:
        open_capture(address.format(served=served))
    for word in words:
        assert word.format(served=served) in str(caught.value)
    assert "secret" not in str(caught.value) and "\n" not in str(caught.value)


def test_an_empty_pipe_and_devices_are_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    writer = piped(tmp_path / "empty", tmp_path / "pipe")
    with pytest.raises(CaptureError, match=r"pipe is empty \(0 bytes\)"):
        open_capture(tmp_path / "pipe")
    writer.join(LIMIT_S)
    for device in ("/dev/null", "/dev/zero"):
        with pytest.raises(CaptureError, match=f"{device} is a device"):
            open_capture(device)
        with pytest.raises(StillError, match=f"{device} is a device"):
            load_still(device)
    with pytest.raises(StillError, match=r"empty \(0 bytes\)"):
        load_still(tmp_path / "empty")


def test_a_full_disk_is_named_with_what_helps(
    film: Path, tmp_path: Path, own_temporary_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full(io.RawIOBase):
        def write(self, content: object) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    def fdopen(descriptor: int, *arguments: object, **options: object) -> Full:
        os.close(descriptor)
        return Full()

    monkeypatch.setattr(spool_module.os, "fdopen", fdopen)
    piped(film, tmp_path / "pipe")
    with pytest.raises(CaptureError) as caught:
        open_capture(tmp_path / "pipe")
    assert str(caught.value).startswith(f"{tmp_path / 'pipe'} is kept in {own_temporary_folder}")
    assert "No space left on device; set TMPDIR" in str(caught.value)


# From a shell.


def shell(content: bytes, *arguments: object) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "reenact", *map(str, arguments)]
    return subprocess.run(command, input=content, capture_output=True, timeout=LIMIT_S)


@pytest.fixture(scope="module")
def face_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clips") / "face.mp4"
    make_clip(path, (240, 320), seconds=0.2)
    return path


@pytest.mark.usefixtures("tracks_faces")
@pytest.mark.slow
@pytest.mark.parametrize("name", ["-", "/dev/stdin"])
def test_standard_input_is_edited_read_and_verified(face_clip: Path, tmp_path: Path, name: str) -> None:
    content, output = face_clip.read_bytes(), tmp_path / "out.mp4"
    done = shell(content, "video", name, output, "--preset", "smile", "--verify", "--passes", 2)
    assert done.returncode == 0, done.stderr
    assert picture_times(output) == picture_times(face_clip)
    read = shell(content, "aus", name)
    assert len(read.stdout.splitlines()) == 7, read.stderr


@pytest.mark.usefixtures("tracks_faces")
def test_a_picture_from_standard_input_is_edited_and_read(tmp_path: Path) -> None:
    content = PORTRAIT.read_bytes()
    done = shell(content, "image", "-", tmp_path / "out.png", "--preset", "smile", "--verify")
    assert done.returncode == 0, done.stderr
    assert len(shell(content, "aus", "-").stdout.splitlines()) == 2


def test_standard_input_that_is_no_film_is_named_and_not_the_output(tmp_path: Path) -> None:
    for content, words in ((b"", b"is empty"), (b"dear diary\n" * 50, b"is not a video")):
        done = shell(content, "video", "-", tmp_path / "out.mp4", "--preset", "smile")
        assert done.returncode == 2
        assert len(done.stderr.splitlines()) == 1
        assert b"standard input " + words in done.stderr and b"out.mp4" not in done.stderr


@pytest.mark.usefixtures("tracks_faces")
def test_a_driver_may_come_through_a_pipe(face_clip: Path, tmp_path: Path) -> None:
    done = shell(face_clip.read_bytes(), "video", face_clip, tmp_path / "out.mp4", "--driver", "-")
    assert done.returncode == 0, done.stderr


def test_an_output_that_is_an_address_is_refused_whole(face_clip: Path) -> None:
    done = shell(b"", "video", face_clip, "http://host/out.mp4", "--preset", "smile")
    assert done.returncode == 2
    assert b"'http://host/out.mp4' is an address" in done.stderr
