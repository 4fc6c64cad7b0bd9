"""`python -m calib expressions`: teaches the basis whole expressions of people."""

from __future__ import annotations

from pathlib import Path

import click
import cv2
import numpy as np
from numpy.typing import NDArray

from calib.au import bilateral, neutral_aus
from calib.basis import AUBasis, load_basis, read_basis, write_basis
from calib.dataset import DatasetError, LabelledPicture, read_labels
from calib.expressions import AT_REST, PROTOTYPES, ExpressionFit, PosedShapes, fit_to_expressions, symmetric
from calib.shape import load_shape
from reenact.cli.errors import plain_errors, unusable_input
from reenact.cli.grouped import GroupedCommand, option
from reenact.generate import FaceGenerator, MovedFace
from reenact.generate.paste import paste
from reenact.media.atomic import replacing
from reenact.records import Frame, Retargeted, Tracked
from reenact.track import Tracker, TrackerOptions

_FOLDER = click.Path(path_type=Path)
_STEP = 0.8
"""The share of what is missing in one round that is asked for in the next."""


@click.command(
    cls=GroupedCommand,
    example="pictures/ --out fitted/",
    short_help="Teach the basis from pictures of posed expressions.",
)
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
@option(
    "--rounds",
    default=4,
    show_default=True,
    type=click.IntRange(0),
    metavar="COUNT",
    help="Number of rounds of the closed loop.",
)
@option("--judge", is_flag=True, help="Also teach without each person in turn, and judge on that person.")
def expressions(folder: Path, out: Path, start: Path | None, rounds: int, judge: bool) -> None:
    """Teach the basis from the pictures in FOLDER, whose names end in an expression (anna_sad.jpg).

    In a closed loop, expressions are written into the faces at rest; what the tracker then finds missing,
    compared with the same people's own expressions, is taught in addition.
    """
    with plain_errors():
        with unusable_input():
            pictures = [
                picture for picture in read_labels(folder) if _expression(picture) in (AT_REST, *PROTOTYPES)
            ]
        basis = load_basis() if start is None else read_basis(start)
        with Tracker(TrackerOptions(stills=True, smoothing=False, max_faces=1)) as track:
            people = _People(pictures, track)
            fitted = people.fit_to_expressions(basis, people.persons, rounds)
            out.mkdir(parents=True, exist_ok=True)
            with replacing(out / "basis.npz") as beside:
                write_basis(fitted.basis, beside)
            for name in fitted.amounts:
                click.echo(f"{name}: {fitted.spec(name)}")
            if judge:
                click.echo(people.judge(basis, rounds))


def _expression(picture: LabelledPicture) -> str:
    return picture.path.stem.rpartition("_")[2]


class _People:
    """Pictures of people with expressions, and what an edit makes of their faces at rest."""

    def __init__(self, pictures: list[LabelledPicture], track: Tracker) -> None:
        self._track = track
        seen = [(picture, self._see(picture.path)) for picture in pictures]
        seen = [(picture, tracked) for picture, tracked in seen if tracked.faces]
        if not any(_expression(picture) == AT_REST for picture, _ in seen):
            raise DatasetError(f"no picture shows a face at rest; its name must end in _{AT_REST}")
        self._faces = PosedShapes(
            np.array([_to_mm(tracked) for _, tracked in seen], np.float32),
            np.array([picture.person for picture, _ in seen]),
            np.array([_expression(picture) for picture, _ in seen]),
        )
        self._at_rest = {
            picture.person: tracked for picture, tracked in seen if _expression(picture) == AT_REST
        }

    @property
    def persons(self) -> list[str]:
        return list(self._at_rest)

    def ways(self, persons: list[str]) -> dict[str, NDArray[np.float64]]:
        """What these people do, as `fit_to_expressions` takes it."""
        return self._faces.where(np.isin(self._faces.persons, persons)).ways(load_shape())

    def fit_to_expressions(self, basis: AUBasis, persons: list[str], rounds: int) -> ExpressionFit:
        """Fits `basis` to these people."""
        ways = self.ways(persons)
        asked = dict(ways)
        fitted = fit_to_expressions(basis, asked, load_shape())
        for _ in range(rounds):
            made = self.made(fitted, persons)
            asked = {name: asked[name] + _STEP * (ways[name] - made[name]) for name in ways}
            fitted = fit_to_expressions(basis, asked, load_shape())
        return fitted

    def made(self, fitted: ExpressionFit, persons: list[str]) -> dict[str, NDArray[np.float64]]:
        """(478, 3) mm: the mean way from rest to each expression, once it is written and tracked again."""
        return {
            name: symmetric(
                np.mean([self._edited(fitted, name, self._at_rest[who]) for who in persons], axis=0),
                load_shape(),
            )
            for name in fitted.amounts
        }

    def judge(self, basis: AUBasis, rounds: int) -> str:
        """Returns, by expression, the share of the motion that is missing for a person left out of the
        fit."""
        lines = ["| expression | missing, share of the squared way |", "|---|---|"]
        left: dict[str, list[tuple[float, float]]] = {}
        for person in self.persons:
            others = [other for other in self.persons if other != person]
            made = self.made(self.fit_to_expressions(basis, others, rounds), [person])
            for name, way in self.ways([person]).items():
                missing = float(np.square(way - made[name]).sum())
                left.setdefault(name, []).append((missing, float(np.square(way).sum())))
        for name, pairs in left.items():
            missing, whole = np.sum(pairs, axis=0)
            lines.append(f"| {name} | {missing / whole:.2f} |")
        return "\n".join(lines)

    def _edited(self, fitted: ExpressionFit, name: str, at_rest: Tracked) -> NDArray[np.float64]:
        change = bilateral(fitted.change(name))
        generate = FaceGenerator(MovedFace(fitted.basis))
        face = Retargeted(at_rest.frame, at_rest.faces, aus=(neutral_aus(),), changes=(change,))
        edited = self._track(paste(generate(face)))
        # Where no face is found any more, nothing is known of what is missing.
        return _to_mm(edited) - _to_mm(at_rest) if edited.faces else fitted.displacement(name)

    def _see(self, path: Path) -> Tracked:
        image = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if image is None:
            raise DatasetError(f"{path} cannot be read as a picture")
        return self._track(Frame(np.ascontiguousarray(image[:, :, ::-1])))


def _to_mm(tracked: Tracked) -> NDArray[np.float32]:
    face = tracked.faces[0]
    return face.pose.to_canonical(face.landmarks)
