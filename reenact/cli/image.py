"""`reenact image`: changes the expression in a picture."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import click

from reenact.cli.editing import editing_options, may_change_several, programme_and_options
from reenact.cli.errors import Unusable, note, say, unusable_input, warn
from reenact.cli.faces import note_hidden_mouths, warn_of_absent, warn_of_left_out
from reenact.cli.grouped import GroupedCommand, option
from reenact.cli.inputs import INPUT, to_source
from reenact.cli.parameters import FILE, ParsedParameter, json_option, write_json
from reenact.cli.verifying import open_verification, verify_option
from reenact.figures.driver_folder import DriverPicture, read_driver_folder
from reenact.figures.face_grid import MOVING, Tile, driver_rows, save_moving, sweep_rows, to_grid
from reenact.media.image_file import Still, load_still, save_still
from reenact.programme import Programme
from reenact.programme.driver import DriverOptions
from reenact.programme.per_face import PerFaceProgramme
from reenact.programme.sweeps import Axis, SweepError, parse_sweep
from reenact.run.files import StillEdit, edited_with, open_still_edit

SWEEP = ParsedParameter("SPEC", parse_sweep, SweepError)


@click.command(
    cls=GroupedCommand,
    example="in.jpg out.png --preset surprise",
    first=(
        *(
            "preset",
            "target_aus",
            "strength",
            "driver",
            "faces",
            "requests",
            "profile",
            "sweeps",
            "driver_folder",
        ),
        "verify_page",
    ),
    epilog="""\b
    More examples:
      reenact image in.jpg out.jpg --target-aus AU12=+2,AU6=+1 --faces all
      reenact image in.jpg grid.png --sweep AU12=-1:3:5 --sweep AU04=0:3:4
      reenact image in.jpg row.png --preset smile --sweep strength=0:1.25:6
      reenact image in.jpg others.png --driver-folder faces/

    IN may be a pipe, an http address, or - for standard input. OUT is a .png, .jpg, .webp or .heic; one
    sweep may also be a .gif or .mp4. Transparency, EXIF and colour profile are kept where the file type has
    them.""",
)
@click.argument("source", metavar="IN", type=INPUT)
@click.argument("output", metavar="OUT", type=FILE)
@editing_options
@option(
    "--sweep",
    "sweeps",
    group="Figures",
    type=SWEEP,
    metavar="SPEC",
    multiple=True,
    help="Write a row of pictures: AU12=-1:3:5 is AU12 from -1 to +3 in five even steps.",
    detail="strength=0:1.25:6 varies the strength of what else is asked for. Two sweeps make a grid; one "
    "sweep written as .gif or .mp4 is animated.",
)
@option(
    "--driver-folder",
    group="Figures",
    type=FILE,
    metavar="FOLDER",
    help="Write a figure: the faces in the pictures of FOLDER, and IN with the expression of each.",
    detail="--transfer, --regions and --gain apply as they do to a --driver.",
)
@verify_option
@json_option
def image(
    source: Path | str,
    output: Path,
    sweeps: tuple[Axis, ...],
    driver_folder: Path | None,
    verify_page: Path | None,
    json_path: Path | None,
    **choices: Any,
) -> None:
    """Change the expression of faces in the picture IN and write it as OUT."""
    _check_figure(sweeps, driver_folder, output)
    if (sweeps or driver_folder) and verify_page is not None:
        raise Unusable("--verify goes with neither --sweep nor --driver-folder: they show a face many times")
    targets, options = programme_and_options(**choices, needed=not sweeps and driver_folder is None)
    verification = open_verification(verify_page, output, options, choices["timeline"])
    if (sweeps or driver_folder) and isinstance(targets, PerFaceProgramme):
        raise click.UsageError(
            "--sweep and --driver-folder go with neither --face nor --programme", click.get_current_context()
        )
    how = DriverOptions(choices["transfer"], choices["regions"], choices["gain"])
    with unusable_input():
        drivers = read_driver_folder(driver_folder, how, options.tracker, note) if driver_folder else []
    with unusable_input():
        picture = to_source(source)
        still = load_still(picture)
        if output.exists() and output.samefile(picture):
            raise Unusable(f"{output} is the input itself; give the output another name")
    with open_still_edit(still, options) as edit:
        if sweeps or drivers:
            lost = _write_figure(edit, targets, sweeps, drivers, output)
        else:
            edited = edit(targets, verification.recorder) if verification else edit(targets)
            with unusable_input():
                lost = save_still(edited, output, comment=edited_with(targets, options.retarget))
    faces = len(edit.measured.faces)
    notes = [*still.notes, *edit.generator.notes, *lost]
    for line in notes:
        note(line)
    if not faces:
        notes.append("no face was found: the picture is unchanged")
        warn(notes[-1])
    else:
        notes += warn_of_absent(targets)
        if may_change_several(options):
            notes += warn_of_left_out(edit.measured.left_out, replace(options.tracker, stills=True))
        notes += note_hidden_mouths(sum(edit.measured.mouth_hidden), "face")
    say(f"{output}: {'1 face' if faces == 1 else f'{faces} faces'}")
    document = {"input": str(picture), "output": str(output), "faces": faces, "notes": notes}
    document["faces_left_out"] = edit.measured.left_out
    if verification is not None:
        document["verify"] = verification.report(picture, output, targets)
    write_json(document, json_path)


def _check_figure(sweeps: tuple[Axis, ...], driver_folder: Path | None, output: Path) -> None:
    """Raises an error for a figure that cannot be made, before any work is done."""
    moving = output.suffix.lower() in MOVING
    if len(sweeps) > 2:
        raise click.BadParameter("give one for a row, or two for a grid", param_hint="--sweep")
    if sweeps and driver_folder is not None:
        raise click.UsageError("give either --sweep or --driver-folder", click.get_current_context())
    if moving and len(sweeps) != 1:
        raise Unusable(
            f"{output}: only one --sweep can be animated; write other figures as .png, .jpg or .webp"
        )


def _write_figure(
    edit: StillEdit,
    targets: Programme,
    sweeps: tuple[Axis, ...],
    drivers: list[DriverPicture],
    output: Path,
) -> tuple[str, ...]:
    """Writes the figure; returns remarks on what the file could not hold."""
    base = targets(Fraction(0), 0)
    index = edit.measured.largest
    largest = None if index is None else edit.measured.faces[index]
    rows: list[list[Tile]] = (
        driver_rows(edit, base, drivers, edit.still, largest)
        if drivers
        else sweep_rows(edit, base, sweeps, largest)
    )
    with unusable_input():
        if output.suffix.lower() in MOVING:
            save_moving(rows[0], output)
            return ()
        comment = f"{edited_with(base, edit.options.retarget)}; a figure"
        return save_still(Still(to_grid(rows)), output, comment=comment)
