"""The options of the commands that edit, and the programme and options that their values make."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from calib.profile import Profile
from reenact.cli.driving import driving_options, driving_programmes
from reenact.cli.faces import face_options, face_requests, open_per_face_programme
from reenact.cli.grouped import CommandT, in_order, option
from reenact.cli.parameters import ENGINE, FILE, NumberParameter, ParsedParameter, landmarker_option
from reenact.cli.people import driver_profile_option, profile_option
from reenact.generate import GENERATORS, READY
from reenact.media.write.encoding import PRESETS as ENCODER_PRESETS
from reenact.programme import Programme
from reenact.programme.driver import DriverOptions, Transfer
from reenact.programme.face_choice import FaceChoice, FaceChoiceError, parse_faces
from reenact.programme.face_request import DriverRequest, FaceRequest
from reenact.programme.live_driver import LiveDriverSource
from reenact.programme.presets import PRESETS
from reenact.programme.programme import chain
from reenact.programme.target_syntax import TargetError, parse_targets
from reenact.programme.targets import MAX_STRENGTH, Targets, by_geometry
from reenact.retarget.options import RetargetOptions
from reenact.run.files import EditOptions
from reenact.track import DEFAULT_MAX_FACES, TrackerOptions

TARGETS = ParsedParameter("SPEC", parse_targets, TargetError)
FACES = ParsedParameter("WHICH", parse_faces, FaceChoiceError)


class PresetParameter(ParsedParameter):
    """A preset's name; a value that fits another option is refused with the name of that option."""

    choices = tuple(PRESETS)
    """The names that shells complete."""

    def __init__(self) -> None:
        super().__init__("NAME", parse_targets, TargetError)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Targets:
        if value.strip().lower() in ENCODER_PRESETS:
            self.fail(f"{value!r} is a speed of the encoder; it goes into --encoder-preset", param, ctx)
        if value.strip().lower() not in PRESETS and "=" in value:
            self.fail(f"{value!r} is no preset's name; action units go into --target-aus", param, ctx)
        return super().convert(value, param, ctx)


target_options = in_order(
    option(
        "--target-aus",
        group="Expression",
        type=TARGETS,
        help="Action units to show, in OpenFace intensities: AU12=+2,AU4=-1.",
        detail="With a sign, -5 to +5 is added to what the face shows; without one, AU12=3 (0 to 5) replaces "
        "it. AU12=3.. asks for at least 3, AU12=..1 for at most 1. AU12L and AU12R are the person's own left "
        "and right. A preset may come first (smile,AU4=-1). The path of a .json file is read.",
    ),
    option(
        "--preset",
        group="Expression",
        type=PresetParameter(),
        help="An expression by name, such as smile.",
        detail="Speech and blinks are kept; what contradicts the expression is removed. "
        f"One of {', '.join(PRESETS)}.",
    ),
    option(
        "--strength",
        group="Expression",
        type=NumberParameter(0, MAX_STRENGTH),
        metavar="FACTOR",
        default=RetargetOptions.strength,
        show_default=True,
        help="How far to go: 0 keeps the face as it is, 1 gives what is asked, more exaggerates it.",
        detail="Absolute intensities are never exceeded.",
    ),
    option(
        "--faces",
        group="Faces",
        type=FACES,
        show_default=f"{RetargetOptions.faces}; with --face those named there",
        help="Faces to change: largest, all, or ids as `reenact aus` lists them (0,2).",
    ),
    option(
        "--unsafe",
        group="Limits and calibration",
        is_flag=True,
        help="Allow expressions that no face shows, and changes that are faster than any face's.",
    ),
)
"""The options about the targets, their strength and the faces to change."""

tracker_options = in_order(
    option(
        "--max-faces",
        group="Faces",
        type=click.IntRange(min=1),
        metavar="COUNT",
        default=TrackerOptions.max_faces,
        show_default=f"all in a picture, {DEFAULT_MAX_FACES} in a film or before a camera",
        help="Follow at most this many faces, the largest ones.",
    ),
    landmarker_option("Faces"),
)
"""The options about how faces are found."""

_GENERATOR = "Generator and engine"

generator_options = in_order(
    option(
        "--generator",
        group=_GENERATOR,
        type=click.Choice(GENERATORS),
        metavar="NAME",
        default=EditOptions.generator,
        show_default=True,
        help=f"How new pixels are made: {', '.join(GENERATORS)}.",
        detail="warp moves the face's own pixels; live also paints what moving cannot make. paper and "
        "ganimation repaint the whole face with the --model that you give, for comparison.",
    ),
    option(
        "--model",
        group=_GENERATOR,
        type=FILE,
        metavar="ONNX",
        help="The network of the generator, as `python -m train export` writes it.",
        detail="live has one that ships.",
    ),
    option(
        "--own-mouth/--no-own-mouth",
        group=_GENERATOR,
        default=EditOptions.own_mouth,
        show_default=True,
        help="Where a mouth is opened, draw the teeth that the person has shown at other times.",
        detail="Otherwise, and for people who have shown none, teeth of other people are drawn.",
    ),
    option(
        "--occlusion",
        group=_GENERATOR,
        type=click.Choice(("auto", "off")),
        default="auto",
        show_default=True,
        help="auto does not change the lower face while a mask, a hand, a cup or a microphone hides the "
        "mouth; off always changes it.",
    ),
    option(
        "--engine",
        group=_GENERATOR,
        type=ENGINE,
        metavar="ENGINE",
        default=EditOptions.engine,
        show_default=True,
        help="The runtime of the network, with a precision if you like: openvino, openvino:fp32.",
        detail="If it fails, no other is used; `reenact engines list` shows those that are installed.",
    ),
)
"""The options about how new pixels are made."""


def ready_generator_option(default: str) -> Callable[[CommandT], CommandT]:
    """--generator, of commands that measure edits by the generators that need no --model."""
    return option(
        "--generator",
        type=click.Choice(READY),
        default=default,
        show_default=True,
        help="How new pixels are made.",
    )


def compare_option(command: CommandT) -> CommandT:
    """--compare, for commands that write files."""
    return option(
        "--compare", group="Output file", is_flag=True, help="Write input and output side by side."
    )(command)


def editing_options(command: CommandT) -> CommandT:
    """The options of commands that edit files; `programme_and_options` takes their values."""
    return live_editing_options(compare_option(command))


live_editing_options = in_order(
    target_options,
    face_options,
    driving_options,
    driver_profile_option,
    profile_option,
    tracker_options,
    generator_options,
)
"""The options of `editing_options` without those of files."""


def programme_and_options(
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
    gaze: Targets | None,
    requests: tuple[FaceRequest, ...],
    programme: Path | None,
    faces: FaceChoice | None,
    live_driver: LiveDriverSource | None = None,
    needed: bool = True,
    **choices: Any,
) -> tuple[Programme, EditOptions]:
    """The programme and the options that the values of `editing_options` ask for. Files are read.

    The programme applies, in this order, the changes of the face's own expression, the driver, the time line,
    the targets, the gaze, the locks, and then the requests for single faces. needed: whether it is a usage
    error if nothing is asked for.
    """
    options = _edit_options(**choices, inverted=invert)
    if driver is None and live_driver is None and driver_profile is not None:
        raise click.UsageError("--driver-profile needs --driver", click.get_current_context())
    requests = face_requests(requests, programme)
    how = DriverOptions(transfer, regions, gain, driver_start, driver_loop)
    driving = DriverRequest(
        driver,
        how,
        driver_face,
        driver_fps,
        driver_profile,
        timeline=timeline,
        neutralise=neutralise,
        scale=scale,
    )
    parts = driving_programmes(driving, options, live_driver)
    held = [each for each in (gaze, lock and by_geometry(lock)) if each is not None]
    if target_aus or preset or (needed and not (parts or requests or invert or held)):
        parts.append(_chosen_targets(target_aus, preset))
    parts += held
    targets = chain(*parts)
    if requests:
        targets = per_face = open_per_face_programme(requests, targets, faces, options)
        faces = per_face.choose
    return targets, options if faces is None else _with_faces(options, faces)


def may_change_several(options: EditOptions) -> bool:
    """Whether the choice of faces may include more than the largest one."""
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
    """The preset with the action units of --target-aus on top. Raises a usage error if there is neither."""
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
