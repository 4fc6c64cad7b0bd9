"""Mouths that something hides: they are found, and the lower face is left as it is."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from click.testing import CliRunner

import reenact.occlusion
from calib.au import ACTION_UNITS, AU_INDEX, LOWER_FACE, neutral_aus
from calib.estimator import JAW
from calib.openings import OUTER_LIPS
from reenact.cli import main
from reenact.media.image_file import load_still
from reenact.occlusion import MouthOcclusion, OcclusionOptions, OcclusionWatch, load_mouth_occlusion
from reenact.occlusion.mouth_occlusion import LowerFace, lips_seen
from reenact.programme.target_syntax import parse_targets
from reenact.records import Frame, Measured
from reenact.retarget import Retargeter
from reenact.retarget.options import RetargetOptions
from reenact.run.demo import PORTRAIT
from reenact.track import Tracker, TrackerOptions
from tests.support.faces import posed_face
from tests.support.media import Film, write_film

FREE = RetargetOptions(safe=False, driven=False)
LOWER = [AU_INDEX[number] for number in LOWER_FACE]
UPPER = [index for number, index in AU_INDEX.items() if number not in LOWER_FACE]


@pytest.fixture(scope="module")
def portrait():
    """(height, width, 3) RGB of somebody who smiles, and the landmarks."""
    image = load_still(PORTRAIT).image
    with Tracker(TrackerOptions(stills=True)) as track:
        return image, track(Frame(image)).faces[0].landmarks


def with_mask(image, landmarks, colour):
    """A mask from the nose to the chin."""
    places = landmarks[:, :2]
    outline = np.vstack([places[[117, 195, 346]], places[list(JAW[3:-3])][::-1] + np.float32([0, 6])])
    hull = cv2.convexHull(np.rint(outline).astype(np.int32))
    return cv2.fillConvexPoly(image.copy(), hull, colour, cv2.LINE_AA)


def with_cup(image, landmarks, colour):
    mouth = landmarks[list(OUTER_LIPS), :2].mean(axis=0)
    width = np.ptp(landmarks[:, 0])
    low, high = mouth - np.float32([0.3, 0.15]) * width, mouth + np.float32([0.3, 0.7]) * width
    return cv2.rectangle(
        image.copy(), low.astype(int).tolist(), high.astype(int).tolist(), colour, cv2.FILLED
    )


def with_microphone(image, landmarks, colour):
    mouth = landmarks[list(OUTER_LIPS), :2].mean(axis=0)
    width = np.ptp(landmarks[:, 0])
    drawn = cv2.line(
        image.copy(),
        mouth.astype(int).tolist(),
        (mouth + np.float32([0, width])).astype(int).tolist(),
        colour,
        24,
    )
    return cv2.circle(drawn, mouth.astype(int).tolist(), int(0.22 * width), colour, cv2.FILLED, cv2.LINE_AA)


def seen(image):
    """The tracked picture of one face."""
    with Tracker(TrackerOptions(stills=True)) as track:
        return track(Frame(image))


@pytest.mark.parametrize("colour", [(70, 150, 200), (250, 250, 250), (25, 25, 28), (190, 60, 60)])
@pytest.mark.parametrize("draw", [with_mask, with_cup, with_microphone])
def test_a_mouth_behind_something_is_hidden(portrait, draw, colour):
    tracked = seen(draw(*portrait, colour))
    assert load_mouth_occlusion()(tracked.frame.image, tracked.faces[0]) > OcclusionOptions.hidden


@pytest.mark.parametrize("gain", [0.3, 1.0, 1.8])
def test_a_mouth_in_any_light_is_free(portrait, gain):
    image, _ = portrait
    tracked = seen(np.clip(image * gain, 0, 255).astype(np.uint8))
    assert load_mouth_occlusion()(tracked.frame.image, tracked.faces[0]) < OcclusionOptions.free


def test_a_grey_picture_hides_no_mouth(portrait):
    grey = cv2.cvtColor(cv2.cvtColor(portrait[0], cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    tracked = seen(grey)
    assert load_mouth_occlusion()(tracked.frame.image, tracked.faces[0]) < OcclusionOptions.free


def test_what_lies_below_the_mouth_does_not_hide_it(portrait):
    image, landmarks = portrait
    chin, width = landmarks[152, :2], np.ptp(landmarks[:, 0])
    low = (chin + np.float32([-0.3, 0.05]) * width).astype(int).tolist()
    drawn = cv2.rectangle(image.copy(), low, (low[0] + 60, image.shape[0]), (40, 40, 40), cv2.FILLED)
    tracked = seen(drawn)
    assert load_mouth_occlusion()(tracked.frame.image, tracked.faces[0]) < OcclusionOptions.free


def answering(*probabilities):
    """A network that gives one answer after the other, and the last one again."""
    answers = list(probabilities)

    def answer(image, face):
        return answers.pop(0) if len(answers) > 1 else answers[0]

    return answer


def record(time_s, *track_ids, cut=False, hidden=()):
    faces = tuple(posed_face(track_id=track_id) for track_id in track_ids)
    frame = Frame(np.zeros((480, 640, 3), np.uint8), Fraction(time_s).limit_denominator(1000))
    return Measured(frame, faces, cut, tuple(neutral_aus() for _ in faces), mouth_hidden=hidden)


def test_one_wrong_look_hides_no_mouth_that_was_free():
    watch = OcclusionWatch(answering(0.0, 0.0, 1.0, 0.0))
    assert not any(watch(record(index / 10, 0)).mouth_hidden[0] for index in range(8))


def test_a_mouth_that_is_hidden_half_a_second_is_found_and_free_again_later():
    watch = OcclusionWatch(answering(*[0.0] * 3, *[1.0] * 6, *[0.0] * 6))
    hidden = [watch(record(index / 10, 0)).mouth_hidden[0] for index in range(15)]
    assert hidden[:3] == [False] * 3 and hidden[5:9] == [True] * 4 and hidden[12:] == [False] * 3


def test_a_cut_begins_with_a_look_of_its_own():
    watch = OcclusionWatch(answering(1.0, 0.0))
    assert watch(record(0, 0)).mouth_hidden == (True,)
    assert watch(record(0.01, 0, cut=True)).mouth_hidden == (False,)


def test_a_film_that_is_played_again_begins_with_a_look_of_its_own():
    watch = OcclusionWatch(answering(1.0, 0.0))
    assert watch(record(5, 0)).mouth_hidden == (True,)
    assert watch(record(0, 0)).mouth_hidden == (False,)


def test_each_face_has_its_own_mouth():
    watch = OcclusionWatch(answering(1.0, 0.0))
    assert watch(record(0, 3, 7)).mouth_hidden == (True, False)


def test_the_lower_face_is_left_as_it_is_while_the_mouth_is_hidden():
    retarget = Retargeter(parse_targets("AU04=+1,AU06=+1,AU12=+2,AU25=+1,AU45=+1"), FREE)
    change = retarget(record(0, 0, hidden=(True,))).changes[0]
    assert not change[:, LOWER].any()
    assert (change[:, [AU_INDEX[4], AU_INDEX[45]]] == 1).all()
    assert set(LOWER).isdisjoint(UPPER) and len(LOWER) + len(UPPER) == len(ACTION_UNITS)


def test_the_lower_face_fades_out_when_a_hand_comes_and_in_when_it_leaves():
    retarget = Retargeter(parse_targets("AU12=+2"), FREE)
    hidden = [False] * 5 + [True] * 15 + [False] * 15
    shown = [
        float(retarget(record(index / 30, 0, hidden=(each,))).changes[0][0, AU_INDEX[12]])
        for index, each in enumerate(hidden)
    ]
    assert shown[:5] == [2] * 5 and shown[18] == 0 and shown[-1] == 2
    assert np.abs(np.diff(shown)).max() < 0.5


def test_a_picture_of_a_face_mask_stays_as_it_is_and_says_so(portrait, tmp_path):
    masked = with_mask(*portrait, (70, 150, 200))
    before, after = tmp_path / "masked.png", tmp_path / "out.png"
    cv2.imwrite(str(before), masked[..., ::-1])
    result = CliRunner().invoke(main, ["image", str(before), str(after), "--preset", "smile-open"])
    assert result.exit_code == 0
    assert "hides the mouth in 1 face" in result.stderr and "--occlusion off" in result.stderr
    mask = (masked == (70, 150, 200)).all(axis=2)
    changed = np.abs(load_still(after).image.astype(int) - masked).max(axis=2) > 8
    assert changed[mask].mean() < 0.01
    CliRunner().invoke(
        main, ["image", str(before), str(after), "--preset", "smile-open", "--occlusion", "off"]
    )
    changed = np.abs(load_still(after).image.astype(int) - masked).max(axis=2) > 8
    assert changed[mask].mean() > 0.02


@pytest.mark.slow
def test_a_film_says_in_how_many_frames_a_mouth_is_hidden(portrait, tmp_path):
    image, landmarks = portrait
    pictures = [image] * 6 + [with_mask(image, landmarks, (70, 150, 200))] * 9
    pictures = [cv2.resize(each, (480, 360), interpolation=cv2.INTER_AREA) for each in pictures]
    film = write_film(
        tmp_path / "in.mp4",
        Film(size=(360, 480), ticks=range(0, 15 * 512, 512)),
        [av.VideoFrame.from_ndarray(each, "rgb24") for each in pictures],
    )
    arguments = ["video", str(film), str(tmp_path / "out.mp4"), "--preset", "smile", "--json", "-"]
    result = CliRunner().invoke(main, arguments)
    hidden = json.loads(result.stdout)["frames_with_hidden_mouth"]
    assert 6 <= hidden <= 9
    assert f"hides the mouth in {hidden} frames" in result.stderr
    result = CliRunner().invoke(main, [*arguments, "--occlusion", "off"])
    assert json.loads(result.stdout)["frames_with_hidden_mouth"] == 0 and "hides" not in result.stderr


def test_the_network_is_two_layers_of_rectified_units(portrait):
    describe = LowerFace()
    tracked = seen(portrait[0])
    described = describe(tracked.frame.image, tracked.faces[0])
    assert described.shape == (describe.length,)
    rng = np.random.default_rng(0)
    hidden, bias = rng.normal(size=(2, describe.length)).astype(np.float32), np.float32([0.1, -0.2])
    network = MouthOcclusion(hidden, bias, np.float32([0.01, -0.02]), 0.5)
    units = [max(float(row @ described + each), 0) for row, each in zip(hidden, bias, strict=True)]
    expected = 1 / (1 + np.exp(-(0.01 * units[0] - 0.02 * units[1] + 0.5)))
    assert float(network.of(described)) == pytest.approx(expected, rel=1e-3)


def certain():
    """A network that takes every mouth for hidden."""
    length = LowerFace().length
    return MouthOcclusion(np.zeros((1, length), np.float32), np.zeros(1, np.float32), np.zeros(1), 20.0)


def test_a_mouth_whose_lips_are_seen_is_free_whatever_the_network_says(portrait):
    image, landmarks = portrait
    tracked = seen(image)
    assert lips_seen(tracked.frame.image, tracked.faces[0]) == 1
    assert certain()(tracked.frame.image, tracked.faces[0]) == 0
    hidden = seen(with_mask(image, landmarks, (70, 150, 200)))
    assert lips_seen(hidden.frame.image, hidden.faces[0]) == 0
    assert certain()(hidden.frame.image, hidden.faces[0]) > 0.99


def test_the_shipped_network_has_a_card():
    card = (Path(reenact.occlusion.__file__).parent / "MODEL_CARD.md").read_text()
    assert "python -m train occlusion" in card and "MIT" in card


def test_faces_beyond_the_picture_are_described():
    image = np.zeros((40, 40, 3), np.uint8)
    face = replace(posed_face(scale=2.0), track_id=1)
    assert np.isfinite(LowerFace()(image, face)).all()
