"""Corrects the basis by measurement: write one unit of each action unit, read the result, scale its
motion."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from calib.au import OPENFACE_CODES, OPENFACE_COUNT, AUVector, neutral_aus
from calib.basis import AUBasis
from calib.basis_fit import bounded

Picture = TypeVar("Picture")

FULL_AT = 3.0
"""The intensity that OpenFace reads when a face does as much as it can; higher values are rare."""
LEAST_RESPONSE = 0.02
"""The reading per unit asked below which the reading is no measure of the gain."""


@dataclass(frozen=True, eq=False)
class Response:
    """The change of the readings when one action unit is asked for."""

    per_unit: NDArray[np.float32]
    """(17, 17): row, the AU asked for; column, the mean change of the AU measured; per unit asked."""
    pictures: int
    """The number of pictures."""
    asked: float
    """The intensity that was asked for."""

    def to_markdown(self) -> str:
        """Returns the table in Markdown; the responses of the action units asked for are bold."""
        names = [code.removeprefix("AU") for code in OPENFACE_CODES]
        lines = [f"| asked | {' | '.join(names)} |", "|" + "---|" * (OPENFACE_COUNT + 1)]
        for row, code in enumerate(OPENFACE_CODES):
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
    """Asks every picture for `asked` of each AU in turn and reads the results.

    write: changes a picture by relative AUs (AU_COUNT,). read: returns intensities (17,), or None without a
    face; such pictures are left out. Raises ValueError if no picture can be read.
    """
    tables = [table for picture in pictures if (table := _table(picture, write, read, asked)) is not None]
    if not tables:
        raise ValueError("no face could be read in any of the pictures; give pictures of whole faces")
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
    for index in range(OPENFACE_COUNT):
        change = neutral_aus()
        change[index] = asked
        after = read(write(picture, change))
        if after is None:
            return None
        rows.append(after - before)
    return np.array(rows, np.float32)


def correct(basis: AUBasis, response: Response) -> AUBasis:
    """Returns `basis` with each AU's motion scaled so that one unit asked reads as one, within limits.

    Readings also depend on creases and teeth, which no motion makes. A gain from readings alone would ask for
    motions that no face can make, so one unit is at most what reaches the AU's largest motion at FULL_AT.
    """
    reached = np.diag(response.per_unit)
    steepest = basis.furthest[:OPENFACE_COUNT] / FULL_AT
    wanted = np.where(reached > LEAST_RESPONSE, 1 / np.maximum(reached, LEAST_RESPONSE), steepest)
    gain = np.minimum(wanted, steepest).astype(np.float32)
    return bounded(basis.displacements[:OPENFACE_COUNT] * gain[:, None, None])
