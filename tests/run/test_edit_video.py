"""Films as other programs edit them."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

import reenact
from reenact import errors
from reenact.programme.keyframes_file import load_keyframes
from reenact.run.demo import make_clip
from reenact.run.files import EditOptions
from tests.cli.test_cli_video import SIZE, decode
from tests.pipeline.test_pipeline import Broken, leaked

FRAMES = 9


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("films") / "in.mp4"
    make_clip(path, SIZE, seconds=FRAMES / 30)
    return path


def edit(film: Path, output: Path, targets: Any = "AU12=+2", **arguments: Any) -> Any:
    return reenact.edit_video(film, output, targets, generator="warp", **arguments)


def test_a_film_is_written_and_counted(film: Path, tmp_path: Path):
    output = tmp_path / "out.mp4"
    report = edit(film, output)
    assert report.frames == report.frames_with_face == FRAMES
    assert len(decode(output)) == FRAMES
    with av.open(str(output)) as container:
        assert "AU12=+2" in str(container.metadata) and container.streams.audio


def test_names_may_be_text(film: Path, tmp_path: Path):
    assert edit(str(film), str(tmp_path / "out.mp4")).frames == FRAMES  # type: ignore[arg-type]


def test_progress_counts_every_frame_in_the_callers_thread(film: Path, tmp_path: Path):
    calls: list[tuple[int, int | None]] = []
    threads = set()

    def progress(done: int, total: int | None) -> None:
        calls.append((done, total))
        threads.add(threading.current_thread())

    edit(film, tmp_path / "out.mp4", progress=progress)
    assert calls == [(done, FRAMES) for done in range(1, FRAMES + 1)]
    assert threads == {threading.current_thread()}


@pytest.mark.parametrize("before", [None, b"an earlier film"])
def test_false_stops_and_leaves_what_was_there(film: Path, tmp_path: Path, before: bytes | None):
    output = tmp_path / "out.mp4"
    if before:
        output.write_bytes(before)
    with pytest.raises(errors.Stopped, match="after 3 frames"):
        edit(film, output, progress=lambda done, total: done < 3)
    assert [path.read_bytes() for path in tmp_path.iterdir()] == ([before] if before else [])
    assert leaked() == []


def test_an_error_of_the_progress_function_comes_out_as_itself_and_leaves_nothing(film: Path, tmp_path: Path):
    def progress(done: int, total: int | None) -> None:
        raise Broken

    with pytest.raises(Broken):
        edit(film, tmp_path / "out.mp4", progress=progress)
    assert list(tmp_path.iterdir()) == [] and leaked() == []


def test_several_threads_may_edit_films_at_once(film: Path, tmp_path: Path):
    names = ["one", "two"]
    threads = [threading.Thread(target=edit, args=(film, tmp_path / f"{name}.mp4")) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    edit(film, tmp_path / "alone.mp4")
    for name in names:
        np.testing.assert_array_equal(decode(tmp_path / f"{name}.mp4"), decode(tmp_path / "alone.mp4"))


def test_answers_other_than_false_do_not_stop(film: Path, tmp_path: Path):
    for answer in (None, 0, True, ""):
        assert edit(film, tmp_path / "out.mp4", progress=lambda *_, answer=answer: answer).frames == FRAMES


def test_a_time_line_and_a_function_of_time_are_taken(film: Path, tmp_path: Path):
    table = tmp_path / "smile.csv"
    table.write_text("time,au,value\n0,AU12,+2\n", encoding="utf-8")
    edit(film, tmp_path / "one.mp4", load_keyframes(table))
    edit(film, tmp_path / "two.mp4", lambda pts, track_id: reenact.programme.parse_targets("AU12=+2"))
    edit(film, tmp_path / "three.mp4", "AU12=+2")
    one, two, three = (np.array(decode(tmp_path / f"{name}.mp4")) for name in ("one", "two", "three"))
    np.testing.assert_array_equal(two, three)
    assert np.abs(one.astype(int) - np.array(decode(film))).max() > 20


def test_options_hold(film: Path, tmp_path: Path):
    edit(film, tmp_path / "out.mp4", options=EditOptions(compare=True))
    assert decode(tmp_path / "out.mp4")[0].shape == (SIZE[0], 2 * SIZE[1], 3)


def test_faces_may_be_none_of_those_there(film: Path, tmp_path: Path):
    edit(film, tmp_path / "out.mp4", faces=[5])
    np.testing.assert_array_equal(edit_free(film, tmp_path), decode(tmp_path / "out.mp4"))


def edit_free(film: Path, folder: Path) -> list[np.ndarray]:
    edit(film, folder / "free.mp4", "none")
    return decode(folder / "free.mp4")


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"targets": "grin"}, errors.TargetError),
        ({"strength": 3}, errors.ControlError),
        ({"faces": "some"}, errors.FaceChoiceError),
    ],
)
def test_arguments_are_refused_before_anything_is_opened(
    film: Path, tmp_path: Path, arguments: dict[str, Any], error: type[ValueError]
):
    with pytest.raises(error):
        edit(film, tmp_path / "out.mp4", **arguments)
    assert list(tmp_path.iterdir()) == []


def test_files_that_cannot_be_used_are_oserrors(film: Path, tmp_path: Path):
    with pytest.raises(errors.CaptureError, match=r"none\.mp4"):
        edit(tmp_path / "none.mp4", tmp_path / "out.mp4")
    with pytest.raises(errors.SinkError, match=r"\.txt"):
        edit(film, tmp_path / "out.txt")
    with pytest.raises(errors.SinkError):
        edit(film, film)
