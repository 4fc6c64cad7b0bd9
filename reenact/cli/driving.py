"""The options about drivers, time lines and the face's own expression: --driver, --timeline, --scale and
more."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click

from calib.profile import stretch
from reenact.cli.errors import note, unusable_input
from reenact.cli.grouped import GENERAL, CommandT, in_order, option
from reenact.cli.inputs import INPUT, to_source
from reenact.cli.parameters import FILE, NumberParameter, ParsedParameter
from reenact.cli.progress import progress_bar
from reenact.programme import Programme
from reenact.programme.au_recording import AURecording
from reenact.programme.driver import (
    DRIVEN,
    MAX_GAIN,
    REGIONS,
    Driver,
    DriverOptions,
    RegionError,
    parse_regions,
)
from reenact.programme.face_request import DriverRequest
from reenact.programme.inversion import InversionError, parse_inverted
from reenact.programme.keyframes import Keyframes
from reenact.programme.live_driver import LiveDriverSource
from reenact.programme.steps import Steps
from reenact.programme.target_syntax import TargetError, parse_gaze, parse_locks, parse_scales
from reenact.programme.targets import Targets, neutralised
from reenact.programme.timeline_file import load_timeline, timeline_notes
from reenact.run.files import EditOptions
from reenact.run.load_driver import read_driver
from reenact.track import TrackerOptions

LOCKS = ParsedParameter("SPEC", parse_locks, TargetError)
GAZE = ParsedParameter("WHERE", parse_gaze, TargetError)
INVERTED = ParsedParameter("SPEC", lambda text: parse_inverted(text) if text else frozenset(), InversionError)
SCALES = ParsedParameter("SPEC", parse_scales, TargetError)
WHERE = ParsedParameter("WHICH", parse_regions, RegionError)


_GROUP = "Drivers and time lines"
_OWN = "Expression"


def driver_fps_option(group: str = GENERAL) -> Callable[[CommandT], CommandT]:
    """--driver-fps, of commands that read tables of action units, under this heading."""
    return option(
        "--driver-fps",
        group=group,
        type=NumberParameter(0, min_open=True),
        metavar="FPS",
        help="Frame rate of a table that has no timestamps, in frames per second.",
    )


driving_options = in_order(
    option(
        "--driver",
        group=_GROUP,
        type=INPUT,
        metavar="FILE",
        help="Take over the expression of another face: a film, a picture or a table of action units.",
        detail="Tables are those of OpenFace, py-feat, LibreFace and `reenact aus`.",
    ),
    option(
        "--timeline",
        group=_GROUP,
        type=FILE,
        metavar="FILE",
        help="Follow keyframes: a .csv (time,au,value,kind,easing,face) or a .json.",
        detail="A table of measured action units is followed as well.",
    ),
    option(
        "--transfer",
        group=_GROUP,
        type=click.Choice(["absolute", "relative"]),
        default=DriverOptions.transfer,
        show_default=True,
        help="absolute: the driver's expression replaces the face's own. relative: it is added.",
    ),
    option(
        "--regions",
        group=_GROUP,
        type=WHERE,
        metavar="NAMES",
        default=",".join(name for name in REGIONS if name in DRIVEN),
        show_default=True,
        help=f"Regions of the face that follow the driver: {', '.join(REGIONS)}.",
    ),
    option(
        "--gain",
        group=_GROUP,
        type=NumberParameter(0, MAX_GAIN),
        metavar="FACTOR",
        default=DriverOptions.gain,
        show_default=True,
        help="Multiply the driver's intensities.",
    ),
    option(
        "--driver-face",
        group=_GROUP,
        metavar="ID",
        help="Which face of the driver to follow, if it has several.",
        detail="The ids are those of `reenact aus`, or of the table's column face_id or Identity; 0,2 joins "
        "two ids of one face.",
    ),
    option(
        "--driver-start",
        group=_GROUP,
        type=NumberParameter(0),
        default=DriverOptions.start_s,
        show_default=True,
        metavar="SECONDS",
        help="Time in the driver to begin at.",
    ),
    option("--driver-loop", group=_GROUP, is_flag=True, help="Repeat the driver when it ends."),
    driver_fps_option(_GROUP),
    option(
        "--neutralise",
        group=_OWN,
        type=NumberParameter(0, 1),
        metavar="SHARE",
        default=0.0,
        show_default=True,
        help="Remove this share of the face's own expression first; blinks are kept.",
    ),
    option(
        "--scale",
        group=_OWN,
        type=SCALES,
        help="Multiply action units that the face shows: AU12=1.5,AU04=0.",
    ),
    option(
        "--invert",
        group=_OWN,
        type=INVERTED,
        default="",
        metavar="AUS",
        help="Turn the face's own expression into its opposite: AU12,AU04, or all.",
        detail="Blinks are kept.",
    ),
    option(
        "--gaze",
        group=_OWN,
        type=GAZE,
        help="camera: eye contact. LEFT,UP: where the eyes look, in degrees from straight ahead: 5,-2.",
        detail="Left is the person's own. Eye contact keeps blinks and glances, and fades out where the head "
        "turns away by more than 20 degrees.",
    ),
    option(
        "--lock",
        group=_OWN,
        type=LOCKS,
        help="Hold intensities, regardless of what the face shows and of other options: AU12=3.",
    ),
)
"""The options about drivers and time lines, and about the face's own expression."""


def driving_programmes(
    driving: DriverRequest, options: EditOptions, live_driver: LiveDriverSource | None = None
) -> list[Programme]:
    """The programmes of a request, in order: for the face's own expression, the driver and the time line.

    The files are read. live_driver: the driver before a second camera. None: there is no second camera.
    """
    parts = own_expression(driving.neutralise, driving.scale)
    source: AURecording | LiveDriverSource | None = live_driver
    if driving.driver is not None:
        source = open_driver(driving.driver, driving.driver_face, driving.driver_fps, options.tracker)
    if source is not None:
        if driving.profile is not None:
            source = source.with_neutral(driving.profile.neutral)
        parts.append(Driver(source, driving.how, stretch(driving.profile, options.retarget.profile)))
    if driving.timeline is not None:
        # If there is a driver, --driver-face names its face and not that of the time line.
        face = driving.driver_face if source is None else None
        parts.append(open_timeline(driving.timeline, face, driving.driver_fps))
    return parts


def own_expression(neutralise: float, scale: Targets | None) -> list[Programme]:
    """The programmes that change the face's own expression.

    neutralise: the share that is removed, 0..1. scale: the factors on action units. None: there are none.
    """
    parts: list[Programme] = [] if scale is None else [scale]
    return [*parts, neutralised(neutralise)] if neutralise else parts


def open_driver(
    source: Path | str, face: str | None, fps: float | None, options: TrackerOptions
) -> AURecording:
    """The recording of a driver from a table, a picture or a film, with a progress bar; prints its notes."""
    path = to_source(source)
    with unusable_input():
        recording = read_driver(path, face, fps, options, progress_bar)
    for line in recording.notes:
        note(f"{path}: {line}")
    return recording


def open_timeline(
    path: Path, face: str | None = None, fps: float | None = None
) -> Keyframes | Steps | Driver:
    """The time line in a file; prints its notes. face, fps: as `load_timeline` takes them."""
    with unusable_input():
        timeline = load_timeline(path, face, fps)
    for line in timeline_notes(timeline):
        note(f"{path}: {line}")
    return timeline
