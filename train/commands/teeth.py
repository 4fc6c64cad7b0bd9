"""`python -m train teeth`."""

from __future__ import annotations

from pathlib import Path

import click
import cv2

from reenact.cli.errors import unusable_input
from train.commands.fitting import output_argument
from train.data.tooth_bank import CHOICE, cut_bank, read_choice, save_bank, sheet


@click.command()
@click.argument(
    "folders", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, file_okay=False)
)
@output_argument("OUT.npz")
@click.option(
    "--choice",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    default=CHOICE,
    help="A CSV with the columns set and file.  [default: that of the shipped bank]",
)
@click.option(
    "--sheet",
    "sheet_path",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="OUT.png",
    help="Also a picture of all rows, to be looked at.",
)
def teeth(folders: tuple[Path, ...], output: Path, choice: Path, sheet_path: Path | None) -> None:
    """Cut rows of teeth out of the chosen pictures in FOLDERS, for mouths that show none.

    reenact/generate/painters/mouth/teeth.npz was made by it; nothing of the faces is in it.
    """
    with unusable_input():
        arrays = cut_bank(folders, read_choice(choice))
    save_bank(arrays, output)
    if sheet_path is not None:
        cv2.imwrite(str(sheet_path), cv2.cvtColor(sheet(arrays), cv2.COLOR_RGB2BGR))
    click.echo(f"{output}: {len(arrays['upper'])} rows, {output.stat().st_size / 1000:.0f} kB")
