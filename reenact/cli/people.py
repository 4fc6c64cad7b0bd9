"""The options that give profiles of people: --profile, --driver-profile."""

from __future__ import annotations

from pathlib import Path

from calib.profile import ProfileError, load_profile
from reenact.cli.grouped import CommandT, option
from reenact.cli.parameters import ParsedParameter

PROFILE = ParsedParameter("FILE", lambda text: load_profile(Path(text)), ProfileError)


def profile_option(command: CommandT) -> CommandT:
    """--profile, the profile of the person whose face is changed."""
    return option(
        "--profile",
        group="Limits and calibration",
        type=PROFILE,
        metavar="JSON",
        help="The person's neutral face and range, as `python -m calib neutral` and `range` write them.",
        detail="Absolute intensities count from this neutral, and everything stays within range and limits.",
    )(command)


def reading_profile_option(command: CommandT) -> CommandT:
    """--profile, the profile of the person whose face is read."""
    return option(
        "--profile",
        group="Limits and calibration",
        type=PROFILE,
        metavar="JSON",
        help="The person's neutral face, as `python -m calib neutral` writes it.",
        detail="Intensities of all faces are then 0 to 5 beyond this neutral.",
    )(command)


def driver_profile_option(command: CommandT) -> CommandT:
    """--driver-profile, the profile of the driver's person."""
    return option(
        "--driver-profile",
        group="Drivers and time lines",
        type=PROFILE,
        metavar="JSON",
        help="The driver's neutral face; without it, the neutral is estimated from the driver.",
        detail="With --profile as well, the driver's range is scaled to the person's.",
    )(command)
