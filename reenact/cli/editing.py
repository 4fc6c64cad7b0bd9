"""Options of the commands that edit: what to change, in which faces, and how."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from calib.profile import Profile
from reenact.cli.driving import driven, driving_options
from reenact.cli.faces import face_options, face_plans, open_cast
from reenact.cli.parameters import ENGINE, FILE, CommandT, NumberParameter, ParsedParameter
from reenact.cli.people import driver_profile_option, profile_option
from reenact.generate import GENERATORS
from reenact.media.write.encoding import PRESETS as ENCODER_PRESETS
from reenact.programme import Programme
from reenact.programme.driver import DriverOptions, Transfer
from reenact.programme.live_driver import LivePerformance
from reenact.programme.options import MAX_STRENGTH, FaceChoice, FaceChoiceError, RetargetOptions, parse_faces
from reenact.programme.presets import PRESETS
from reenact.programme.protocol import in_turn
from reenact.programme.request import Driving, FacePlan
from reenact.programme.targets import TargetError, Targets, parse_targets
from reenact.run.files import EditOptions
from reenact.track import FOLLOWED, TrackerOptions

TARGETS = ParsedParameter("SPEC", parse_targets, TargetError)
FACES = ParsedParameter("WHICH", parse_faces, FaceChoiceError)


class PresetParameter(ParsedParameter):
    """Only the name of an expression, with a hint for what was meant for other options."""

    def __init__(self) -> None:
        super().__init__("NAME", parse_targets, TargetError)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Targets:
        if value.strip().lower() in ENCODER_PRESETS:
            self.fail(f"{value!r} is a speed of the encoder; it goes into --encoder-preset", param, ctx)
        if value.strip().lower() not in PRESETS and "=" in value:
            self.fail(f"{value!r} is no preset's name; action units go into --target-aus", param, ctx)
        return super().convert(value, param, ctx)


def target_options(command: CommandT) -> CommandT:
    """What to change, and by how much: --target-aus, --preset, --strength, --faces, --unsafe."""
    for option in reversed(
        (
            click.option(
                "--target-aus",
                type=TARGETS,
                help="What the face shall show, in OpenFace intensities. Relative values have a sign and add "
                "to what the face does: AU12=+2,AU4=-1 (-5..+5). Absolute ones have none and replace it: "
                "AU12=3 (0..5). AU12=3.. and AU12=..1 lead its expression to at least and at most that. "
                "A preset can stand in front: smile,AU4=-1. "
                "AU12L or AU12R: the person's own left or right alone. Or a .json file.",
            ),
            click.option(
                "--preset",
                type=PresetParameter(),
                help="An expression by name, to which the face is led from the one it has: what is missing "
                "is added, what contradicts it is taken away, and speech and blinks stay. One of "
                f"{', '.join(PRESETS)}.",
            ),
            click.option(
                "--strength",
                type=NumberParameter(0, MAX_STRENGTH),
                default=RetargetOptions.strength,
                show_default=True,
                help="How far to go from the face's present expression (0) to what is asked for (1), and "
                "beyond; absolute values are not passed.",
            ),
            click.option(
                "--faces",
                type=FACES,
                show_default=f"{RetargetOptions.faces}; with --face those named there",
                help="Who is to change: largest, all, or the ids of faces as `reenact aus` lists them: 0,2.",
            ),
            click.option(
                "--unsafe",
                is_flag=True,
                help="Also expressions that no face shows, and changes faster than any face's.",
            ),
        )
    ):
        command = option(command)
    return command


def tracker_options(command: CommandT) -> CommandT:
    """How faces are found: --max-faces, --landmarker."""
    for option in reversed(
        (
            click.option(
                "--max-faces",
                type=click.IntRange(min=1),
                default=TrackerOptions.max_faces,
                show_default=f"in a picture all there are, in a film or before a camera {FOLLOWED}",
                help="Look for at most this many faces; of more, the largest are taken.",
            ),
            click.option(
                "--landmarker",
                type=FILE,
                metavar="TASK",
                help="MediaPipe's face_landmarker.task, which finds the landmarks in place of the face mesh. "
                "From Python 3.13 on it is always used, and fetched once where no file is given.",
            ),
        )
    ):
        command = option(command)
    return command


def generator_options(command: CommandT) -> CommandT:
    """How new pixels are made: --generator, --model, --own-mouth, --occlusion, --engine."""
    for option in reversed(
        (
            click.option(
                "--generator",
                type=click.Choice(GENERATORS),
                default=EditOptions.generator,
                show_default=True,
                help="warp moves the face's own pixels; live also paints what moving cannot make. paper and "
                "ganimation, for comparison, repaint the whole face with the model that you give.",
            ),
            click.option(
                "--model",
                type=FILE,
                help="An ONNX file made by `python -m train export`; live has one that ships.",
            ),
            click.option(
                "--own-mouth/--no-own-mouth",
                default=EditOptions.own_mouth,
                show_default=True,
                help="Draw the teeth that the person has shown in this film, or before this camera, where an "
                "asked mouth shows more than the frame does; without, likely ones.",
            ),
            click.option(
                "--occlusion",
                type=click.Choice(("auto", "off")),
                default="auto",
                show_default=True,
                help="auto leaves the lower face as it is while a mask, a hand, a cup or a microphone hides "
                "the mouth; off never looks.",
            ),
            click.option(
                "--engine",
                type=ENGINE,
                default=EditOptions.engine,
                show_default=True,
                help="What runs the model, and in which precision: openvino, openvino:fp32. It is never "
                "replaced by another; `reenact engines list` says what there is.",
            ),
        )
    ):
        command = option(command)
    return command


def compare_option(command: CommandT) -> CommandT:
    return click.option("--compare", is_flag=True, help="Write input and output side by side.")(command)


def editing_options(command: CommandT) -> CommandT:
    """All that commands which edit files have in common; `chosen` understands what they get."""
    return live_editing_options(compare_option(command))


def live_editing_options(command: CommandT) -> CommandT:
    """The same without what makes no sense for a camera."""
    for options in (
        generator_options,
        tracker_options,
        driver_profile_option,
        driving_options,
        profile_option,
        face_options,
        target_options,
    ):
        command = options(command)
    return command


def chosen(
    *,
    target_aus: Targets | None,
    preset: Targets | None,
    driver: Path | str | None,
    driver_profile: Profile | None,
    transfer: Transfer,
    regions: frozenset[str],
    gain: float,
    driver_face: str | None,
    driver_start: float,
    driver_loop: bool,
    driver_fps: float | None,
    timeline: Path | None,
    neutralise: float,
    scale: Targets | None,
    invert: frozenset[int],
    lock: Targets | None,
    plans: tuple[FacePlan, ...],
    programme: Path | None,
    faces: FaceChoice | None,
    live_driver: LivePerformance | None = None,
    needed: bool = True,
    **choices: Any,
) -> tuple[Programme, EditOptions]:
    """What the values of `editing_options` or `live_editing_options` ask for. Reads the files.

    First what the face is to keep of its own expression, then the driver's, then the time line, then what is
    named on top, then what is locked; then what single faces are to do. needed: it is a usage error to ask
    for nothing.
    """
    options = _edit_options(**choices, inverted=invert)
    if driver is None and live_driver is None and driver_profile is not None:
        raise click.UsageError("--driver-profile needs --driver", click.get_current_context())
    plans = face_plans(plans, programme)
    how = DriverOptions(transfer, regions, gain, driver_start, driver_loop)
    driving = Driving(
        driver,
        how,
        driver_face,
        driver_fps,
        driver_profile,
        timeline=timeline,
        neutralise=neutralise,
        scale=scale,
    )
    parts = driven(driving, options, live_driver)
    if target_aus or preset or (needed and not parts and not plans and not invert and lock is None):
        parts.append(_chosen_targets(target_aus, preset))
    if lock is not None:
        parts.append(lock)
    targets = in_turn(*parts)
    if plans:
        targets = cast = open_cast(plans, targets, faces, options)
        faces = cast.choose
    return targets, options if faces is None else _with_faces(options, faces)


def several(options: EditOptions) -> bool:
    """Whether more faces than the largest may be asked to change."""
    return options.retarget.faces != "largest"


def _with_faces(options: EditOptions, faces: FaceChoice) -> EditOptions:
    return replace(options, retarget=replace(options.retarget, faces=faces))


def _edit_options(
    strength: float,
    unsafe: bool,
    profile: Profile | None,
    max_faces: int | None,
    landmarker: Path | None,
    generator: str,
    model: Path | None,
    engine: str,
    own_mouth: bool,
    occlusion: str,
    compare: bool = False,
    inverted: frozenset[int] = frozenset(),
) -> EditOptions:
    return EditOptions(
        generator=generator,
        model=model,
        engine=engine,
        own_mouth=own_mouth,
        occlusion=occlusion != "off",
        compare=compare,
        retarget=RetargetOptions(strength=strength, profile=profile, inverted=inverted, safe=not unsafe),
        tracker=TrackerOptions(max_faces=max_faces, model_path=landmarker),
    )


def _chosen_targets(target_aus: Targets | None, preset: Targets | None) -> Targets:
    """The preset with the single action units on top; a usage error if there is neither."""
    if target_aus is None and preset is None:
        raise click.UsageError(
            "nothing to change: give --target-aus AU12=+2, --preset smile or --face 0:smile",
            click.get_current_context(),
        )
    if preset is None or target_aus is None:
        chosen = target_aus or preset
        assert chosen is not None
        return chosen
    return target_aus.over(preset)
