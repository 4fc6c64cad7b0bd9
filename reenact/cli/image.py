"""`reenact image`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from reenact.cli.editing import chosen_for_files, editing_options
from reenact.cli.errors import Unusable, note, unusable_input, warn
from reenact.cli.parameters import FILE, json_option, write_json
from reenact.edit import edit_image, edited_with
from reenact.stills import load_still, save_still


@click.command(
    epilog="""\b
    Examples:
      reenact image in.jpg out.png --preset surprise
      reenact image in.jpg out.jpg --target-aus AU12=+2,AU6=+1 --faces all

    OUT is a .png, .jpg or .webp. Transparency, EXIF and colour profile are kept where its kind has them."""
)
@click.argument("source", metavar="IN", type=FILE)
@click.argument("output", metavar="OUT", type=FILE)
@editing_options
@json_option
def image(
    source: Path,
    output: Path,
    json_path: Path | None,
    **choices: Any,
) -> None:
    """Change the expression of a face in the picture IN and write it as OUT."""
    targets, options = chosen_for_files(**choices)
    with unusable_input():
        still = load_still(source)
        if output.exists() and output.samefile(source):
            raise Unusable(f"{output} is the input itself; give the output another name")
    edited = edit_image(still, targets, options)
    with unusable_input():
        lost = save_still(edited.still, output, comment=edited_with(targets, options.retarget))
    notes = [*still.notes, *edited.notes, *lost]
    for line in notes:
        note(line)
    if not edited.faces:
        notes.append("no face was found: the picture is unchanged")
        warn(notes[-1])
    faces_found = "1 face" if edited.faces == 1 else f"{edited.faces} faces"
    click.echo(f"{output}: {faces_found}", err=True)
    write_json(
        {"input": str(source), "output": str(output), "faces": edited.faces, "notes": notes},
        json_path,
    )
