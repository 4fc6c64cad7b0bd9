"""How much of one unit asked is read afterwards, and what to ask for so that it is all of it.

A held intensity is missed by what faces answer too little: half of what is asked to hold a smile is not
there, and half of the person's own goes through.
"""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from calib.au import AU_CODES, AU_COUNT, AU_INDEX, AUVector
from calib.json_file import read_json

_PATH = Path(__file__).with_name("data") / "answer.json"
DRIVEN = (12, 25)
"""Those that answer by about half, and hardly at others' cost. The rest is read from creases or, like the
brows, where what mended AU01 and AU02 was lost on AU04 (measured on three films), moves its neighbours. Jaws
(AU26) answer by half as well, but driven by twice as much they gaped."""
MOST_DRIVE = 2.0


def driven(change: NDArray[np.float32], hold: NDArray[np.float32]) -> NDArray[np.float32]:
    """What to write so that `change` (..., 17) is read: more of it, as far as an action unit is held.

    hold: (..., 17) as in Targets. What is only added (hold 0) is written as it is asked.
    """
    share = np.clip(hold, 0, 1)
    return (change * (1 + share * (load_drive() - 1))).astype(np.float32)


@lru_cache(maxsize=1)
def load_drive() -> AUVector:
    """(17,) how many times what is asked has to be written. Ships beside the basis (calib/data)."""
    answer = read_json(_PATH, ValueError)
    return to_drive(np.array([answer[code] for code in AU_CODES]))


def to_drive(answer: NDArray[np.floating]) -> AUVector:
    """From the change read for one unit asked, (17,)."""
    wanted = np.clip(1 / np.maximum(answer, 1e-3), 1, MOST_DRIVE).astype(np.float32)
    return np.where(
        np.isin(np.arange(AU_COUNT), [AU_INDEX[number] for number in DRIVEN]), wanted, np.float32(1)
    )


def to_json(answer: NDArray[np.floating]) -> str:
    """The text of the file."""
    named = {code: round(float(value), 3) for code, value in zip(AU_CODES, answer, strict=True)}
    return json.dumps(named, indent=1) + "\n"
