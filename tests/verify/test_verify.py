"""What was asked against what is read in the output."""

from __future__ import annotations

import csv
import json
import re
from fractions import Fraction
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from calib.au import ACTION_UNITS, AU_CODES, AU_COUNT, AU_INDEX, AUVector, neutral_aus
from reenact.cli import main
from reenact.programme import parse_targets
from reenact.programme.keyframes import Marker
from reenact.records import Retargeted
from reenact.retarget import Retargeter
from reenact.run.demo import make_clip
from reenact.verify.agreement import DEFINITIONS, FaceFigures, figures_of, lag_s
from reenact.verify.closed_loop import FARTHEST, Corrections
from reenact.verify.csv_table import COLUMNS, write_table
from reenact.verify.face_comparison import FaceComparison, OutputFrame, compare_faces
from reenact.verify.html_page import WARNING, About, FaceReport, to_data_uri, to_page
from reenact.verify.plots import bars_plot
from reenact.verify.request_recorder import FaceReading, FrameRequest, RequestRecorder, shown
from reenact.verify.write_report import VerifyError, report_paths
from tests.cli.test_cli_video import SIZE, assert_refused
from tests.retarget.test_retarget import AU12, FREE, Someone, record
from tests.support.faces import shows

PORTRAIT = Path(__file__).parents[2] / "reenact" / "data" / "portrait.jpg"


def seen(track_id: int = 0, x: float = 100.0, **aus: float) -> FaceReading:
    return FaceReading(track_id, np.array([x, 50, 0], np.float32), 1.0, shows(**aus))


def request(index: int, face: FaceReading, asked: AUVector) -> FrameRequest:
    return FrameRequest(index, index / 30, face, asked, asked)


def comparison(
    asked: np.ndarray, after: np.ndarray, before: float = 0.0, rate: float = 30.0
) -> FaceComparison:
    """Of AU12 alone; all else stays at `before`."""
    frames = np.arange(len(asked))
    tables = [np.full((len(asked), AU_COUNT), before, np.float32) for _ in range(3)]
    tables[1][:, AU12], tables[2][:, AU12] = asked, after
    was, as_asked, is_now = tables
    places = np.tile(np.float32([160, 120, 1]), (len(asked), 1))
    return FaceComparison(0, frames, frames / rate, places, was, as_asked, as_asked, is_now)


def au12(figures: FaceFigures):
    return figures.aus[AU12]


def wave(count: int = 120, shift: float = 0.0) -> np.ndarray:
    times = np.arange(count) - shift
    return 2 + np.sin(times / 7) + 0.5 * np.sin(times / 3.1)


def test_the_recorder_returns_its_input_and_drops_faces_of_which_nothing_was_asked() -> None:
    recorder, retarget = RequestRecorder(), Retargeter(parse_targets("AU12=+2"), FREE)
    for index in range(3):
        retargeted = retarget(record(index, Someone(0, scale=3.0, shows=4), Someone(1, scale=1.0)))
        assert recorder(retargeted) is retargeted
    assert list(recorder.faces) == [0]
    first, *_ = recorder.faces[0]
    assert first.asked[AU12] == 5 and first.wanted[AU12] == 5 and first.face.aus[AU12] == 4
    assert [each.index for each in recorder.faces[0]] == [0, 1, 2]


def test_a_change_of_two_sides_is_their_mean() -> None:
    assert shown(shows(AU12=1), np.stack([shows(AU12=2), shows()]))[AU12] == 2


def test_a_face_is_found_again_by_time_and_place() -> None:
    requests = {
        0: [request(index, seen(0, 100, AU12=1), shows(AU12=2)) for index in range(3)],
        1: [request(index, seen(1, 300), shows(AU12=5)) for index in range(3)],
    }
    output = [
        # Other ids, in another order, at times that a container has rounded.
        OutputFrame(index, index / 30 + 0.0005 * index, (seen(8, 302, AU12=4), seen(7, 101, AU12=1.5)))
        for index in (2, 0, 1)
    ]
    most, least = compare_faces(requests, output)
    assert (most.track_id, least.track_id) == (1, 0), "of whom most was asked first"
    np.testing.assert_array_equal(most.after[:, AU12], [4, 4, 4])
    np.testing.assert_array_equal(least.after[:, AU12], [1.5, 1.5, 1.5])


def test_a_face_that_is_gone_or_elsewhere_or_late_is_nowhere() -> None:
    requests = {0: [request(index, seen(0, 100), shows(AU12=2)) for index in range(3)]}
    output = [
        OutputFrame(0, 0, ()),
        OutputFrame(1, 1 / 30, (seen(0, 400),)),
        OutputFrame(2, 2 / 30 + 0.01, (seen(0, 100),)),
    ]
    (found,) = compare_faces(requests, output)
    assert np.isnan(found.after).all()
    (nothing,) = compare_faces(requests, [])
    assert np.isnan(nothing.after).all()
    assert figures_of(found).found == 0 and np.isnan(au12(figures_of(found)).achieved_change)


def test_a_film_that_its_container_has_moved_is_read_at_its_new_times() -> None:
    requests = {0: [request(index, seen(0, 100), shows(AU12=2)) for index in range(3)]}
    output = [OutputFrame(index, index / 30 + 0.7, (seen(0, 100, AU12=1 + index),)) for index in range(3)]
    (found,) = compare_faces(requests, output)
    np.testing.assert_array_equal(found.after[:, AU12], [1, 2, 3])


def test_slope_error_and_steadiness() -> None:
    asked = np.linspace(1, 3, 50)
    figures = figures_of(comparison(asked, 0.5 * asked))
    assert au12(figures).slope == pytest.approx(0.5)
    assert au12(figures).r == pytest.approx(1)
    assert au12(figures).asked_change == pytest.approx(2)
    assert au12(figures).achieved_change == pytest.approx(1)
    assert au12(figures).error == pytest.approx(1)
    assert au12(figures).sd_after == pytest.approx(np.std(0.5 * asked))
    assert [each.code for each in figures.asked] == ["AU12"]


def test_a_constant_has_neither_correlation_nor_lag() -> None:
    figures = figures_of(comparison(np.full(40, 2.0), 2 + 0.1 * wave(40)))
    assert np.isnan(au12(figures).r) and np.isnan(au12(figures).lag_s)
    assert au12(figures).slope > 1


@pytest.mark.parametrize("shift", [-2, 0, 1, 2.5, 6])
def test_the_lag_is_found_between_frames(shift: float) -> None:
    assert au12(figures_of(comparison(wave(), wave(shift=shift)))).lag_s == pytest.approx(
        shift / 30, abs=0.006
    )


def test_what_has_nothing_in_common_has_no_lag() -> None:
    noise = np.random.default_rng(1).normal(size=(2, 400))
    assert np.isnan(lag_s(np.arange(400) / 30, *noise))


def test_frames_that_come_at_uneven_times_are_taken_at_theirs() -> None:
    times_s = np.cumsum(np.random.default_rng(2).uniform(0.02, 0.05, 300))
    asked, after = np.sin(times_s * 4), np.sin((times_s - 0.1) * 4)
    assert lag_s(times_s, asked, after) == pytest.approx(0.1, abs=0.01)


def test_leakage_is_what_one_unit_moves_elsewhere() -> None:
    one = comparison(np.full(10, 2.0), np.full(10, 1.0))
    one.after[:, AU_INDEX[6]] = 0.8
    one.after[:, AU_INDEX[15]] = 0.0
    figures = figures_of(one)
    assert figures.leakage == pytest.approx(0.8 / 16 / 2)
    assert len(figures.leaked) == 16
    assert np.isnan(figures_of(comparison(np.zeros(10), np.zeros(10))).leakage), "nothing was asked"


def test_the_table_has_a_row_for_each_frame_face_and_action_unit(tmp_path: Path) -> None:
    one = comparison(np.array([1.0, 2.0]), np.array([0.5, np.nan]))
    one.after[1] = np.nan
    write_table([one], tmp_path / "t.csv")
    rows = list(csv.DictReader((tmp_path / "t.csv").open()))
    assert tuple(rows[0]) == COLUMNS and len(rows) == 2 * AU_COUNT
    smiles = [row for row in rows if row["au"] == "AU12"]
    assert [(row["frame"], row["asked"], row["after"]) for row in smiles] == [
        ("1", "1.000", "0.500"),
        ("2", "2.000", ""),
    ]


class Page(HTMLParser):
    """Tags, what they refer to, and text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.sources: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.sources += [value or "" for name, value in attrs if name in ("src", "href", "xlink:href")]

    def handle_data(self, data: str) -> None:
        self.text += data


def page(*parts: FaceReport, **about: object) -> Page:
    return Page(to_page(About("in.mp4", "out.mp4", "<b>", "reenact", **about), parts))


def test_the_page_stands_alone_warns_and_defines_every_figure() -> None:
    one = comparison(wave(), wave(shift=1))
    found = page(FaceReport(one, figures_of(one)), markers=[Marker(1, "here")])
    assert "script" not in found.tags and "link" not in found.tags and "b" in found.tags
    assert all(source.startswith("#") for source in found.sources), "nothing from elsewhere"
    assert WARNING in found.text and "here" in found.text and "<b>" in found.text
    for name, definition in DEFINITIONS.items():
        assert name in found.text and definition in found.text
    assert re.search(r"3[2345] ms", found.text)
    assert found.text.count("sd after") == 2, "in the table, and where it is defined"


def test_a_still_has_bars_and_no_figures_over_time() -> None:
    one = comparison(np.array([2.0]), np.array([1.0]))
    found = page(FaceReport(one, figures_of(one)))
    assert found.text.count("inner brow raiser") == 1 and "0 s" not in found.text
    assert found.text.count("sd after") == 1, "only where it is defined"


def test_bars_are_as_long_as_the_intensities() -> None:
    one = comparison(np.array([2.0]), np.array([1.0]), before=0.5)
    bars = bars_plot(one).axes[0].patches
    count = sum(unit.read for unit in ACTION_UNITS)
    assert len(bars) == 3 * count
    assert [bars[kind * count + AU12].get_width() for kind in range(3)] == [0.5, 2.0, 1.0]


def test_a_picture_inside_a_page_is_a_jpeg() -> None:
    assert to_data_uri(np.zeros((4, 4, 3), np.uint8)).startswith("data:image/jpeg;base64,/9j/")


def test_a_page_without_faces_says_so() -> None:
    assert "Nothing was asked of any face." in page().text


@pytest.mark.parametrize("name", ["report.pdf", "nowhere/report.html"])
def test_a_report_is_a_page_in_a_folder_that_exists(tmp_path: Path, name: str) -> None:
    with pytest.raises(VerifyError):
        report_paths(tmp_path / name, tmp_path / "out.mp4")


def test_corrections_make_up_for_what_was_missed_where_it_was() -> None:
    asked = np.where(np.arange(60) < 30, 2.0, 3.0)
    corrections = Corrections().after([comparison(asked, np.where(np.arange(60) < 30, 2.0, 1.0))])
    assert corrections(Fraction(5, 30), 0)[AU12] == 0
    later = corrections(Fraction(50, 30), 0)
    assert 1 < later[AU12] <= FARTHEST
    assert np.count_nonzero(later) == 1
    assert not corrections(Fraction(5, 30), 7).any(), "another face"


def test_a_loop_closes_on_a_face_that_answers_by_half() -> None:
    asked, corrections = np.full(40, 2.0), Corrections()
    for _ in range(4):
        written = 2 + np.array([corrections(Fraction(index, 30), 0)[AU12] for index in range(40)])
        after = 0.5 * written
        corrections = corrections.after([comparison(asked, after)])
    assert after == pytest.approx(2, abs=0.05)


def test_what_gets_worse_by_correction_is_left_as_it_was() -> None:
    asked = np.full(40, 2.0)
    once = Corrections().after([comparison(asked, np.full(40, 1.0))])
    twice = once.after([comparison(asked, np.full(40, 0.5))])
    assert once(Fraction(0), 0)[AU12] > 0
    assert twice(Fraction(0), 0)[AU12] == 0


# From the outside.


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clips") / "face.mp4"
    make_clip(path, SIZE, seconds=0.4)
    return path


def reenact(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in (*arguments, "--generator", "warp")])


def test_a_video_is_read_again(clip: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.mp4"
    result = reenact("video", clip, output, "--target-aus", "AU45=+4", "--json", "-", "--verify")
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)["verify"]
    assert document["page"] == str(tmp_path / "out.verify.html")
    (face,) = document["faces"]
    (blink,) = (each for each in face["aus"] if each["code"] == "AU45")
    assert blink["asked_change"] == pytest.approx(4, abs=0.3)
    assert blink["achieved_change"] > 0.8
    assert face["found"] == face["frames"] == 12
    page = Page((tmp_path / "out.verify.html").read_text())
    pictures = [source for source in page.sources if not source.startswith("#")]
    assert all(source.startswith("data:image/jpeg;base64,") for source in pictures)
    assert len(pictures) == 8, "four frames, before and after"
    rows = list(csv.DictReader((tmp_path / "out.verify.csv").open()))
    assert len(rows) == 12 * AU_COUNT and {row["au"] for row in rows} == set(AU_CODES)
    assert "AU45" in result.stderr and "->" in result.stderr


def test_a_picture_is_read_again_under_the_name_that_is_given(tmp_path: Path) -> None:
    named = tmp_path / "report.html"
    result = reenact("image", PORTRAIT, tmp_path / "out.jpg", "--target-aus", "AU45=+4", "--verify", named)
    assert result.exit_code == 0, result.output
    assert "before and after" in Page(named.read_text()).text
    assert named.with_suffix(".csv").is_file()


@pytest.mark.slow
def test_more_passes_come_nearer_to_what_is_asked(clip: Path, tmp_path: Path) -> None:
    errors = []
    for passes in (1, 2):
        arguments = ("--lock", "AU12=1", "--passes", passes, "--json", "-", "--verify")
        result = reenact("video", clip, tmp_path / f"{passes}.mp4", *arguments)
        (face,) = json.loads(result.stdout)["verify"]["faces"]
        errors += [each["error"] for each in face["aus"] if each["code"] == "AU12"]
    assert errors[1] < 0.8 * errors[0]


def test_a_report_that_could_tell_nothing_is_refused(clip: Path, tmp_path: Path) -> None:
    both = reenact("video", clip, tmp_path / "o.mp4", "--preset", "smile", "--compare", "--verify")
    assert_refused(both, "--verify", "--compare")
    swept = reenact("image", PORTRAIT, tmp_path / "o.png", "--sweep", "AU12=0:2:2", "--verify")
    assert_refused(swept, "--verify", "--sweep")
    eaten = reenact("video", "--verify", clip, tmp_path / "o.mp4", "--preset", "smile")
    assert eaten.exit_code == 2
    assert not any(tmp_path.iterdir())


def test_retargeted_records_without_what_was_asked_do_not_reach_the_recorder() -> None:
    bare = Retargeted(**vars(record(0, Someone())), changes=(neutral_aus(),))
    with pytest.raises(ValueError):
        RequestRecorder()(bare)
