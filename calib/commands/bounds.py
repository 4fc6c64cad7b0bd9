"""`python -m calib bounds`: fits how far mouths and eyes open, mouths at rest, and the contour of lips."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import click
import cv2
import numpy as np

from calib.bounds import to_json
from calib.bounds_fit import BoundsOptions, fit_bounds
from calib.commands.fitting import cache_option
from calib.dataset import Miss, Sight, join, read_labels, see_faces
from calib.lip_contour_fit import fit_contour
from calib.pose import fit_pose
from calib.shape import load_shape
from reenact.cli.errors import plain_errors, unusable_input
from reenact.cli.grouped import GroupedCommand
from reenact.cli.parameters import FILE, out_option
from reenact.media.atomic import replacing
from reenact.records import Frame
from reenact.track import Tracker, TrackerOptions

_AHEAD_RAD = (0.35, 0.3)
"""The pitch and yaw up to which faces are measured; beyond, landmarks of the mouth are guesses."""


@click.command(
    cls=GroupedCommand,
    example="faces/ --out fitted/",
    short_help="Fit the bounds of mouths and eyes, and the contour of lips.",
)
@click.argument("folders", nargs=-1, required=True, type=FILE, metavar="FOLDER...")
@out_option("bounds.json and contour.npz")
@cache_option
def bounds(folders: tuple[Path, ...], out: Path, cache: Path | None) -> None:
    """Fit the bounds of mouths and eyes, and the contour of lips, to the faces in each FOLDER.

    A FOLDER is what `python -m calib fit` takes. Mouths at rest are learned from people with
    several pictures.
    """
    with plain_errors():
        with unusable_input():
            labels = [read_labels(folder) for folder in folders]
        seen = [
            see_faces(pictures, _look, "landmarks", cache or out / "cache") for pictures in labels if pictures
        ]
        faces = join([each.faces for each in seen])
        poses = [fit_pose(points, load_shape()) for points in faces.landmarks]
        ahead = np.array([(np.abs(pose.angles[:2]) < _AHEAD_RAD).all() for pose in poses])
        landmarks_mm = np.array(
            [pose.to_canonical(points) for pose, points in zip(poses, faces.landmarks, strict=True)],
            np.float32,
        )
        persons = np.char.add(np.char.add(faces.collections, "/"), faces.persons)
        found, report = fit_bounds(landmarks_mm[ahead], faces.aus[ahead], persons[ahead], BoundsOptions())
        contour, contour_report = fit_contour(landmarks_mm[ahead], persons[ahead])
        out.mkdir(parents=True, exist_ok=True)
        with replacing(out / "bounds.json") as beside:
            beside.write_text(to_json(found))
        with replacing(out / "contour.npz") as beside, beside.open("wb") as file:
            np.savez(file, weights=contour)
        click.echo(report)
        click.echo(contour_report)


def _look(paths: Sequence[Path]) -> Iterator[Sight | Miss]:
    """The landmarks of the largest face of every picture, with an empty view."""
    with Tracker(TrackerOptions(stills=True, smoothing=False)) as track:
        for path in paths:
            image = cv2.imread(str(path), cv2.IMREAD_COLOR)
            if image is None:
                yield Miss.UNREADABLE
                continue
            tracked = track(Frame(np.ascontiguousarray(image[:, :, ::-1])))
            if tracked.largest is None:
                yield Miss.NO_FACE
            else:
                yield Sight(tracked.faces[tracked.largest].landmarks, np.zeros((1, 1, 3), np.uint8))
