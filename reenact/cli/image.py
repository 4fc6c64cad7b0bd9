"""`reenact image`."""

from __future__ import annotations

from pathlib import Path

import click

from reenact.cli.editing import (
    chosen_targets,
    compare_option,
    generator_options,
    target_options,
    tracker_options,
)
from reenact.cli.errors import Unusable, note, unusable_input, warn
from reenact.cli.parameters import FILE, json_option, write_json
from reenact.edit import EditOptions, edit_image, edited_with
from reenact.retarget.options import FaceChoice, RetargetOptions
from reenact.retarget.targets import Targets
from reenact.stills import load_still, save_still
from reenact.track import TrackerOptions


@click.command(
    epilog="""\b
    Examples:
      reenact image in.jpg out.png --preset surprise
      reenact image in.jpg out.jpg --target-aus AU12=+2,AU6=+1 --faces all

    OUT is a .png, .jpg or .webp. Transparency, EXIF and colour profile are kept where its kind has them."""
)
@click.argument("source", metavar="IN", type=FILE)
@click.argument("output", metavar="OUT", type=FILE)
@target_options
@tracker_options
@generator_options
@compare_option
@json_option
def image(
    source: Path,
    output: Path,
    target_aus: Targets | None,
    preset: Targets | None,
    strength: float,
    faces: FaceChoice,
    max_faces: int,
    landmarker: Path | None,
    generator: str,
    model: Path | None,
    engine: str,
    compare: bool,
    json_path: Path | None,
) -> None:
    """Change the expression of a face in the picture IN and write it as OUT."""
    targets = chosen_targets(target_aus, preset)
    options = EditOptions(
        generator=generator,
        model=model,
        engine=engine,
        compare=compare,
        retarget=RetargetOptions(strength=strength, faces=faces),
        tracker=TrackerOptions(max_faces=max_faces, model_path=landmarker),
    )
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
