"""The closed loop: ask for one unit of each action unit, measure what came out, correct the basis."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from calib.au import AU_CODES, AU_COUNT, AUVector, neutral_aus
from calib.basis import AUBasis
from calib.basis_fit import bounded

Picture = TypeVar("Picture")

FULL_AT = 3.0
"""OpenFace reads about 3 when a face does all it can; higher values are rare."""
LEAST_RESPONSE = 0.02
"""Below this a reading says nothing about the gain."""


@dataclass(frozen=True, eq=False)
class Response:
    """What readings did when one action unit was asked for."""

    per_unit: NDArray[np.float32]
    """(17, 17): row, the AU asked for; column, the mean change of the AU measured; per unit asked."""
    pictures: int
    asked: float

    def to_markdown(self) -> str:
        """The table, in bold what was asked for."""
        names = [code.removeprefix("AU") for code in AU_CODES]
        lines = [f"| asked | {' | '.join(names)} |", "|" + "---|" * (AU_COUNT + 1)]
        for row, code in enumerate(AU_CODES):
            cells = [f"{value:.2f}" for value in self.per_unit[row]]
            cells[row] = f"**{cells[row]}**"
            lines.append(f"| {code} | {' | '.join(cells)} |")
        return "\n".join(lines) + "\n"


def measure_response(
    pictures: Iterable[Picture],
    write: Callable[[Picture, AUVector], Picture],
    read: Callable[[Picture], AUVector | None],
    asked: float = 1.0,
) -> Response:
    """Asks every picture for `asked` of each AU in turn and reads what came out, where it can be read."""
    tables = [table for picture in pictures if (table := _table(picture, write, read, asked)) is not None]
    if not tables:
        raise ValueError("no face could be read in any of the pictures")
    return Response(np.mean(tables, axis=0, dtype=np.float32) / np.float32(asked), len(tables), asked)


def _table(
    picture: Picture,
    write: Callable[[Picture, AUVector], Picture],
    read: Callable[[Picture], AUVector | None],
    asked: float,
) -> NDArray[np.float32] | None:
    before = read(picture)
    if before is None:
        return None
    rows = []
    for index in range(AU_COUNT):
        change = neutral_aus()
        change[index] = asked
        after = read(write(picture, change))
        if after is None:
            return None
        rows.append(after - before)
    return np.array(rows, np.float32)


def correct(basis: AUBasis, response: Response) -> AUBasis:
    """`basis` with each AU's motion scaled so that one unit asked reads as one, as far as faces move at all.

    A reading follows creases and teeth too, which no motion makes. Taken alone it would ask for motions that
    no face can do, so that one unit is at most what would reach the AU's largest motion at FULL_AT.
    """
    reached = np.diag(response.per_unit)
    steepest = basis.furthest / FULL_AT
    wanted = np.where(reached > LEAST_RESPONSE, 1 / np.maximum(reached, LEAST_RESPONSE), steepest)
    gain = np.minimum(wanted, steepest).astype(np.float32)
    return bounded(basis.displacements * gain[:, None, None])
