"""`python -m calib scans`: motions that pictures hardly show, from expressions of scanned faces."""

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
from reenact.media.atomic import replacing
from reenact.media.write.au_csv import LANDMARKS_68

_FOLDER = click.Path(path_type=Path)
_FACE = 11248
"""Vertices of ICT-FaceKit before the first that is inside the mouth: skin and lips."""


@click.command()
@click.argument("folder", type=_FOLDER)
@click.option("--out", type=_FOLDER, required=True, metavar="DIR", help="Where basis.npz goes.")
@click.option(
    "--basis", "start", type=_FOLDER, metavar="NPZ", help="What to begin with.  [default: what ships]"
)
def scans(folder: Path, out: Path, start: Path | None) -> None:
    """Teach the basis the motions of ICT-FaceKit in FOLDER.

    FOLDER holds vertex_indices.json of the kit and ict_shapes.npz: `neutral` (n, 3), `expressions` (k, n, 3)
    and their `names` (k,), the kit's neutral mesh and its expressions minus that.
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
