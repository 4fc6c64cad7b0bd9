"""`reenact video` from the outside: what it writes, says and exits with."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from click.testing import CliRunner, Result

from reenact import __version__
from reenact.cli import main
from reenact.generate.generator import shipped_models
from reenact.media.write.encoding import CODECS
from reenact.run.demo import make_clip

SIZE = (240, 320)
SMILE = ("--target-aus", "AU12=+2")


@pytest.fixture(scope="module")
def face_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clips") / "face.mp4"
    make_clip(path, SIZE, seconds=0.5)
    return path


def write_clip(path: Path, frames: int = 6, seed: int = 5) -> Path:
    """A video of noise."""
    images = np.random.default_rng(seed).integers(0, 255, (frames, *SIZE, 3), np.uint8)
    with av.open(str(path), "w", options={"movflags": "+faststart"}) as output:
        stream = output.add_stream("libx264", rate=30, options={"preset": "ultrafast"})
        stream.height, stream.width = SIZE
        for image in images:
            output.mux(stream.encode(av.VideoFrame.from_ndarray(image, "rgb24")))
        output.mux(stream.encode(None))
    return path


def decode(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def reenact(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def assert_refused(result: Result, *words: str, exit_code: int = 2) -> None:
    """One line on standard error, nothing else, no traceback, and this exit code."""
    assert result.exit_code == exit_code, result.output
    assert result.stdout == ""
    lines = result.stderr.splitlines()
    assert len(lines) == 1, lines
    assert lines[0].startswith("Error: ")
    for word in words:
        assert word in lines[0]


def test_a_face_changes_and_the_rest_of_the_picture_does_not(face_clip: Path, tmp_path: Path) -> None:
    result = reenact("video", face_clip, tmp_path / "out.mp4", "--preset", "surprise", "--crf", 0)
    assert result.exit_code == 0, result.output
    before, after = decode(face_clip), decode(tmp_path / "out.mp4")
    assert len(before) == len(after) == 15
    difference = np.abs(after[7].astype(int) - before[7])
    assert difference.max() > 60
    assert difference[:10].max() <= 6, "the picture's edge has only been through the encoder"


def test_the_json_says_what_was_done(face_clip: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.mp4"
    result = reenact("video", face_clip, output, *SMILE, "--json", "-")
    document = json.loads(result.stdout)
    assert document["frames"] == document["frames_with_face"] == 15
    assert document["output"] == str(output)
    assert document["fps"] > 0
    assert document["peak_rss_mb"] > 50
    assert list(document["stages"]) == [
        *("read", "track", "measure", "occlusion", "retarget", "generate"),
        *(["appearance"] if shipped_models() else []),
        *("paste", "write"),
    ]
    assert all(0 <= times["p50_ms"] <= times["p95_ms"] for times in document["stages"].values())
    assert document["notes"] == []


def test_the_json_may_go_to_a_file(face_clip: Path, tmp_path: Path) -> None:
    result = reenact("video", face_clip, tmp_path / "out.mp4", *SMILE, "--json", tmp_path / "run.json")
    assert result.stdout == ""
    assert json.loads((tmp_path / "run.json").read_text())["frames"] == 15


def test_the_output_says_that_it_was_edited_and_how(face_clip: Path, tmp_path: Path) -> None:
    arguments = "--preset", "smile", "--target-aus", "AU4=-1", "--strength", "0.5"
    reenact("video", face_clip, tmp_path / "out.mp4", *arguments)
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert container.metadata["comment"] == (
            f"Edited with reenact {__version__}: AU04=-1,AU06=1.3..,AU07=0.7..,AU12=2.5..,AU14=0.4..,"
            "AU15=..0,AU17=..0 at strength 0.5"
        )


def test_compare_puts_input_and_output_side_by_side(face_clip: Path, tmp_path: Path) -> None:
    reenact("video", face_clip, tmp_path / "out.mp4", "--preset", "surprise", "--compare", "--crf", 0)
    frame = decode(tmp_path / "out.mp4")[7].astype(int)
    assert frame.shape == (240, 640, 3)
    assert np.abs(frame[:, :320] - decode(face_clip)[7]).mean() < 2
    assert np.abs(frame[:, :320] - frame[:, 320:]).max() > 60


def test_the_action_units_of_the_input_are_written_on_request(face_clip: Path, tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    reenact("video", face_clip, tmp_path / "out.mp4", *SMILE, "--aus-csv", tmp_path / "aus.csv")
    table = pandas.read_csv(tmp_path / "aus.csv")
    assert table["frame"].tolist() == list(range(1, 16))
    assert table["success"].all()
    assert table["AU12_r"].min() > 0.5, "the portrait smiles"


def test_without_a_face_it_warns_and_the_picture_passes_through(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "noise.mp4")
    result = reenact("video", clip, tmp_path / "out.mp4", *SMILE, "--json", "-")
    assert result.exit_code == 0
    assert result.stderr.splitlines()[0] == "Warning: no face was found: the picture is unchanged"
    assert json.loads(result.stdout)["frames_with_face"] == 0
    assert json.loads(result.stdout)["notes"] == ["no face was found: the picture is unchanged"]
    assert len(decode(tmp_path / "out.mp4")) == 6


# Bad arguments.


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--target-aus", "AU99=1"], ["unknown action unit 'AU99'", "AU45"]),
        (["--target-aus", "AU12=9"], ["out of range", "0 to 5"]),
        (["--target-aus", "AU12=+9"], ["out of range", "-5 to +5"]),
        (["--target-aus", "grmpf"], ["'grmpf'", "presets are", "smile"]),
        (["--target-aus", "none.json"], ["'none.json'", "No such file"]),
        (["--preset", "smlie"], ["did you mean 'smile'?"]),
        (["--preset", "AU12=+2"], ["--target-aus"]),
        (["--strength", "2", *SMILE], ["--strength", "1.5"]),
        (["--strength", "nan", *SMILE], ["--strength", "not a number"]),
        (["--faces", "biggest", *SMILE], ["'biggest'", "largest, all, or ids"]),
        (["--generator", "magic", *SMILE], ["'magic'", "warp", "live"]),
        (["--codec", "mpeg1", *SMILE], ["'mpeg1'", "h264"]),
        (["--crf", "99", *SMILE], ["99", "63"]),
        ([], ["nothing to change", "--preset smile"]),
        (["--nonsense"], ["--nonsense", "--help"]),
    ],
)
def test_bad_arguments_are_refused_in_one_line(
    face_clip: Path, tmp_path: Path, arguments: list[str], words: list[str]
) -> None:
    assert_refused(reenact("video", face_clip, tmp_path / "out.mp4", *arguments), *words)
    assert list(tmp_path.iterdir()) == []


def test_missing_arguments_and_unknown_commands_are_refused_in_one_line() -> None:
    assert_refused(reenact("video"), "Missing argument", "--help")
    assert_refused(reenact("vidoe"), "did you mean 'video'?")
    assert_refused(reenact("grmpf"), "choose from video, image")


# Bad input.


def missing(folder: Path) -> Path:
    return folder / "none.mp4"


def directory(folder: Path) -> Path:
    (folder / "in.mp4").mkdir()
    return folder / "in.mp4"


def text(folder: Path) -> Path:
    (folder / "in.mp4").write_text("this is not a film\n" * 50)
    return folder / "in.mp4"


def zero_length(folder: Path) -> Path:
    (folder / "in.mp4").touch()
    return folder / "in.mp4"


def audio_only(folder: Path) -> Path:
    with av.open(str(folder / "in.m4a"), "w") as output:
        stream = output.add_stream("aac", rate=48000, layout="mono")
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 48000), np.float32), "fltp", "mono")
        sound.sample_rate = 48000
        output.mux(stream.encode(sound))
        output.mux(stream.encode(None))
    return folder / "in.m4a"


def picture(folder: Path) -> Path:
    from PIL import Image

    Image.new("RGB", (320, 240)).save(folder / "in.png")
    return folder / "in.png"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (missing, ["none.mp4", "no such file"]),
        (directory, ["in.mp4", "is a folder"]),
        (text, ["in.mp4", "not a video"]),
        (zero_length, ["in.mp4", "empty"]),
        (audio_only, ["in.m4a", "no video", "audio"]),
        (picture, ["in.png", "still picture", "reenact image"]),
    ],
)
def test_input_that_is_no_video_is_refused_in_one_line(
    tmp_path: Path, make: Callable[[Path], Path], words: list[str]
) -> None:
    source = make(tmp_path)
    before = set(tmp_path.iterdir())
    assert_refused(reenact("video", source, tmp_path / "out.mp4", *SMILE), *words)
    assert set(tmp_path.iterdir()) == before


def broken_off(folder: Path) -> Path:
    """A film whose second half is missing."""
    path = write_clip(folder / "broken.mp4", frames=20)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


def test_a_film_that_breaks_off_fails_where_it_does_and_leaves_nothing(tmp_path: Path) -> None:
    source = broken_off(tmp_path)
    result = reenact("video", source, tmp_path / "out.mp4", *SMILE)
    assert_refused(result, "broken.mp4 breaks off at 0.", exit_code=1)
    assert set(tmp_path.iterdir()) == {source}


def test_keep_partial_keeps_what_was_made_under_another_name(tmp_path: Path) -> None:
    source = broken_off(tmp_path)
    result = reenact("video", source, tmp_path / "out.mp4", *SMILE, "--keep-partial")
    assert result.exit_code == 1
    assert set(tmp_path.iterdir()) == {source, tmp_path / "out.partial.mp4"}
    assert 0 < len(decode(tmp_path / "out.partial.mp4")) < 20


# Bad output.


def test_output_that_cannot_be_written_is_refused_in_one_line(face_clip: Path, tmp_path: Path) -> None:
    (tmp_path / "folder.mp4").mkdir()
    (tmp_path / "file").touch()
    for output, words in [
        (tmp_path / "none" / "out.mp4", ["none", "does not exist"]),
        (tmp_path / "folder.mp4", ["folder.mp4"]),
        (tmp_path / "file" / "out.mp4", ["out.mp4"]),
        (tmp_path / "out.txt", [".txt", ".mp4"]),
    ]:
        assert_refused(reenact("video", face_clip, output, *SMILE), *words)
    assert {path.name for path in tmp_path.iterdir()} == {"folder.mp4", "file"}


def test_output_onto_the_input_is_refused_and_the_input_lives(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "in.mp4")
    os.symlink(clip, tmp_path / "link.mp4")
    bytes_before = clip.read_bytes()
    for output in (clip, tmp_path / "link.mp4"):
        assert_refused(reenact("video", clip, output, *SMILE), "is the input itself")
    assert clip.read_bytes() == bytes_before


def test_a_table_that_cannot_be_written_is_refused_before_any_work(face_clip: Path, tmp_path: Path) -> None:
    result = reenact("video", face_clip, tmp_path / "out.mp4", *SMILE, "--aus-csv", tmp_path / "no" / "a.csv")
    assert_refused(result, "a.csv", "cannot be written")
    assert list(tmp_path.iterdir()) == []


def test_json_that_could_not_be_written_is_refused_before_any_work(face_clip: Path, tmp_path: Path) -> None:
    result = reenact("video", face_clip, tmp_path / "out.mp4", *SMILE, "--json", tmp_path / "no" / "run.json")
    assert_refused(result, "--json", "does not exist")
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("needs the right to mount a tmpfs")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_is_one_line_and_leaves_nothing(small_disk: Path, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "noise.mp4", frames=40)
    result = reenact("video", clip, small_disk / "out.mp4", *SMILE, "--crf", 0)
    assert_refused(result, "out.mp4", "No space left", exit_code=1)
    assert list(small_disk.iterdir()) == []


# From a shell.


def shell(*arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "reenact", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.usefixtures("tracks_faces")
def test_from_a_shell_standard_output_is_one_object_and_standard_error_one_line(
    face_clip: Path, tmp_path: Path
) -> None:
    process = shell("video", face_clip, tmp_path / "out.mp4", *SMILE, "--json", "-")
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert json.loads(out)["frames"] == 15
    assert err.splitlines()[0].startswith(f"{tmp_path / 'out.mp4'}: 15 frames, 15 with a face, ")
    assert len(err.splitlines()) == 1, err


def test_from_a_shell_a_missing_file_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    process = shell("video", tmp_path / "none.mp4", tmp_path / "out.mp4", *SMILE)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (2, "")
    assert err == f"Error: {tmp_path / 'none.mp4'}: no such file\n"


@pytest.mark.usefixtures("tracks_faces")
@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="needs POSIX signals")
@pytest.mark.parametrize(
    ("number", "exit_code", "line"),
    [
        (signal.SIGINT, 130, "Error: interrupted\n"),
        (signal.SIGTERM, 143, "Error: terminated\n"),
        (getattr(signal, "SIGHUP", None), 143, "Error: terminated\n"),
    ],
)
def test_a_run_that_is_interrupted_leaves_nothing_behind(
    tmp_path: Path, number: int, exit_code: int, line: str
) -> None:
    clip = tmp_path / "long.mp4"
    make_clip(clip, SIZE, seconds=30)
    process = shell("video", clip, tmp_path / "out.mp4", *SMILE)
    deadline = time.monotonic() + 30
    while len(list(tmp_path.iterdir())) == 1 and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.3)
    process.send_signal(number)
    _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (exit_code, line)
    assert list(tmp_path.iterdir()) == [clip]


def test_importing_the_command_line_is_quick_because_it_imports_no_video_library() -> None:
    code = "import sys, reenact.cli; print(sorted({'av', 'cv2', 'mediapipe', 'numpy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_help_tells_the_quality_that_is_taken() -> None:
    shown = " ".join(CliRunner().invoke(main, ["video", "--help"]).output.split())
    for name, codec in CODECS.items():
        assert f"{codec.crf} for {name}" in shown
