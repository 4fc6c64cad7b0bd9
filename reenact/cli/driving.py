"""Options about the expression of another face, or the face's own: --driver, --scale and more."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import click

from calib.profile import stretch
from reenact.cli.errors import note, unusable_input
from reenact.cli.inputs import INPUT, kept
from reenact.cli.parameters import FILE, CommandT, NumberParameter, ParsedParameter
from reenact.cli.progress import progress_bar
from reenact.measure.read_aus import is_still
from reenact.media.image_file import load_still
from reenact.media.read import open_capture
from reenact.pipeline.runner import LeftThreads, closed_after_stages
from reenact.programme import Programme
from reenact.programme.au_recording import AURecording
from reenact.programme.au_recording_csv import TABLES, is_au_table, read_au_recording
from reenact.programme.driver import MAX_GAIN, REGIONS, Driver, DriverOptions, RegionError, parse_regions
from reenact.programme.face_choice import track_id_of
from reenact.programme.face_request import DriverRequest
from reenact.programme.inversion import InversionError, parse_inverted
from reenact.programme.keyframes import Marker
from reenact.programme.keyframes_file import doubtful_signs, load_keyframes
from reenact.programme.live_driver import LiveDriverSource
from reenact.programme.target_syntax import TargetError, parse_locks, parse_scales
from reenact.programme.targets import Targets, neutralised
from reenact.run.files import EditOptions
from reenact.run.read_driver import au_recording_of_film, au_recording_of_still
from reenact.track import TrackerOptions

LOCKS = ParsedParameter("SPEC", parse_locks, TargetError)
INVERTED = ParsedParameter("SPEC", lambda text: parse_inverted(text) if text else frozenset(), InversionError)
SCALES = ParsedParameter("SPEC", parse_scales, TargetError)
WHERE = ParsedParameter("WHICH", parse_regions, RegionError)


def driving_options(command: CommandT) -> CommandT:
    """Whose expression the face takes over, and how much it keeps of its own."""
    for option in reversed(
        (
            click.option(
                "--driver",
                type=INPUT,
                help="Take over the expression of another face: of a film, of a picture, or from a table by "
                "OpenFace, py-feat, LibreFace or `reenact aus`.",
            ),
            click.option(
                "--transfer",
                type=click.Choice(["absolute", "relative"]),
                default=DriverOptions.transfer,
                show_default=True,
                help="The driver's expression in place of the face's own, or added to it.",
            ),
            click.option(
                "--regions",
                type=WHERE,
                default=",".join(REGIONS),
                show_default=True,
                help="Where the driver has its way.",
            ),
            click.option(
                "--gain",
                type=NumberParameter(0, MAX_GAIN),
                default=DriverOptions.gain,
                show_default=True,
                help="Multiplies the driver's expression.",
            ),
            click.option(
                "--driver-face",
                metavar="ID",
                help="Of several faces, as `reenact aus` numbers them, or a table in face_id or Identity; "
                "0,2 where a table has two names for one face.",
            ),
            click.option(
                "--driver-start",
                type=NumberParameter(0),
                default=DriverOptions.start_s,
                show_default=True,
                metavar="SECONDS",
                help="Where in the driver to begin.",
            ),
            click.option("--driver-loop", is_flag=True, help="Begin anew when the driver ends."),
            click.option(
                "--driver-fps",
                type=NumberParameter(0, min_open=True),
                help="Frames per second of a table that has no timestamps, or the same in all frames.",
            ),
            click.option(
                "--timeline",
                type=FILE,
                help="Keyframes, as .csv (time,au,value,kind,easing,face) or .json; or a table of measured "
                "action units, as --driver takes it.",
            ),
            click.option(
                "--neutralise",
                type=NumberParameter(0, 1),
                default=0.0,
                show_default=True,
                help="Take away this share of the face's own expression first; blinks stay.",
            ),
            click.option(
                "--scale",
                type=SCALES,
                help="Multiply what the face shows: AU12=1.5,AU04=0. (To hold a value: --lock AU12=3.)",
            ),
            click.option(
                "--invert",
                type=INVERTED,
                default="",
                help="Turn the face's own expression into its opposite: AU12,AU04; or all, but for blinks.",
            ),
            click.option(
                "--lock",
                type=LOCKS,
                help="Hold values, whatever the face does and whatever else is asked: AU12=3.",
            ),
        )
    ):
        command = option(command)
    return command


def driven(
    driving: DriverRequest, options: EditOptions, live_driver: LiveDriverSource | None = None
) -> list[Programme]:
    """First what the face is to keep of its own expression, then the driver's, then the time line. Reads the
    files. live_driver: the driver, where it is none that can be read."""
    parts = own_expression(driving.neutralise, driving.scale)
    source: AURecording | LiveDriverSource | None = live_driver
    if driving.driver is not None:
        source = read_driver(driving.driver, driving.driver_face, driving.driver_fps, options.tracker)
    if source is not None:
        if driving.profile is not None:
            source = source.with_neutral(driving.profile.neutral)
        parts.append(Driver(source, driving.how, stretch(driving.profile, options.retarget.profile)))
    if driving.timeline is not None:
        # Where there is a driver, the name is that of its face.
        face = driving.driver_face if source is None else None
        parts.append(read_timeline(driving.timeline, face, driving.driver_fps))
    return parts


def own_expression(neutralise: float, scale: Targets | None) -> list[Programme]:
    """What the face is to keep of what it shows itself."""
    parts: list[Programme] = [] if scale is None else [scale]
    return [*parts, neutralised(neutralise)] if neutralise else parts


def read_driver(
    source: Path | str, face: str | None, rate: float | None, options: TrackerOptions
) -> AURecording:
    """Read from a table; else seen in a picture or a film."""
    path = kept(source)
    with unusable_input():
        if path.suffix.lower() in TABLES:
            return _read_table(Path(path), face, rate)
        number = _face_number(face)
        if is_still(path):
            return au_recording_of_still(load_still(path), path, options, number)
    left = LeftThreads()
    with closed_after_stages(left) as used, ExitStack() as opened:
        with unusable_input():
            capture = used.enter_context(open_capture(path))
        advance = opened.enter_context(progress_bar(capture.frame_count))
        with unusable_input():
            return au_recording_of_film(capture, options, number, advance, left)


def read_timeline(path: Path, face: str | None = None, rate: float | None = None) -> Programme:
    """Keyframes, or what a table of measured action units shows; `face` and `rate` are for tables."""
    with unusable_input():
        if path.suffix.lower() in TABLES and is_au_table(path):
            return Driver(_read_table(path, face, rate))
        keyframes = load_keyframes(path)
    for line in doubtful_signs(keyframes):
        note(f"{path}: {line}")
    return keyframes


def read_markers(path: Path) -> Sequence[Marker]:
    """The moments that a time line names; a table of measured action units names none."""
    with unusable_input():
        if path.suffix.lower() in TABLES and is_au_table(path):
            return ()
        return load_keyframes(path).markers


def _read_table(path: Path, face: str | None, rate: float | None) -> AURecording:
    recording = read_au_recording(path, face, rate)
    for line in recording.notes:
        note(f"{path}: {line}")
    return recording


def _face_number(text: str | None) -> int | None:
    if text is None:
        return None
    number = track_id_of(text)
    if number is None:
        raise click.BadParameter(
            f"{text!r} is not a number; films and pictures number their faces 0, 1, ...",
            param_hint="--driver-face",
        )
    return number
