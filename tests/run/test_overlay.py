"""What the preview draws on the picture, and that it draws on a copy."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from calib.au import bilateral, neutral_aus
from reenact.pipeline.meter import LiveStatus, StageTimes
from reenact.programme import parse_targets
from reenact.records import Finished, Frame, Signal
from reenact.retarget.controls import Settings
from reenact.run.overlay import OverlayState, compared, figures, overlaid
from reenact.run.text_boxes import AMBER, BRIGHT, RED, TextSpan, draw_panel, status_bar, table, text_box
from tests.support.faces import posed_face

STATUS = LiveStatus(900, 3, 29.9, StageTimes(18.2, 24.1, 30), "generate", 12.4)
SIZES = [(480, 640), (720, 1280), (1080, 1920), (48, 64)]


def finished(size: tuple[int, int] = (480, 640), faces: int = 0, mirrored: bool = False) -> Finished:
    before, after = np.full((*size, 3), 90, np.uint8), np.full((*size, 3), 100, np.uint8)
    before[:, 0] = 10
    frame = Frame(before, Fraction(0))
    return Finished(
        frame,
        tuple(posed_face(1.5, (450, 240), track_id=index) for index in range(faces)),
        aus=tuple(neutral_aus() + np.float32(2) for _ in range(faces)),
        changes=tuple(bilateral(neutral_aus()) + np.float32(1) for _ in range(faces)),
        output=Frame(after),
        mirrored=mirrored,
    )


def state(message: str | None = None, recording: bool = False, **settings: object) -> OverlayState:
    return OverlayState(Settings(parse_targets("smile"), **settings), STATUS, message, recording)


def drawn(picture: np.ndarray) -> np.ndarray:
    """(height, width) where something was drawn."""
    return (picture != 100).any(axis=2)


@pytest.mark.parametrize("size", SIZES)
def test_everything_at_once_fits_any_picture_and_is_drawn_on_a_copy(size: tuple[int, int]) -> None:
    record = finished(size, faces=2)
    everything = state("a message", True, bypass=True, mirror=True, compare=True, details=True, help=True)
    before = record.image.copy()
    picture = overlaid(record, everything)
    assert picture.shape == record.image.shape
    assert not np.shares_memory(picture, record.image)
    np.testing.assert_array_equal(record.image, before)
    assert (record.frame.image[:, 1:] == 90).all()


def test_figures_stand_in_a_status_bar_at_the_bottom_and_the_rest_is_the_picture() -> None:
    rows = np.flatnonzero(drawn(overlaid(finished(), state())).any(axis=1))
    assert rows[0] > 440 and rows[-1] == 479


def test_what_has_least_room_is_left_out_first() -> None:
    text = tuple(word.text for word in figures(STATUS))
    assert text[:2] == ("30", " fps") and "generate 12 ms" in text[-1]
    bars = (status_bar((TextSpan("smile", BRIGHT),), figures(STATUS), 13, width) for width in (250, 640))
    narrow, wide = ((bar.premultiplied.max(axis=2) > 150).any(axis=0) for bar in bars)
    assert not narrow[:8].any() and not narrow[-8:].any(), "nothing runs out of the status bar"
    assert wide.sum() > narrow.sum()


def test_trouble_is_said_on_top_in_amber() -> None:
    lost = replace(STATUS, signal=Signal("lost", 3.2, "camera 0 is gone"))
    quiet = overlaid(finished(), state())
    told = overlaid(finished(), replace(state(), status=lost))
    assert not drawn(quiet[:100]).any()
    assert (np.abs(told[:100].astype(int) - AMBER).max(axis=2) < 20).sum() > 100


def test_recording_and_bypass_have_a_sign_of_their_own() -> None:
    def reddish(picture: np.ndarray) -> int:
        return int((picture[..., 0].astype(int) - picture[..., 1] > 60).sum())

    assert reddish(overlaid(finished(), state())) == 0
    assert reddish(overlaid(finished(), state(recording=True))) > 100
    assert drawn(overlaid(finished(), state(bypass=True))[400:440]).any()


@pytest.mark.parametrize("width", [640, 641])
def test_comparison_shows_the_camera_on_the_left_mirrored_as_the_rest_is(width: int) -> None:
    plain, mirrored = (compared(finished((48, width), mirrored=flip)) for flip in (False, True))
    middle = width // 2
    assert (plain[:, 1:middle] == 90).all() and (plain[:, middle:] == 100).all()
    assert (plain[:, 0] == 10).all(), "the camera's left edge"
    assert (mirrored[:, :middle] == 90).all(), "its right edge, without the left one"


@pytest.mark.parametrize("mirrored", [False, True])
def test_bars_stand_where_the_face_is_not(mirrored: bool) -> None:
    picture = drawn(overlaid(finished(faces=1, mirrored=mirrored), state(details=True)))
    bars = picture[200:280, 560:620] if mirrored else picture[200:280, 20:80]
    assert bars.mean() > 0.9


@pytest.mark.parametrize("mirrored", [False, True])
def test_faces_carry_the_ids_by_which_they_can_be_named(mirrored: bool) -> None:
    record = finished(faces=2, mirrored=mirrored)
    left = replace(record.faces[0], landmarks=record.faces[0].landmarks - (300, 0, 0))
    apart = replace(record, faces=(left, record.faces[1]))
    alike = replace(apart, faces=(left, replace(record.faces[1], track_id=0)))
    shown = [overlaid(each, state(details=True)).astype(int) for each in (apart, alike)]
    columns = np.flatnonzero(np.abs(shown[0] - shown[1]).max(axis=(0, 2)))
    centre = 640 - 1 - 450 if mirrored else 450
    assert centre - 15 < columns.min() <= columns.max() < centre + 15


def test_bars_count_from_the_neutral() -> None:
    def bright(**settings: object) -> int:
        picture = overlaid(finished(faces=1), state(details=True, **settings))
        return int((picture[:400] == BRIGHT).all(axis=2).sum())

    assert bright() > 1000 > bright(neutral=neutral_aus() + np.float32(2))


def test_a_panel_is_translucent_and_is_cut_at_the_edges() -> None:
    picture = np.full((60, 60, 3), 200, np.uint8)
    panel = text_box((TextSpan("word", BRIGHT),), 20, RED)
    draw_panel(panel, picture, -10, -5)
    draw_panel(panel, picture, 50, 50)
    draw_panel(panel, picture, 100, 100)
    fill = picture[1, 1].astype(int)
    assert 100 < fill[1] < 150 and fill[0] > fill[1] + 50
    assert (picture[40, 30] == 200).all()


def test_a_table_is_as_large_as_its_text_and_the_room_beside_it() -> None:
    rows = ((TextSpan("a"), TextSpan("first")), (TextSpan("b"), TextSpan("second")))
    small, roomy = table(rows, 14), table(rows, 14, 50)
    assert roomy.size == (small.size[0], small.size[1] + 50)
    assert small is table(rows, 14), "drawn once"
