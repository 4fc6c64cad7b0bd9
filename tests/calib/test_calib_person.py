"""`python -m calib neutral` and `range` from the outside."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from calib.__main__ import main
from calib.au import AU_INDEX, OPENFACE_CODES, OPENFACE_COUNT, AUVector, as_vector, openface
from calib.commands import range as range_command
from calib.commands.watching import DriverReading
from calib.guided import PROMPTS
from calib.profile import load_profile
from reenact.run.demo import PORTRAIT, make_clip
from tests.support.media import Film, write_film


def calib(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def still_film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three seconds of somebody who smiles, and of whom nothing but the camera moves."""
    path = tmp_path_factory.mktemp("clips") / "still.mp4"
    make_clip(path, (240, 320), seconds=3)
    return path


@pytest.fixture(scope="module")
def faceless(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_film(tmp_path_factory.mktemp("clips") / "none.mp4", Film(ticks=range(0, 10 * 512, 512)))


def assert_refused(result: Result, *words: str) -> None:
    assert result.exit_code == 2
    assert result.output.startswith("Error: ") and result.output.count("\n") == 1
    assert all(word in result.output for word in words), result.output


def test_a_film_gives_a_neutral_and_a_line_about_how_sure_it_is(still_film: Path, tmp_path: Path) -> None:
    result = calib("neutral", "--video", still_film, "-o", tmp_path / "ana.json")
    assert result.exit_code == 0, result.output
    lines = result.stderr.splitlines()
    assert f"{tmp_path / 'ana.json'}: film still.mp4: " in lines[0]
    assert " s at rest, readings within 0." in lines[0] and ", rather sure; most AU12 " in lines[0]
    assert lines[1:] == [
        "Warning: these intensities are high for a face at rest; if it smiled or frowned, take it again"
    ]
    profile = load_profile(tmp_path / "ana.json")
    assert profile.name == "ana" and profile.how.startswith("film still.mp4: ")
    assert profile.neutral[AU_INDEX[12]] > 2 and profile.neutral[AU_INDEX[4]] < 0.5


def test_a_picture_is_taken_as_it_is_and_what_the_file_says_of_the_rest_stays(tmp_path: Path) -> None:
    path = tmp_path / "ana.json"
    path.write_text('{"version": 1, "name": "Ana", "neutral": {"AU04": 3}, "gain": {"AU12": 2}}')
    result = calib("neutral", "--image", PORTRAIT, "-o", path)
    assert result.exit_code == 0, result.output
    assert "Warning: one picture does not tell whether the face is at rest" in result.stderr
    profile = load_profile(path)
    assert profile.name == "Ana" and profile.gain[AU_INDEX[12]] == 2
    assert profile.neutral[AU_INDEX[4]] < 0.5 and profile.neutral[AU_INDEX[12]] > 2


def test_without_an_output_the_profile_goes_to_standard_output() -> None:
    result = calib("neutral", "--image", PORTRAIT)
    assert json.loads(result.stdout)["neutral"]["AU12"] > 2


def test_the_error_of_the_gaze_is_learned_of_somebody_who_looks_into_the_camera(
    still_film: Path, tmp_path: Path
) -> None:
    path = tmp_path / "ana.json"
    path.write_text('{"version": 1, "gaze_error_deg": [1, 2]}')
    calib("neutral", "--image", PORTRAIT, "-o", path)
    assert load_profile(path).gaze_error_deg == (1, 2)
    for source in (("--image", PORTRAIT), ("--video", still_film)):
        result = calib("neutral", *source, "--into-camera", "-o", path)
        left, up = load_profile(path).gaze_error_deg
        assert (left, up) != (1, 2) and abs(left) < 6 and abs(up) < 6
        assert f"the gaze is read {left:+.1f} degrees to the left and {up:+.1f} up" in result.stderr


def test_a_stand_in_for_a_camera_is_watched_until_the_face_has_been_at_rest(still_film: Path) -> None:
    result = calib("neutral", "--camera", still_film, "--seconds", 2)
    assert result.exit_code == 0, result.output
    assert result.stderr.startswith(
        "Look into the camera and let your face rest.\nneutral: film still.mp4: 2."
    )
    assert json.loads(result.stdout)["neutral"]["AU12"] > 2


def test_films_without_a_face_and_without_rest_are_refused(faceless: Path, tmp_path: Path) -> None:
    assert_refused(calib("neutral", "--video", faceless), "none.mp4: no face was found to calibrate")
    make_clip(tmp_path / "short.mp4", (240, 320), seconds=1)
    refused = calib("neutral", "--video", tmp_path / "short.mp4", "-o", tmp_path / "ana.json")
    assert_refused(refused, "short.mp4: the face was still for 0.", "takes 2 s")
    assert not (tmp_path / "ana.json").exists()


def test_bad_arguments_are_refused_before_any_work(still_film: Path, tmp_path: Path) -> None:
    assert_refused(calib("neutral"), "give either --camera or --video or --image")
    assert_refused(calib("range", "--video", still_film, "--camera", 0), "give either --camera or --video")
    assert_refused(calib("neutral", "--video", still_film, "-o", tmp_path / "ana.csv"), "ends in .json")
    broken = tmp_path / "ana.json"
    broken.write_text("{")
    assert_refused(calib("neutral", "--video", still_film, "-o", broken), "is not JSON at line 1, column 2")
    assert_refused(calib("neutral", "--video", tmp_path / "no.mp4"), "no.mp4")


class Actor:
    """Does what is asked, each action unit up to 2 beyond a neutral of 0.5; AU04 does not answer."""

    def __init__(self, prompt_s: float) -> None:
        self._prompt_s = prompt_s

    def readings(self) -> list[DriverReading]:
        times_s = np.arange(0, self._prompt_s * len(PROMPTS) + 1, 0.05).tolist()
        return [DriverReading(time_s, self._shown(time_s)) for time_s in times_s]

    def _shown(self, time_s: float) -> AUVector:
        aus = as_vector(np.full(OPENFACE_COUNT, 0.5))
        number = min(int(time_s // self._prompt_s), len(PROMPTS) - 1)
        aus[[index for index in PROMPTS[number].indices if index != AU_INDEX[4]]] += 2
        return aus


@pytest.fixture
def actor(monkeypatch: pytest.MonkeyPatch) -> None:
    from contextlib import nullcontext

    monkeypatch.setattr(range_command, "watching", lambda *source: nullcontext(Actor(3.0).readings()))


@pytest.mark.usefixtures("actor")
def test_a_guided_session_writes_neutral_and_range(tmp_path: Path) -> None:
    path = tmp_path / "ana.json"
    path.write_text('{"version": 1, "limit": {"AU12": 4}, "range": {"AU04": 1}}')
    result = calib("range", "--video", "acts.mp4", "--seconds", 3, "-o", path)
    assert result.exit_code == 0, result.output
    prompts = [f"{number}/{len(PROMPTS)}  {prompt.text}" for number, prompt in enumerate(PROMPTS, 1)]
    assert result.stderr.splitlines()[: len(PROMPTS)] == prompts, "no terminal: a line for each"
    assert "range AU01 2.0, AU02 2.0, AU05 2.0" in result.stderr
    assert result.stderr.splitlines()[-1] == "Warning: not seen, and left as unknown: AU04"
    profile = load_profile(path)
    assert openface(profile.neutral) == pytest.approx(np.full(OPENFACE_COUNT, 0.5))
    others = [index for index in range(OPENFACE_COUNT) if index != AU_INDEX[4]]
    assert profile.range[others] == pytest.approx(2, abs=0.01) and np.isnan(profile.range[AU_INDEX[4]])
    assert profile.limit[AU_INDEX[12]] == 4


def test_a_film_in_which_nobody_does_what_is_asked_is_refused(still_film: Path, faceless: Path) -> None:
    refused = calib("range", "--video", still_film, "--seconds", 2.9)
    assert refused.exit_code == 2
    assert refused.output.splitlines()[-1] == "Error: film still.mp4: none of the expressions was seen"
    assert "no face was found to calibrate" in calib("range", "--video", faceless).output


def test_clips_compares_readings_before_and_after_calibration(still_film: Path, tmp_path: Path) -> None:
    """Labels of somebody whose smile is a neutral: readings agree with them once it is taken off."""
    labels = tmp_path / "labels"
    labels.mkdir()
    (tmp_path / "still.mp4").write_bytes(still_film.read_bytes())
    header = [
        "frame",
        "success",
        *(f"{code}_r" for code in OPENFACE_CODES),
        *(f"{code}_rs" for code in OPENFACE_CODES),
    ]
    rows = [[str(frame), "1", *["0"] * OPENFACE_COUNT, *["2"] * OPENFACE_COUNT] for frame in range(1, 91)]
    (labels / "still.csv").write_text("\n".join(",".join(row) for row in [header, *rows]) + "\n")
    result = calib("clips", tmp_path, "--out", tmp_path / "report")
    assert result.exit_code == 0, result.output
    assert "All 90 frames together, before > after each person's neutral is subtracted" in result.stdout
    calibration = json.loads((tmp_path / "report" / "report.json").read_text())["calibration"]
    smile = [calibration[when]["aus"]["AU12"]["mae"] for when in ("before", "after")]
    assert smile[0] > 2 and smile[1] < 0.3
    assert "before > after" in (tmp_path / "report" / "report.md").read_text()


def test_clips_says_which_film_has_no_labels(still_film: Path, tmp_path: Path) -> None:
    (tmp_path / "labels").mkdir()
    (tmp_path / "still.mp4").write_bytes(still_film.read_bytes())
    columns = [f"{code}_r" for code in OPENFACE_CODES]
    table = "\n".join(";".join(row) for row in [["frame", *columns], ["1", *["-nan(ind)"] * OPENFACE_COUNT]])
    (tmp_path / "labels" / "still.csv").write_text(table)
    refused = calib("clips", tmp_path)
    assert refused.exit_code == 2
    assert refused.output == f"Error: {tmp_path / 'still.mp4'} has no frame with both a label and a face\n"
