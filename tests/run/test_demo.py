"""The demonstration: its film, its programme, its captions, its command."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from calib.au import AU_INDEX
from reenact.cli import main
from reenact.figures.captions import Captions, contact_sheet, label
from reenact.programme.timeline import Scene, Timeline, targets_of
from reenact.records import Frame
from reenact.run.demo import PROGRAMME, make_clip
from reenact.track import Tracker

SHORT = Timeline((Scene("as filmed", "none", 0.4), Scene("surprise", "surprise", 0.4)), blend_s=0.1)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clips") / "clip.mp4"
    make_clip(path, (240, 480), seconds=1, faces=2)
    return path


def test_the_film_has_the_size_length_and_rate_that_were_asked_for(clip: Path) -> None:
    with av.open(str(clip)) as container:
        frames = list(container.decode(video=0))
        assert container.streams.video[0].average_rate == 30
    assert len(frames) == 30
    assert (frames[0].height, frames[0].width) == (240, 480)


def test_the_film_has_sound_that_can_be_heard_and_does_not_clip(clip: Path) -> None:
    with av.open(str(clip)) as container:
        sound = np.concatenate([frame.to_ndarray() for frame in container.decode(audio=0)], axis=1)
    assert sound.shape[0] == 2
    assert sound.shape[1] / 48000 == pytest.approx(1, abs=0.05)
    assert 0.05 < np.abs(sound).max() < 0.95


def test_the_film_shows_its_faces_and_they_move_and_roll(clip: Path) -> None:
    with av.open(str(clip)) as container, Tracker() as tracker:
        tracked = [
            tracker(Frame(frame.to_ndarray(format="rgb24"), Fraction(index, 30), index))
            for index, frame in enumerate(container.decode(video=0))
        ]
    assert all(len(record.faces) == 2 for record in tracked)
    first, last = (
        min((face.pose for face in record.faces), key=lambda pose: pose.translation[0])
        for record in (tracked[0], tracked[-1])
    )
    assert np.degrees(last.angles[2] - first.angles[2]) == pytest.approx(-7, abs=1)
    assert last.scale / first.scale > 1.05


def test_a_scene_blends_into_the_next_and_then_stands() -> None:
    surprise = targets_of("surprise").at_least.value[0, AU_INDEX[1]]

    def brow(time_s: float) -> float:
        return float(SHORT(Fraction(time_s), 0).at_least.value[0, AU_INDEX[1]])

    assert brow(0.39) == 0
    assert brow(0.45) == pytest.approx(surprise / 2, rel=0.01)
    assert brow(0.51) == brow(0.79) == brow(5) == surprise
    assert SHORT.seconds == pytest.approx(0.8)


def test_the_programme_is_readable_and_fits_into_ten_seconds() -> None:
    assert PROGRAMME.seconds < 10
    for index, scene in enumerate(PROGRAMME.scenes):
        middle = PROGRAMME.middle_s(index)
        assert PROGRAMME.at(middle) == index
        assert np.array_equal(PROGRAMME(Fraction(middle), 0).value, targets_of(scene.spec).value)


def test_captions_change_the_bottom_only_and_keep_one_output_for_each_scene() -> None:
    captions = Captions(SHORT)
    image = np.full((200, 400, 3), 90, np.uint8)
    image[:, 200:] = 30
    for index in range(24):
        captioned = captions(Frame(image, Fraction(index, 30), index)).image
        assert np.array_equal(captioned[:150], image[:150])
        assert not np.array_equal(captioned[150:], image[150:])
    assert sorted(captions.kept) == [0, 1]
    assert all((kept == 30).all() and kept.shape == (200, 200, 3) for kept in captions.kept.values())


def test_a_label_too_long_for_its_strip_is_set_smaller() -> None:
    ink = np.flatnonzero((label("", "AU12+3  " * 12, 300) > 60).any(axis=(0, 2)))
    assert ink[0] > 2 and ink[-1] < 298


def test_the_contact_sheet_has_a_labelled_tile_for_each_scene() -> None:
    kept = {index: np.full((300, 300, 3), 10 * index, np.uint8) for index in range(5)}
    sheet = contact_sheet(kept, [Scene("x", "none")] * 5, credit="nobody", columns=5)
    assert sheet.shape == (400 + 50 + 50, 5 * 400, 3)
    assert [int(sheet[200, 200 + 400 * index, 0]) for index in range(5)] == [0, 10, 20, 30, 40]


def test_the_command_writes_a_film_and_a_contact_sheet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reenact.cli.demo.PROGRAMME", SHORT)
    result = CliRunner().invoke(main, ["demo", "--out", str(tmp_path / "new"), "--json", "-"])
    assert result.exit_code == 0, result.output
    assert {path.name for path in (tmp_path / "new").iterdir()} == {"demo.mp4", "demo.png"}
    with av.open(str(tmp_path / "new" / "demo.mp4")) as container:
        assert [stream.type for stream in container.streams] == ["video", "audio"]
        assert container.streams.video[0].width == 1280
        assert container.metadata["comment"].startswith("Edited with reenact")
        last = list(container.decode(video=0))[-1].to_ndarray(format="rgb24").astype(int)
    assert np.abs(last[:660, :640] - last[:660, 640:]).max() > 80, "the output differs from the input"
    assert Image.open(tmp_path / "new" / "demo.png").size == (4 * 400, 400 + 50 + 50)
    assert json.loads(result.stdout)["frames_with_face"] == 24


def test_a_folder_that_cannot_be_made_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = CliRunner().invoke(main, ["demo", "--out", str(tmp_path / "file")])
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1
    assert "file" in result.stderr
