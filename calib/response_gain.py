"""The response of readings to one unit written, and the factor by which held intensities are increased.

Faces answer some action units with less than one unit: without the factor, half of what is asked to hold a
smile would be missing, and half of the person's own expression would show.
"""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from calib.au import AU_INDEX, OPENFACE_CODES, AUVector, as_vector, openface
from calib.json_file import read_json

_PATH = Path(__file__).with_name("data") / "answer.json"
DRIVEN = (12, 25)
"""FACS numbers of the action units that are increased: those that respond by about half, with little effect
on others. The rest is read from creases, or changes its neighbours, such as the brows, where a better AU01
and AU02 cost AU04 (measured on three films). The jaw (AU26) responds by half as well, but opened too far at
twice as much."""
MOST_DRIVE = 2.0
"""The largest factor."""


def driven(change: NDArray[np.float32], hold: NDArray[np.float32]) -> NDArray[np.float32]:
    """Returns the change (..., AU_COUNT) to write so that `change` is read, as far as AUs are held.

    hold: (..., AU_COUNT), 0..1, as in Targets. Where it is 0 the change is written as it is asked.
    """
    share = np.clip(hold, 0, 1)
    return (change * (1 + share * (load_drive() - 1))).astype(np.float32)


@lru_cache(maxsize=1)
def load_drive() -> AUVector:
    """Loads the factors (AU_COUNT,) from what is asked to what is written. They ship in calib/data."""
    answer = read_json(_PATH, ValueError)
    return to_drive(as_vector(np.array([answer[code] for code in OPENFACE_CODES])))


def to_drive(answer: NDArray[np.floating]) -> AUVector:
    """Returns the factors (n,), in the order of AU_CODES, for `answer`, the reading for one unit written."""
    wanted = np.clip(1 / np.maximum(answer, 1e-3), 1, MOST_DRIVE).astype(np.float32)
    return np.where(
        np.isin(np.arange(len(answer)), [AU_INDEX[number] for number in DRIVEN]), wanted, np.float32(1)
    )


def to_json(answer: NDArray[np.floating]) -> str:
    """Returns the text of the file, for the answers of OpenFace's action units, the first of `answer`."""
    named = {
        code: round(float(value), 3) for code, value in zip(OPENFACE_CODES, openface(answer), strict=True)
    }
    return json.dumps(named, indent=1) + "\n"
