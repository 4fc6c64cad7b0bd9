"""A guided session on a face made up, and what it looks like."""

from __future__ import annotations

import io
import re
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from calib.au import AU_COUNT, JAW_DROP, LIP_GAP, OPENFACE_COUNT, au_index
from calib.commands.board import board, live_board
from calib.guided import LEAST_RANGE, PROMPTS, GuidedSession, Prompt, SessionProgress

RATE = 20
PROMPT_S = 3.0
NEUTRAL = np.full(AU_COUNT, 0.5, np.float32)
SHORT = (PROMPTS[0], Prompt("smile", ("AU06", "AU12")), Prompt("open", ("AU25",)), Prompt("smile", ("AU12",)))
SMILE, OPEN = au_index("AU12"), au_index("AU25")


def carried_out(shown: list[dict[int, float]], prompts=SHORT, faces: bool = True) -> GuidedSession:
    """The session of somebody who shows so much beyond neutral under each prompt, with a second's delay."""
    session = GuidedSession(PROMPT_S, prompts)
    frame = 0
    while True:
        number, since_s = divmod(frame / RATE, PROMPT_S)
        aus = NEUTRAL.copy()
        if since_s >= 0.9 and number < len(shown):
            for index, value in shown[int(number)].items():
                aus[index] += value
        if session.update(7 + frame / RATE, aus if faces else None) is None:
            return session
        frame += 1


def test_the_range_is_the_most_that_was_reached_beyond_neutral():
    session = carried_out([{}, {SMILE: 1.5}, {OPEN: 2.0}, {SMILE: 2.5}])
    assert session.resting.rest is not None
    np.testing.assert_allclose(session.resting.rest.neutral, NEUTRAL, atol=0.03)
    assert session.range[SMILE] == pytest.approx(2.5, abs=0.05)
    assert session.range[OPEN] == pytest.approx(2.0, abs=0.05)
    assert np.isnan(session.range).sum() == AU_COUNT - 2


def test_what_was_not_asked_for_or_hardly_shown_stays_unknown():
    session = carried_out([{}, {OPEN: 3.0, SMILE: LEAST_RANGE - 0.1}, {SMILE: 3.0}, {}])
    assert np.isnan(session.range).all()


def test_a_flicker_is_no_range():
    session = GuidedSession(PROMPT_S, SHORT)
    for frame in range(round(4 * PROMPT_S * RATE)):
        aus = NEUTRAL.copy()
        aus[SMILE] += 4.0 * (frame % 20 == 0 and frame > PROMPT_S * RATE)
        session.update(frame / RATE, aus)
    assert np.isnan(session.range[SMILE])


def test_a_step_says_what_is_asked_and_shown_and_how_long_it_takes():
    session = GuidedSession(PROMPT_S, SHORT)
    first = session.update(100.0, NEUTRAL)
    assert first is not None and (first.number, first.left_s) == (0, PROMPT_S)
    for frame in range(1, 59):
        session.update(100 + frame / RATE, NEUTRAL)
    later = session.update(104.0, NEUTRAL + 1)
    assert later is not None and later.prompt.text == "smile" and later.left_s == 2.0
    assert later.shown is not None and later.shown == pytest.approx(np.ones(AU_COUNT), abs=0.03)
    nobody = session.update(104.1, None)
    assert nobody is not None and nobody.shown is None
    assert session.update(112.0, NEUTRAL) is None


def test_without_a_face_nothing_is_known():
    session = carried_out([], faces=False)
    assert session.resting.rest is None and np.isnan(session.range).all()


def test_the_prompts_ask_for_every_action_unit():
    asked = {index for prompt in PROMPTS for index in prompt.indices}
    assert asked == {*range(OPENFACE_COUNT), LIP_GAP, JAW_DROP}
    assert PROMPTS[0].aus == ()


def step(shown: float | None, reached: float = np.nan) -> SessionProgress:
    return SessionProgress(
        1,
        SHORT[1],
        2.4,
        None if shown is None else np.full(AU_COUNT, shown, np.float32),
        np.full(AU_COUNT, reached, np.float32),
    )


def test_the_board_has_a_bar_for_every_action_unit_and_marks_what_was_reached():
    lines = board(step(2.5, reached=3.75), 4, 78, 24)
    assert lines[0].plain == "2/4  smile  2 s"
    assert len(lines) == 2 + OPENFACE_COUNT
    bar = "█" * 20 + "·" * 10 + "|" + "·" * 9
    assert lines[2 + SMILE].plain == f"AU12 lip corner puller    {bar}  2.5"
    assert (lines[2 + SMILE].style, lines[2 + OPEN].style) == ("bold", "dim")


@pytest.mark.parametrize("width", [10, 32, 40, 200])
@pytest.mark.parametrize("shown", [None, 0.0, 5.0])
def test_no_line_is_wider_than_the_terminal(width, shown):
    assert max(line.cell_len for line in board(step(shown, reached=5.0), 4, width, 24)) <= width


def test_a_low_terminal_shows_only_the_bars_that_are_asked_for():
    lines = board(step(1.0), 4, 78, 18)
    assert [line.plain[:4] for line in lines[2:]] == ["AU06", "AU12"]


def test_a_face_that_is_gone_is_said_to_be():
    lines = board(step(None), 4, 78, 24)
    assert lines[0].plain.endswith("(no face)") and lines[2].plain.endswith("  -")


def shown_in_terminal(width: int, height: int, *steps: SessionProgress) -> str:
    """What a terminal of this size is sent."""
    sent = io.StringIO()
    console = Console(
        file=sent,
        force_terminal=True,
        width=width,
        height=height,
        color_system=None,
        _environ={"TERM": "xterm"},
    )
    with live_board(4, console) as show:
        for each in steps:
            show(each)
    return sent.getvalue()


@pytest.mark.parametrize(("width", "height"), [(80, 24), (30, 8)])
def test_in_a_terminal_a_step_replaces_the_one_before_and_a_new_prompt_rings(width, height):
    first, second = step(1.0), step(2.0)
    sent = shown_in_terminal(width, height, first, replace(first, left_s=1.0), replace(second, number=2))
    assert sent.count("\a") == 2, "at the first step, which is of the second prompt, and at the third"
    assert sent.index("\x1b[?25l") < sent.index("smile") < sent.rindex("\x1b[?25h")
    shown = [line for line in re.sub(r"\x1b\[[\d;?]*[A-Za-z]|[\a\r]", "\n", sent).splitlines() if line]
    assert max(map(len, shown)) <= width
    assert len([line for line in shown if line.startswith("2/4")]) == 2
    assert sent.count("\x1b[2K") >= 2 * min(height, 3), "the lines of the step before are cleared"


def test_without_a_terminal_each_prompt_is_one_line(capsys):
    with live_board(4, Console(file=io.StringIO())) as show:
        for each in (step(1.0), step(2.0), replace(step(1.0), number=2)):
            show(each)
    assert capsys.readouterr().err.splitlines() == ["2/4  smile", "3/4  smile"]
