"""The options that give single faces their own expressions: --face and --programme."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reenact.cli.driving import driving_programmes
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

FACE_REQUEST = ParsedParameter("WHO:SPEC", parse_face, FaceRequestError)


face_options = in_order(
    option(
        "--face",
        "requests",
        group="Faces",
        type=FACE_REQUEST,
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
"""The options that give single faces their own expressions, on top of what is asked of all."""


def face_requests(requests: Sequence[FaceRequest], programme: Path | None) -> tuple[FaceRequest, ...]:
    """The requests of --programme, whose file is read, and then those of --face."""
    if programme is not None:
        with unusable_input():
            requests = (*load_programme(programme), *requests)
    for index, request in enumerate(requests):
        if any(request.face == other.face for other in requests[:index]):
            raise click.BadParameter(f"face {request.face} is named twice", param_hint="--face")
    return tuple(requests)


def open_per_face_programme(
    requests: Sequence[FaceRequest],
    common: Programme,
    faces: FaceChoice | None,
    options: EditOptions,
) -> PerFaceProgramme:
    """The programme of the requests; the files that they name are read.

    common: the programme of all these faces. faces: other faces that get only the common programme. None:
    there are none.
    """
    # Reference pictures are read first, because a driver's film takes long.
    recognise = _open_recogniser(requests, options.tracker)
    parts = [FaceProgramme(_name(request.face), _open_programme(request, options)) for request in requests]
    also = None if faces is None else FaceChooser(FaceChoiceOptions(faces=faces))
    return PerFaceProgramme(parts, common, also=also, recognise=recognise)


def warn_of_absent(targets: Programme) -> list[str]:
    """Prints and returns a line for each face that a request names and that was not seen."""
    lines = targets.absent() if isinstance(targets, PerFaceProgramme) else []
    for line in lines:
        warn(line)
    return lines


def warn_of_left_out(left_out: int, tracker: TrackerOptions) -> list[str]:
    """Prints and returns a line if more faces were found than were followed.

    left_out: the largest number of faces of one frame that were not followed.
    """
    if not left_out:
        return []
    assert tracker.limit is not None
    found = tracker.limit + left_out
    line = f"{found} faces were found and {left_out} of them left out; give --max-faces {found} to take all"
    warn(line)
    return [line]


def note_hidden_mouths(count: int, what: str) -> list[str]:
    """Prints and returns a line if something hid a mouth. count: the number of faces or frames, as `what`
    says."""
    if not count:
        return []
    where = f"1 {what}" if count == 1 else f"{count} {what}s"
    line = (
        f"something hides the mouth in {where}: there the lower face is not changed; "
        "--occlusion off changes it nevertheless"
    )
    note(line)
    return [line]


def _open_recogniser(requests: Sequence[FaceRequest], options: TrackerOptions) -> Recogniser | None:
    """The recogniser of the people in the requests' pictures. None: there are no pictures."""
    from reenact.recognise.recogniser import Recogniser, load_reference

    pictures = [request.face for request in requests if isinstance(request.face, Path)]
    with unusable_input():
        return Recogniser([load_reference(path, options) for path in pictures]) if pictures else None


def _open_programme(request: FaceRequest, options: EditOptions) -> Programme:
    parts = driving_programmes(request.driving, options)
    if request.targets is not None:
        parts.append(request.targets)
    return scaled(chain(*parts), request.strength)


def _name(face: int | Path | None) -> int | str | None:
    return face.name if isinstance(face, Path) else face
