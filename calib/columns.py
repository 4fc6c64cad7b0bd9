"""Where the action units stand in a table by OpenFace, by py-feat or by `reenact aus`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from calib.au import AU_CODES, MAX_INTENSITY


@dataclass(frozen=True)
class AUColumns:
    names: Mapping[int, str]
    """Names of columns by position of the action unit; what a table does not measure is left out."""
    scale: float
    """From the table's intensities to ours, 0..5."""


def au_columns(header: Collection[str]) -> AUColumns | None:
    """OpenFace's AU01_r ... AU45_r, which run from 0 to 5, or else py-feat's AU01 ... from 0 to 1, whose AU43
    (eyes closed) stands for AU45; None where a header has neither."""
    openface = {index: f"{code}_r" for index, code in enumerate(AU_CODES) if f"{code}_r" in header}
    if openface:
        return AUColumns(openface, 1.0)
    py_feat = {index: code for index, code in enumerate(AU_CODES) if code in header}
    if "AU43" in header:
        py_feat.setdefault(AU_CODES.index("AU45"), "AU43")
    return AUColumns(py_feat, MAX_INTENSITY) if py_feat else None
