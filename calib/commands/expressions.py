"""`python -m calib expressions`: fits the basis to posed expressions of people."""

from __future__ import annotations

from pathlib import Path

import click
import cv2
import numpy as np
from numpy.typing import NDArray

from calib.au import bilateral, neutral_aus
from calib.basis import AUBasis, write_basis
from calib.commands.fitting import basis_option, basis_to_fit
from calib.dataset import DatasetError, LabelledPicture, read_labels
from calib.expressions import AT_REST, PROTOTYPES, ExpressionFit, PosedShapes, fit_to_expressions, symmetric
from calib.shape import load_shape
from reenact.cli.errors import plain_errors, unusable_input
from reenact.cli.grouped import GroupedCommand, option
from reenact.cli.parameters import FILE, out_option
from reenact.generate import FaceGenerator, MovedFace
from reenact.generate.paste import paste
from reenact.media.atomic import replacing
from reenact.records import Frame, Retargeted, Tracked
from reenact.track import Tracker, TrackerOptions

_STEP = 0.8
"""The share of the motion missing after one round that is added to the request of the next."""


@click.command(
    cls=GroupedCommand,
    example="pictures/ --out fitted/",
    short_help="Fit the basis to pictures of posed expressions.",
)
@click.argument("folder", type=FILE)
@out_option("basis.npz")
@basis_option
@option(
    "--rounds",
    default=4,
    show_default=True,
    type=click.IntRange(0),
    metavar="COUNT",
    help="Number of rounds of the closed loop.",
)
@option(
    "--leave-one-out",
    is_flag=True,
    help="Also fit without each person in turn, and print the error on that person.",
)
def expressions(folder: Path, out: Path, start: Path | None, rounds: int, leave_one_out: bool) -> None:
    """Fit the basis to the pictures in FOLDER, whose names end in an expression (anna_sad.jpg).

    In a closed loop, expressions are written into the faces at rest and tracked again. What is missing then,
    compared with the same people's own expressions, is added to what the next round is fitted to.
    """
    with plain_errors():
        with unusable_input():
            pictures = [
                picture for picture in read_labels(folder) if _expression(picture) in (AT_REST, *PROTOTYPES)
            ]
        basis = basis_to_fit(start)
        with Tracker(TrackerOptions(stills=True, smoothing=False, max_faces=1)) as track:
            people = _People(pictures, track)
            fitted = people.fit_to_expressions(basis, people.persons, rounds)
            out.mkdir(parents=True, exist_ok=True)
            with replacing(out / "basis.npz") as beside:
                write_basis(fitted.basis, beside)
            for name in fitted.amounts:
                click.echo(f"{name}: {fitted.spec(name)}")
            if leave_one_out:
                click.echo(people.missing_when_left_out(basis, rounds))


def _expression(picture: LabelledPicture) -> str:
    return picture.path.stem.rpartition("_")[2]


class _People:
    """Pictures of people with posed expressions, whose faces at rest are edited to measure a fit."""

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
        """The names of the people of whom there is a face at rest."""
        return list(self._at_rest)

    def motions(self, persons: list[str]) -> dict[str, NDArray[np.float64]]:
        """The mean motions (478, 3) of these people, mm, from rest to each expression."""
        return self._faces.where(np.isin(self._faces.persons, persons)).motions(load_shape())

    def fit_to_expressions(self, basis: AUBasis, persons: list[str], rounds: int) -> ExpressionFit:
        """The basis fitted to these people in so many rounds of the closed loop."""
        motions = self.motions(persons)
        asked = dict(motions)
        fitted = fit_to_expressions(basis, asked, load_shape())
        for _ in range(rounds):
            made = self.made(fitted, persons)
            asked = {name: asked[name] + _STEP * (motions[name] - made[name]) for name in motions}
            fitted = fit_to_expressions(basis, asked, load_shape())
        return fitted

    def made(self, fitted: ExpressionFit, persons: list[str]) -> dict[str, NDArray[np.float64]]:
        """(478, 3) mm: the mean motion from rest to each expression, once it is written and tracked again."""
        return {
            name: symmetric(
                np.mean([self._edited(fitted, name, self._at_rest[who]) for who in persons], axis=0),
                load_shape(),
            )
            for name in fitted.amounts
        }

    def missing_when_left_out(self, basis: AUBasis, rounds: int) -> str:
        """A table of the share of each expression's motion that is missing for people left out of the fit."""
        lines = ["| expression | missing, share of the squared motion |", "|---|---|"]
        left: dict[str, list[tuple[float, float]]] = {}
        for person in self.persons:
            others = [other for other in self.persons if other != person]
            made = self.made(self.fit_to_expressions(basis, others, rounds), [person])
            for name, motion in self.motions([person]).items():
                missing = float(np.square(motion - made[name]).sum())
                left.setdefault(name, []).append((missing, float(np.square(motion).sum())))
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
