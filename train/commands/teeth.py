"""`python -m train teeth`: cuts rows of teeth out of portraits."""

from __future__ import annotations

from pathlib import Path

import click
import cv2

from reenact.cli.errors import unusable_input
from reenact.cli.grouped import GroupedCommand, option
from train.commands.fitting import output_argument
from train.data.tooth_bank import CHOICE, cut_bank, read_choice, save_bank, sheet


@click.command(cls=GroupedCommand, example="portraits/ teeth.npz --sheet teeth.png")
@click.argument(
    "folders", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, file_okay=False)
)
@output_argument("OUT.npz")
@option(
    "--choice",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    default=CHOICE,
    metavar="CSV",
    show_default="that of the shipped teeth",
    help="The pictures to take: a table with the columns set and file.",
)
@option(
    "--sheet",
    "sheet_path",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="OUT.png",
    help="Also write a picture of all rows of teeth.",
)
def teeth(folders: tuple[Path, ...], output: Path, choice: Path, sheet_path: Path | None) -> None:
    """Cut rows of teeth out of the chosen pictures in FOLDERS, for mouths that show none.

    reenact/generate/painters/mouth/teeth.npz was made by this command; it holds nothing else of the faces.
    """
    with unusable_input():
        arrays = cut_bank(folders, read_choice(choice))
    save_bank(arrays, output)
    if sheet_path is not None:
        cv2.imwrite(str(sheet_path), cv2.cvtColor(sheet(arrays), cv2.COLOR_RGB2BGR))
    click.echo(f"{output}: {len(arrays['upper'])} rows, {output.stat().st_size / 1000:.0f} kB")
