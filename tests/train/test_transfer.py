"""How well faces take over the expressions of others."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from click.testing import CliRunner

from calib.au import AU_COUNT, OPENFACE_COUNT, au_index, neutral_aus
from reenact.media.image_file import load_still
from reenact.programme.au_recording import AURecording
from tests.support.media import Film, write_film
from train.__main__ import main
from train.evaluate.transfer import Drive, Driven, Follow, TransferOptions, drive, follow, spread_line

PORTRAIT = Path(__file__).resolve().parents[2] / "reenact" / "data" / "portrait.jpg"
TIMES_S = np.arange(40) / 25
OPTIONS = TransferOptions(seconds=1.5, generator="warp", own_mouth=False)


def blinking() -> AURecording:
    """Lids that shut and open slowly, and a mouth that does so half as fast."""
    aus = np.zeros((len(TIMES_S), AU_COUNT), np.float32)
    aus[:, au_index("AU45")] = 2 - 2 * np.cos(2 * np.pi * TIMES_S / 0.8)
    aus[:, au_index("AU25")] = 1.5 - 1.5 * np.cos(2 * np.pi * TIMES_S / 1.6)
    return AURecording(TIMES_S, aus, np.arange(AU_COUNT) < OPENFACE_COUNT, neutral_aus())


def by_code(follows: tuple[Follow, ...]) -> dict[str, Follow]:
    return {each.code: each for each in follows}


class TestFollow:
    SHOWN = blinking().aus.astype(np.float64)

    def test_a_face_that_does_half_of_it_follows_with_half_the_gain(self):
        found = by_code(follow(self.SHOWN, self.SHOWN / 2 + 1, TIMES_S))
        assert set(found) == {"AU25", "AU45"}
        assert found["AU45"].r == pytest.approx(1) and found["AU45"].gain == pytest.approx(0.5)
        assert found["AU45"].lag_s == pytest.approx(0, abs=0.01)

    def test_a_face_that_is_late_is_told_so(self):
        found = by_code(follow(self.SHOWN, np.roll(self.SHOWN, 2, axis=0), TIMES_S))
        assert found["AU45"].lag_s == pytest.approx(0.08, abs=0.02)

    def test_a_face_that_does_nothing_follows_nothing(self):
        assert by_code(follow(self.SHOWN, np.ones_like(self.SHOWN), TIMES_S))["AU45"].r == 0

    def test_few_frames_tell_nothing(self):
        assert follow(self.SHOWN[:20], self.SHOWN[:20], TIMES_S[:20]) == ()


class TestDrive:
    def test_a_picture_takes_over_a_blink(self):
        driven = drive(Drive("blink", blinking(), PORTRAIT), OPTIONS)
        assert not driven.moving and driven.frames == 38
        assert by_code(driven.follows)["AU45"].r > 0.8
        assert by_code(driven.follows)["AU45"].gain > 0.3

    @pytest.mark.slow
    def test_a_film_is_cut_to_what_is_asked(self, tmp_path):
        image = load_still(PORTRAIT).image
        height, width = (size // 4 * 2 for size in image.shape[:2])
        pictures = [
            av.VideoFrame.from_ndarray(image, "rgb24").reformat(width, height, "yuv420p") for _ in range(60)
        ]
        film = Film((height, width), range(0, 60 * 512, 512))
        path = write_film(tmp_path / "a.mp4", film, pictures)
        driven = drive(Drive("blink", blinking(), path), OPTIONS)
        assert driven.moving and driven.frames == 46
        assert by_code(driven.follows)["AU45"].r > 0.8

    def test_a_face_that_is_not_there_is_no_figure(self, tmp_path):
        driven = drive(Drive("blink", blinking(), write_film(tmp_path / "a.mp4")), OPTIONS)
        assert driven.frames == 0 and np.isnan(driven.r)


class TestFigures:
    def driven(self, **r: float) -> Driven:
        return Driven("a", "b", 50, True, tuple(Follow(code, value, 1.0, 0.0) for code, value in r.items()))

    def test_a_mean_is_over_what_is_read_best(self):
        assert self.driven(AU12=0.8, AU45=0.4, AU17=-1.0).r == pytest.approx(0.6)

    def test_the_spread_is_over_the_pairs_that_tell_something(self):
        line = spread_line([self.driven(AU12=0.2), self.driven(AU12=0.6), self.driven()])
        assert "Mean r 0.40 over 2 pairs; the lowest 0.20, the highest 0.60" in line
        assert "No pair can be compared" in spread_line([self.driven()])


class TestCommand:
    @pytest.fixture
    def table(self, tmp_path: Path) -> Path:
        """The blink, as OpenFace would have measured it."""
        rows = [f"{index + 1},{time_s},1,0" for index, time_s in enumerate(TIMES_S)]
        shown = blinking().aus
        lines = ["frame,timestamp,success,AU12_r,AU45_r"]
        lines += [f"{row},{aus[au_index('AU45')]:.3f}" for row, aus in zip(rows, shown, strict=True)]
        path = tmp_path / "blink.csv"
        path.write_text("\n".join(lines) + "\n")
        return path

    def call(self, *arguments: object):
        return CliRunner().invoke(main, ["transfer", *map(str, arguments), "--processes", "1"])

    def test_it_prints_figures_by_action_unit_and_by_pair(self, tmp_path, table):
        out = tmp_path / "out"
        done = self.call("--driver", table, PORTRAIT, "--seconds", 1.5, "--generator", "warp", "--out", out)
        assert done.exit_code == 0, done.output
        assert "| blink.csv | portrait.jpg | 38 |" in done.stdout
        (au45, whole) = json.loads((out / "report.json").read_text())["transfer"]["rows"]
        assert au45["action unit"] == "AU45" and au45["r, pictures"] > 0.8 and au45["pairs, pictures"] == 1
        assert whole["pairs, films"] == 0 and whole["r, films"] is None

    def test_a_face_is_not_driven_by_itself(self, table, tmp_path):
        film = write_film(tmp_path / "a.mp4")
        done = self.call("--driver", film, film)
        assert done.exit_code == 2 and done.stderr.count("\n") == 1

    def test_a_driver_that_does_not_move_is_refused(self, table):
        done = self.call("--driver", PORTRAIT, PORTRAIT)
        assert done.exit_code == 2 and "does not move; give a film or a table" in done.stderr

    def test_a_face_that_is_not_there_is_one_line(self, table, tmp_path):
        done = self.call("--driver", table, tmp_path / "none.mp4")
        assert done.exit_code == 2 and done.stderr.count("\n") == 1 and "none.mp4" in done.stderr


def test_pictures_are_driven_at_25_frames_a_second():
    from train.evaluate import transfer

    frames = list(transfer._frames(PORTRAIT, 0.2))
    assert [frame.pts for frame in frames] == [Fraction(index, 25) for index in range(6)]
