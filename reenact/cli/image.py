"""`reenact image`."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import click

from reenact.cli.editing import chosen, editing_options
from reenact.cli.errors import Unusable, note, unusable_input, warn
from reenact.cli.parameters import FILE, ParsedParameter, json_option, write_json
from reenact.edit import StillEdit, edited_with, open_still_edit
from reenact.figure import save_moving, sweep_rows, to_grid
from reenact.retarget import Programme
from reenact.retarget.sweeps import Sweep, SweepError, parse_sweep
from reenact.retarget.targets import Targets
from reenact.stills import Still, load_still, save_still

SWEEP = ParsedParameter("SPEC", parse_sweep, SweepError)


@click.command(
    epilog="""\b
    Examples:
      reenact image in.jpg out.png --preset surprise
      reenact image in.jpg out.jpg --target-aus AU12=+2,AU6=+1 --faces all
      reenact image in.jpg grid.png --sweep AU12=-1:3:5 --sweep AU04=0:3:4

    OUT is a .png, .jpg or .webp. Transparency, EXIF and colour profile are kept where its kind has them."""
)
@click.argument("source", metavar="IN", type=FILE)
@click.argument("output", metavar="OUT", type=FILE)
@editing_options
@click.option(
    "--sweep",
    "sweeps",
    type=SWEEP,
    multiple=True,
    help="Write a figure: one action unit in even steps, AU12=-1:3:5 from -1 to +3 in five, on top of what "
    "else is asked for; given twice, a grid. As .gif it moves.",
)
@json_option
def image(
    source: Path,
    output: Path,
    sweeps: tuple[Sweep, ...],
    json_path: Path | None,
    **choices: Any,
) -> None:
    """Change the expression of a face in the picture IN and write it as OUT."""
    _check_sweeps(sweeps, output)
    targets, options = chosen(**choices, needed=not sweeps)
    with unusable_input():
        still = load_still(source)
        if output.exists() and output.samefile(source):
            raise Unusable(f"{output} is the input itself; give the output another name")
    with open_still_edit(still, options) as edit:
        if sweeps:
            lost = _write_figure(edit, targets, sweeps, output)
        else:
            edited = edit(targets)
            with unusable_input():
                lost = save_still(edited, output, comment=edited_with(targets, options.retarget))
    faces = len(edit.measured.faces)
    notes = [*still.notes, *edit.generator.notes, *lost]
    for line in notes:
        note(line)
    if not faces:
        notes.append("no face was found: the picture is unchanged")
        warn(notes[-1])
    click.echo(f"{output}: {'1 face' if faces == 1 else f'{faces} faces'}", err=True)
    write_json({"input": str(source), "output": str(output), "faces": faces, "notes": notes}, json_path)


def _check_sweeps(sweeps: tuple[Sweep, ...], output: Path) -> None:
    """Before any work is done."""
    if len(sweeps) > 2:
        raise click.BadParameter("give one for a row, or two for a grid", param_hint="--sweep")
    if len(sweeps) == 2 and output.suffix.lower() == ".gif":
        raise Unusable(f"{output}: a GIF is written of one --sweep")


def _write_figure(
    edit: StillEdit, targets: Targets | Programme, sweeps: tuple[Sweep, ...], output: Path
) -> tuple[str, ...]:
    base = targets if isinstance(targets, Targets) else targets(Fraction(0), 0)
    largest = max(edit.measured.faces, key=lambda face: face.pose.scale, default=None)
    rows = sweep_rows(edit, base, sweeps, largest)
    with unusable_input():
        if output.suffix.lower() == ".gif":
            save_moving(rows[0], output)
            return ()
        comment = f"{edited_with(base, edit.options.retarget)}; a figure"
        return save_still(Still(to_grid(rows)), output, comment=comment)
