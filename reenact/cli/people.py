"""Options about who is in the picture: --profile, --driver-profile."""

from __future__ import annotations

from pathlib import Path

import click

from calib.profile import ProfileError, load_profile
from reenact.cli.parameters import CommandT, ParsedParameter

PROFILE = ParsedParameter("FILE", lambda text: load_profile(Path(text)), ProfileError)


def profile_option(command: CommandT) -> CommandT:
    """Whose face it is that is changed."""
    return click.option(
        "--profile",
        type=PROFILE,
        help="What is known of the person, as `python -m calib neutral` and `range` write it: absolute "
        "targets count from the neutral, and what is asked stays within range and limits.",
    )(command)


def reading_profile_option(command: CommandT) -> CommandT:
    """Whose face it is that is read."""
    return click.option(
        "--profile",
        type=PROFILE,
        help="What is known of the person, as `python -m calib neutral` writes it: intensities are "
        "calibrated then, 0..5 beyond this neutral, for every face.",
    )(command)


def driver_profile_option(command: CommandT) -> CommandT:
    """Whose face it is that drives."""
    return click.option(
        "--driver-profile",
        type=PROFILE,
        help="What is known of the driver: the neutral from which its expression counts, where otherwise one "
        "is estimated; with --profile, it is scaled from the driver's range to the person's.",
    )(command)
