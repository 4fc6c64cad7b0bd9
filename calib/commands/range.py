"""`python -m calib range`: measures the range of a person's action units in a guided session."""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np

from calib.au import AU_CODES, AUVector
from calib.commands.board import live_board
from calib.commands.neutral import at_rest, how_sure, profile_output_option, write_profile
from calib.commands.watching import (
    CalibrationError,
    check_source,
    shown_source,
    source_options,
    watching,
)
from calib.guided import PROMPTS, GuidedSession
from calib.profile import Profile
from reenact.cli.errors import plain_errors, say, unusable_input, warn
from reenact.cli.grouped import GroupedCommand, option
from reenact.cli.parameters import NumberParameter, landmarker_option
from reenact.measure.profiles import profile_to_renew, renewed

PROMPT_S = 4.0
"""The time for each expression, in seconds."""
_SCHEDULE = "\n".join(
    f"      {number}. {prompt.text}{': ' if prompt.aus else ''}{', '.join(prompt.aus)}"
    for number, prompt in enumerate(PROMPTS, 1)
)


@click.command(
    "range",
    cls=GroupedCommand,
    example="--camera 0 -o me.json",
    short_help="Ask for expressions, and write their range to a profile.",
    epilog=f"""\b
    The expressions asked for, one after the other, each for --seconds:
{_SCHEDULE}""",
)
@source_options
@profile_output_option("gain and limit")
@option(
    "--seconds",
    type=NumberParameter(2.5, 60),
    default=PROMPT_S,
    metavar="SECONDS",
    show_default=True,
    help="How long each expression is asked for.",
)
@landmarker_option()
def expressive_range(
    camera: str | None,
    video: Path | None,
    output: Path | None,
    seconds: float,
    landmarker: Path | None,
) -> None:
    """Ask for one expression after the other, and write the face's neutral and range to a profile.

    A film in place of a camera must show them in this order, from its beginning, --seconds for each.
    """
    with plain_errors():
        check_source(camera=camera, video=video)
        where = shown_source(camera, video)
        with unusable_input():
            known = Profile() if output is None else profile_to_renew(output)
        session = GuidedSession(seconds)
        _run(session, camera, video, landmarker)
        rest = at_rest(session.resting, f"{where}, first prompt")
        reached = session.range
        if np.isnan(reached).all():
            raise CalibrationError(f"{where}: none of the expressions was seen")
        write_profile(
            renewed(known, f"{where}: guided session, {how_sure(rest)}", rest.neutral, reached), output
        )
        say(f"{output or 'range'}: {how_sure(rest)}; range {_listed(reached)}")
        asked = sorted({index for prompt in PROMPTS for index in prompt.indices})
        missing = [AU_CODES[index] for index in asked if np.isnan(reached[index])]
        if missing:
            warn(f"not seen, and left as unknown: {', '.join(missing)}")


def _run(session: GuidedSession, camera: str | None, video: Path | None, landmarker: Path | None) -> None:
    """Feeds the session with readings, to its end or to the end of the film."""
    with watching(camera, video, landmarker) as readings, live_board(len(PROMPTS)) as show:
        for reading in readings:
            step = session.update(reading.time_s, reading.aus)
            if step is None:
                break
            show(step)


def _listed(reached: AUVector) -> str:
    known = zip(AU_CODES, reached.tolist(), strict=True)
    return ", ".join(f"{code} {value:.1f}" for code, value in known if not np.isnan(value))
