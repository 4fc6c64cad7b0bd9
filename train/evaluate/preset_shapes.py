"""Compares the mouth's shape under presets with that of the same people's posed expressions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calib.au import HIGHEST, LOWEST, AUVector, both
from calib.bounds import MouthMeasures, measure_mouth
from calib.shape import INTERPUPILLARY_MM
from reenact.programme.target_syntax import parse_targets
from reenact.records import Face
from train.data.shards import Shards
from train.evaluate.methods import Method
from train.evaluate.picture_reader import PictureReader
from train.evaluate.result_table import Cell, ResultTable
from train.evaluate.statistics import mean
from train.evaluate.subjects import Subject, read_subjects

AT_REST = "neutral"
PRESET_OF: Mapping[str, str] = {
    "happy": "smile-open",
    "surprised": "surprise",
    "sad": "sad",
    "angry": "anger",
    "disgusted": "disgust",
}
"""The preset by the name of the expression with which a picture's name ends."""
MEASURES = ("width", "corners", "opening")
"""The compared fields of calib.bounds.MouthMeasures."""
NEAR_SHARE, NEAR_PERCENT = 0.25, 1.0
"""An edit counts as near if its error is at most this share of the real change, or this many percent."""

Shape = NDArray[np.float64]
"""(3,) MEASURES in percent of the distance between the pupils."""


@dataclass(frozen=True, eq=False)
class PosedExpression:
    """One person at rest and with one expression."""

    at_rest: Subject
    """The picture at rest."""
    expression: str
    """A key of PRESET_OF."""
    real: Shape
    """The real change from rest to the expression."""


@dataclass(frozen=True)
class EditedExpression:
    """The change of one posed expression's mouth by a method."""

    expression: str
    """The expression's name."""
    edited: tuple[float, ...] | None
    """The change of MEASURES. None: no face was found in the result."""


def choose_posed(shards: Shards, reader: PictureReader) -> list[PosedExpression]:
    """Returns the posed expressions in `shards`: pictures of one collection and person whose names end in the
    expression, such as anna_happy.jpg."""
    of_person: dict[tuple[str, str], dict[str, int]] = defaultdict(dict)
    for row, name in enumerate(shards.names.tolist()):
        shown = name.rpartition(".")[0].rpartition("_")[2] if "." in name else name.rpartition("_")[2]
        if shown == AT_REST or shown in PRESET_OF:
            of_person[str(shards.collections[row]), str(shards.persons[row])].setdefault(shown, row)
    posed: list[PosedExpression] = []
    for rows in of_person.values():
        if AT_REST not in rows:
            continue
        for at_rest in read_subjects(shards, [rows[AT_REST]], reader):
            for expression in PRESET_OF:
                if expression in rows:
                    posed += _posed(at_rest, expression, read_subjects(shards, [rows[expression]], reader))
    return posed


def _posed(at_rest: Subject, expression: str, shown: Sequence[Subject]) -> list[PosedExpression]:
    return [PosedExpression(at_rest, expression, shape(each.face) - shape(at_rest.face)) for each in shown]


def shape(face: Face) -> Shape:
    """Returns the MEASURES (3,) of a face's mouth."""
    mouth: MouthMeasures = measure_mouth(face.pose.to_canonical(face.landmarks))
    return 100 / INTERPUPILLARY_MM * np.array([getattr(mouth, measure) for measure in MEASURES])


def measure_presets(
    method: Method, posed: Sequence[PosedExpression], reader: PictureReader
) -> tuple[EditedExpression, ...]:
    """Applies the presets to the faces at rest and measures the change of the mouth."""
    edits = []
    for each in posed:
        subject = each.at_rest
        change = _change(PRESET_OF[each.expression], subject.measured)
        after = reader(method(subject.frame, subject.face, change, subject.measured), subject.face.landmarks)
        edited = None if after is None else tuple((shape(after.face) - shape(subject.face)).tolist())
        edits.append(EditedExpression(each.expression, edited))
    return tuple(edits)


def _change(preset: str, measured: AUVector) -> AUVector:
    """Returns the change (17,) by the preset for a face that shows `measured`, within 0..5."""
    asked = both(parse_targets(preset).change(measured))
    return (np.clip(measured + asked, LOWEST, HIGHEST) - measured).astype(np.float32)


def presets_table(
    results: Mapping[str, Sequence[EditedExpression]], posed: Sequence[PosedExpression]
) -> ResultTable:
    """Returns a table with a row for every expression and measure: the real change and each method's."""
    rows = []
    for expression, preset in PRESET_OF.items():
        chosen = [number for number, each in enumerate(posed) if each.expression == expression]
        for axis, measure in enumerate(MEASURES if chosen else ()):
            real = mean([float(posed[number].real[axis]) for number in chosen])
            row: list[Cell] = [f"{expression}: {preset}", measure, len(chosen), real]
            for edits in results.values():
                shown = [edits[number].edited for number in chosen]
                got = mean([edited[axis] for edited in shown if edited is not None])
                near = abs(got - real) <= max(NEAR_SHARE * abs(real), NEAR_PERCENT)
                row += [got, "yes" if near else "no"]
            rows.append(tuple(row))
    columns = ["expression: preset", "mouth", "people", "real"]
    columns += [column for method in results for column in (method, f"{method} near")]
    people = len({(each.at_rest.collection, each.at_rest.person) for each in posed})
    note = (
        f"{people} people who pose expressions, held out or not. Change of the mouth from the "
        "picture at rest, in percent of the distance between the pupils: width, height of the corners, "
        "opening; in the picture with the pose, and by the preset on the picture at rest. Near: within "
        f"{NEAR_SHARE:.0%} of the real change, or {NEAR_PERCENT:g}. The basis was fitted and the "
        "presets were chosen on openpeople, so for these people the table shows the fit, for others how it "
        "generalises."
    )
    return ResultTable("presets", "Presets against real expressions", note, tuple(columns), tuple(rows), 1)
