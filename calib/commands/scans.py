"""`python -m calib scans`: fits motions that pictures hardly show to scanned faces."""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np

from calib.au import ACTION_UNITS, AU_CODES, OPENFACE_COUNT
from calib.basis import write_basis
from calib.commands.fitting import basis_option, basis_to_fit
from calib.dataset import DatasetError
from calib.json_file import read_json
from calib.other_units import OTHER_MOTIONS, fit_others
from calib.scans import SCAN_MOTIONS, Scans, fit_to_scans, motions_on_landmarks, sided_motions
from calib.shape import load_shape
from reenact.cli.errors import plain_errors
from reenact.cli.grouped import GroupedCommand, option
from reenact.cli.parameters import FILE, out_option
from reenact.media.atomic import replacing
from reenact.media.write.au_csv import LANDMARKS_68

_FACE = 11248
"""The number of vertices of skin and lips, which come before those inside the mouth."""


@click.command(cls=GroupedCommand, example="ict/ --out fitted/")
@click.argument("folder", type=FILE)
@out_option("basis.npz")
@basis_option
@option(
    "--others-only",
    is_flag=True,
    help="Leave OpenFace's action units as they are, and fit only the others.",
)
def scans(folder: Path, out: Path, start: Path | None, others_only: bool) -> None:
    """Fit the basis to the scanned expressions of ICT-FaceKit in FOLDER.

    FOLDER holds vertex_indices.json of the kit, and ict_shapes.npz: the neutral mesh `neutral` (n, 3), the
    `expressions` (k, n, 3) as displacements from it, and their `names` (k,).
    """
    with plain_errors():
        found = read_scans(folder)
        basis, shape = basis_to_fit(start), load_shape()
        motions = motions_on_landmarks(found, shape)
        fitted = basis if others_only else fit_to_scans(basis, motions, shape)
        fitted = fit_others(fitted, motions, sided_motions(found, shape), shape)
        out.mkdir(parents=True, exist_ok=True)
        with replacing(out / "basis.npz") as beside:
            write_basis(fitted, beside)
        units = [*([] if others_only else SCAN_MOTIONS), *AU_CODES[OPENFACE_COUNT : len(ACTION_UNITS)]]
        click.echo(f"{out / 'basis.npz'}: {', '.join(units)} fitted to {folder.name}")


def read_scans(folder: Path) -> Scans:
    """The expressions of ICT-FaceKit in a folder. Raises DatasetError if any is missing."""
    indices, shapes = folder / "vertex_indices.json", folder / "ict_shapes.npz"
    for path in (indices, shapes):
        if not path.is_file():
            raise DatasetError(f"no {path.name} in {folder}; give the folder of ICT-FaceKit")
    vertices = read_json(indices, DatasetError)["idx_to_landmark_verts"]
    with np.load(shapes, allow_pickle=False) as data:
        names = [str(name) for name in data["names"]]
        expressions = dict(zip(names, data["expressions"][:, :_FACE].astype(np.float64), strict=True))
        neutral = data["neutral"][:_FACE].astype(np.float64)
    stems = {name.removesuffix("_L").removesuffix("_R") for name in names}
    composed = [each.scans for each in SCAN_MOTIONS.values()]
    composed += [each.scans for each in OTHER_MOTIONS.values()]
    for scans in composed:
        if missing := sorted(set(scans) - stems):
            raise DatasetError(f"{shapes} has no expression {', '.join(missing)}")
    return Scans(neutral, expressions, list(zip(vertices, LANDMARKS_68, strict=True)))
