"""The options about single faces, each with an expression of its own: --face and --programme."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reenact.cli.driving import driven
from reenact.cli.errors import note, unusable_input, warn
from reenact.cli.grouped import in_order, option
from reenact.cli.parameters import FILE, ParsedParameter
from reenact.programme import Programme
from reenact.programme.face_choice import FaceChoice, FaceChoiceOptions, FaceChooser
from reenact.programme.face_request import FaceRequest, FaceRequestError, parse_face
from reenact.programme.per_face import FaceProgramme, PerFaceProgramme
from reenact.programme.programme import chain, scaled
from reenact.programme.programme_file import load_programme
from reenact.run.files import EditOptions
from reenact.track import TrackerOptions

if TYPE_CHECKING:
    from reenact.recognise.recogniser import Recogniser

FACE_PLAN = ParsedParameter("WHO:SPEC", parse_face, FaceRequestError)


face_options = in_order(
    option(
        "--face",
        "plans",
        group="Faces",
        type=FACE_PLAN,
        metavar="WHO:SPEC",
        multiple=True,
        help="An expression for one face: 0:AU12=+2 by its id, anna.png:smile by a picture of the person.",
        detail="May be given several times. Ids are those of `reenact aus`. Other faces stay as they are, "
        "unless --faces names them.",
    ),
    option(
        "--programme",
        group="Faces",
        type=FILE,
        metavar="JSON",
        help="A file with expressions, drivers and time lines for single faces.",
    ),
)
"""The options about what single faces show, on top of what is asked of all."""


def face_plans(plans: Sequence[FaceRequest], programme: Path | None) -> tuple[FaceRequest, ...]:
    """All expressions of single faces; reads the file of --programme."""
    if programme is not None:
        with unusable_input():
            plans = (*load_programme(programme), *plans)
    for index, plan in enumerate(plans):
        if any(plan.face == other.face for other in plans[:index]):
            raise click.BadParameter(f"face {plan.face} is named twice", param_hint="--face")
    return tuple(plans)


def open_per_face_programme(
    plans: Sequence[FaceRequest],
    common: Programme,
    faces: FaceChoice | None,
    options: EditOptions,
) -> PerFaceProgramme:
    """The plans with all files that they name read. faces: the other faces that get what is common to all."""
    # Reference pictures first: they are quick to read, and a driver's film is not.
    recognise = _recogniser(plans, options.tracker)
    parts = [FaceProgramme(_name(plan.face), _programme(plan, options)) for plan in plans]
    also = None if faces is None else FaceChooser(FaceChoiceOptions(faces=faces))
    return PerFaceProgramme(parts, common, also=also, recognise=recognise)


def warn_of_absent(targets: Programme) -> list[str]:
    """One line on standard error for each face that was named and has not been seen; returns them."""
    lines = targets.absent() if isinstance(targets, PerFaceProgramme) else []
    for line in lines:
        warn(line)
    return lines


def warn_of_left_out(left_out: int, tracker: TrackerOptions) -> list[str]:
    """One line on standard error where more faces were found than are followed; returns it."""
    if not left_out:
        return []
    assert tracker.limit is not None
    found = tracker.limit + left_out
    line = f"{found} faces were found and {left_out} of them left out; give --max-faces {found} to take all"
    warn(line)
    return [line]


def note_hidden_mouths(count: int, what: str) -> list[str]:
    """One line on standard error where something hid a mouth in `count` faces or frames; returns it."""
    if not count:
        return []
    where = f"1 {what}" if count == 1 else f"{count} {what}s"
    line = (
        f"something hides the mouth in {where}: there the lower face is left as it is; "
        "--occlusion off changes it all the same"
    )
    note(line)
    return [line]


def _recogniser(plans: Sequence[FaceRequest], options: TrackerOptions) -> Recogniser | None:
    """The recogniser of the people in the plans' pictures; None: there are no pictures."""
    from reenact.recognise.recogniser import Recogniser, load_reference

    pictures = [plan.face for plan in plans if isinstance(plan.face, Path)]
    with unusable_input():
        return Recogniser([load_reference(path, options) for path in pictures]) if pictures else None


def _programme(plan: FaceRequest, options: EditOptions) -> Programme:
    parts = driven(plan.driving, options)
    if plan.targets is not None:
        parts.append(plan.targets)
    return scaled(chain(*parts), plan.strength)


def _name(face: int | Path | None) -> int | str | None:
    return face.name if isinstance(face, Path) else face
