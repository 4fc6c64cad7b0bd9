"""`python -m calib limits`: fits what faces can show, and how fast, to labelled faces and films."""

from __future__ import annotations

import json
from pathlib import Path

import click
import numpy as np

from calib.dataset import DatasetError, read_labels
from calib.film_labels import timed_labels
from calib.limits import to_json
from calib.limits_fit import LimitsFitOptions, fastest, fit_limits, to_markdown
from calib.picture_labels import tables_in
from reenact.cli.errors import plain_errors, unusable_input
from reenact.cli.grouped import GroupedCommand, option
from reenact.cli.parameters import FILE, out_option
from reenact.media.atomic import replacing


@click.command(cls=GroupedCommand, example="faces/ --clips clips/ --out fitted/")
@click.argument("folders", nargs=-1, required=True, type=FILE, metavar="FOLDER...")
@option(
    "--clips",
    "clips_folder",
    type=FILE,
    required=True,
    metavar="DIR",
    help="The tables of films, DIR/labels/*.csv, from which the speed of faces is taken.",
)
@out_option("limits.json and limits.md")
@option(
    "--seed",
    metavar="NUMBER",
    default=LimitsFitOptions.seed,
    show_default=True,
    help="Seed of the division of the labels.",
)
def limits(folders: tuple[Path, ...], clips_folder: Path, out: Path, seed: int) -> None:
    """Fit the limits of faces to the labels in each FOLDER.

    A FOLDER is what `python -m calib fit` takes. The limits are the largest intensity of each action unit,
    how antagonists limit each other, and the fastest changes in films.
    """
    with plain_errors():
        with unusable_input():
            aus = np.array([picture.aus for folder in folders for picture in read_labels(folder)])
            rates = fastest(
                [timed_labels(table, DatasetError, plain=True) for table in _tables(clips_folder)]
            )
        found, antagonists = fit_limits(aus, rates, LimitsFitOptions(seed=seed))
        out.mkdir(parents=True, exist_ok=True)
        report = f"{len(aus)} faces\n\n{to_markdown(found, antagonists)}"
        with replacing(out / "limits.json") as beside:
            beside.write_text(json.dumps(to_json(found), indent=1) + "\n")
        with replacing(out / "limits.md") as beside:
            beside.write_text(report)
        click.echo(report)


def _tables(folder: Path) -> list[Path]:
    tables = tables_in(folder / "labels")
    if not tables:
        raise DatasetError(f"{folder} has no table labels/*.csv")
    return tables
