"""`python -m calib neutral`: writes a person's face at rest to a profile."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray

from calib.au import AU_CODES, GAZE, GAZE_UNIT_DEG, LID_GAP, OPENFACE_COUNT, AUVector
from calib.commands.watching import (
    CalibrationError,
    DriverReading,
    check_source,
    shown_source,
    source_options,
    watching,
)
from calib.gaze import camera_deg, gaze_error
from calib.neutral import NeutralEstimator, NeutralOptions, Rest
from calib.profile import MOST_GAZE_ERROR_DEG, Profile, to_json
from reenact.cli.errors import plain_errors, say, unusable_input, warn
from reenact.cli.grouped import CommandT, GroupedCommand, option
from reenact.cli.parameters import FILE, NumberParameter, landmarker_option
from reenact.cli.progress import status_line
from reenact.measure.profiles import profile_to_renew, renewed, save_profile
from reenact.measure.read_aus import read_still
from reenact.media.image_file import load_still
from reenact.track import TrackerOptions

ENOUGH_S = 5.0
"""The time at rest, in seconds, beyond which the neutral hardly changes."""
MOST_WATCHED = 6.0
"""The longest time before a camera, as a multiple of the time at rest that is wanted."""
SURE_WAVERING = 0.2
"""The mean deviation of the readings at rest, an intensity, up to which they are steady."""
NOT_AT_REST = 1.5
"""The intensity above which a reading is unusual for a face at rest."""


def profile_output_option(stays: str) -> Callable[[CommandT], CommandT]:
    """--output, the profile that is written. stays: what of a profile that is there is kept, for help."""
    return option(
        "-o",
        "--output",
        type=FILE,
        metavar="OUT.json",
        show_default="standard output",
        help=f"The profile to write or to renew; its {stays} stay.",
    )


@click.command(
    cls=GroupedCommand,
    example="--camera 0 -o me.json",
    short_help="Measure a face at rest, and write it to a profile.",
)
@source_options
@option("--image", type=FILE, metavar="FILE", help="A picture of the face at rest.")
@profile_output_option("range, gain and limit")
@option(
    "--seconds",
    type=NumberParameter(NeutralOptions.least_s),
    default=ENOUGH_S,
    metavar="SECONDS",
    show_default=True,
    help="With --camera: how long the face must be at rest.",
)
@option(
    "--into-camera",
    is_flag=True,
    help="In the film or the picture the person looks into the camera, as you do with --camera. How their "
    "gaze is misread goes to the profile, too, so that eye contact meets the camera.",
)
@landmarker_option()
def neutral(
    camera: str | None,
    video: Path | None,
    image: Path | None,
    output: Path | None,
    seconds: float,
    into_camera: bool,
    landmarker: Path | None,
) -> None:
    """Measure a person's face at rest, and write it to a profile, for --profile and --driver-profile.

    In a film, or before a camera, only moments count in which the face is still, and of those the calmest. A
    film of somebody who talks will do if they pause now and then.
    """
    with plain_errors():
        check_source(camera=camera, video=video, image=image)
        with unusable_input():
            known = Profile() if output is None else profile_to_renew(output)
        gaze = _Gaze()
        if image is not None:
            found, how = _of_picture(image, landmarker, gaze), f"one picture, {image.name}"
        else:
            rest = at_rest(_watch(camera, video, seconds, landmarker, gaze), shown_source(camera, video))
            found, how = rest.neutral, f"{shown_source(camera, video)}: {how_sure(rest)}"
        error = gaze.error if into_camera or camera is not None else None
        write_profile(renewed(known, how, found, gaze_error_deg=error), output)
        say(f"{output or 'neutral'}: {how}; {highest(found)}" + ("" if error is None else _misread(error)))
        if error is None and (into_camera or camera is not None):
            warn("the eyes did not rest on the camera, so the error of the gaze stays as it was")
        if image is not None:
            warn("one picture does not tell whether the face is at rest; it is taken as it is")
        if found.max() > NOT_AT_REST:
            warn("these intensities are high for a face at rest; if it smiled or frowned, take it again")


def at_rest(estimator: NeutralEstimator, where: str) -> Rest:
    """The face at rest. Raises CalibrationError, with the reason, if it was not seen long enough."""
    if estimator.seen_s == 0:
        raise CalibrationError(f"{where}: no face was found to calibrate")
    if estimator.rest is None:
        raise CalibrationError(
            f"{where}: the face was still for {estimator.rest_s:.1f} s of {estimator.seen_s:.1f} s; "
            f"the neutral takes {NeutralOptions.least_s:g} s"
        )
    return estimator.rest


def how_sure(rest: Rest) -> str:
    """A line with the time at rest, the deviation of the readings and the certainty of the result."""
    wavering = float(rest.wavering.mean())
    sure = rest.rest_s >= ENOUGH_S and wavering <= SURE_WAVERING
    word = "sure" if sure else "rather sure" if rest.rest_s >= ENOUGH_S / 2 else "unsure"
    return f"{rest.rest_s:.1f} s at rest, readings within {wavering:.2f} of 5, {word}"


def highest(aus: AUVector, count: int = 3) -> str:
    """The `count` largest intensities in words: most AU02 0.9, AU07 0.4."""
    order = np.argsort(-aus[:OPENFACE_COUNT], kind="stable")[:count]
    named = [f"{AU_CODES[index]} {aus[index]:.1f}" for index in order if aus[index] >= 0.05]
    return f"most {', '.join(named)}" if named else "all 0"


def write_profile(profile: Profile, output: Path | None) -> None:
    """Writes the profile to a file. output: None: standard output."""
    if output is None:
        click.echo(to_json(profile), nl=False)
    else:
        save_profile(profile, output)


class _Gaze:
    """Collects where a face looks, and where its camera is."""

    def __init__(self) -> None:
        self._aus: list[AUVector] = []
        self._camera: list[NDArray[np.float64]] = []

    def note(self, aus: AUVector, camera: NDArray[np.float64] | None) -> None:
        """Adds a reading (AU_COUNT,) and the camera_deg of its head."""
        if camera is not None:
            self._aus.append(aus)
            self._camera.append(camera)

    @property
    def error(self) -> tuple[float, float] | None:
        """The error of the gaze of somebody who looked into the camera. None: they looked elsewhere."""
        if not self._aus:
            return None
        aus = np.array(self._aus)
        error = gaze_error(GAZE_UNIT_DEG * aus[:, GAZE], np.array(self._camera), aus[:, LID_GAP])
        return None if error is None or max(map(abs, error)) > MOST_GAZE_ERROR_DEG else error


def _misread(error: tuple[float, float]) -> str:
    return f"; the gaze is read {error[0]:+.1f} degrees to the left and {error[1]:+.1f} up"


def _of_picture(path: Path, landmarker: Path | None, gaze: _Gaze) -> AUVector:
    with unusable_input():
        measured = read_still(load_still(path), TrackerOptions(model_path=landmarker))
    if measured.largest is None:
        raise CalibrationError(f"{path}: no face was found to calibrate")
    aus = measured.aus[measured.largest]
    gaze.note(aus, camera_deg(measured.faces[measured.largest].pose.rotation))
    return aus


def _watch(
    camera: str | None, video: Path | None, seconds: float, landmarker: Path | None, gaze: _Gaze
) -> NeutralEstimator:
    """Reads a film to its end, or a camera until the face was at rest for `seconds` or the time is over."""
    estimator = NeutralEstimator()
    with watching(camera, video, landmarker) as readings, status_line() as show:
        if camera is not None:
            click.echo("Look into the camera and let your face rest.", err=True)
        for reading in readings:
            if reading.aus is not None:
                estimator.update(reading.time_s, reading.aus)
                gaze.note(reading.aus, reading.camera_deg)
            show(f"at rest {estimator.rest_s:.1f} s of {reading.time_s:.1f} s" + _absent(reading))
            if camera is not None and (
                estimator.rest_s >= seconds or reading.time_s >= MOST_WATCHED * seconds
            ):
                break
    return estimator


def _absent(reading: DriverReading) -> str:
    return "" if reading.aus is not None else ", no face"
