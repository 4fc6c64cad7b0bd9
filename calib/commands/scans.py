"""`python -m calib scans`: teaches motions that pictures hardly show, from scanned faces."""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np

from calib.basis import load_basis, read_basis, write_basis
from calib.dataset import DatasetError
from calib.json_file import read_json
from calib.scans import SCAN_MOTIONS, Scans, fit_to_scans, motions_on_landmarks
from calib.shape import load_shape
from reenact.cli.errors import plain_errors
from reenact.cli.grouped import GroupedCommand, option
from reenact.media.atomic import replacing
from reenact.media.write.au_csv import LANDMARKS_68

_FOLDER = click.Path(path_type=Path)
_FACE = 11248
"""Vertices of ICT-FaceKit before the first that is inside the mouth: skin and lips."""


@click.command(cls=GroupedCommand, example="ict/ --out fitted/")
@click.argument("folder", type=_FOLDER)
@option("--out", type=_FOLDER, required=True, metavar="DIR", help="The folder for basis.npz.")
@option(
    "--basis",
    "start",
    type=_FOLDER,
    metavar="NPZ",
    show_default="the one that ships",
    help="The basis to begin with.",
)
def scans(folder: Path, out: Path, start: Path | None) -> None:
    """Teach the basis the motions of ICT-FaceKit in FOLDER.

    FOLDER holds vertex_indices.json of the kit, and ict_shapes.npz: the neutral mesh `neutral` (n, 3), the
    `expressions` (k, n, 3) as displacements from it, and their `names` (k,).
    """
    with plain_errors():
        found = read_scans(folder)
        basis = load_basis() if start is None else read_basis(start)
        taught = fit_to_scans(basis, motions_on_landmarks(found, load_shape()), load_shape())
        out.mkdir(parents=True, exist_ok=True)
        with replacing(out / "basis.npz") as beside:
            write_basis(taught, beside)
        click.echo(f"{out / 'basis.npz'}: {', '.join(SCAN_MOTIONS)} fitted to {folder.name}")


def read_scans(folder: Path) -> Scans:
    """The mesh of ICT-FaceKit in a folder; raises DatasetError where a file or an expression is missing."""
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
    for lesson in SCAN_MOTIONS.values():
        if missing := sorted(set(lesson.scans) - stems):
            raise DatasetError(f"{shapes} has no expression {', '.join(missing)}")
    return Scans(neutral, expressions, list(zip(vertices, LANDMARKS_68, strict=True)))
