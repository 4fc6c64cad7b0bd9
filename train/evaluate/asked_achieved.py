"""Asked against achieved action units: how far a face does what is asked, and how far other units change."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calib.au import MAX_INTENSITY, OPENFACE_CODES, OPENFACE_COUNT, AUVector, neutral_aus
from calib.metrics import Agreement
from train.evaluate.independent_estimator import IndependentEstimator
from train.evaluate.methods import Method
from train.evaluate.picture_reader import PictureReader
from train.evaluate.result_table import Cell, ResultTable
from train.evaluate.statistics import mean, slope, spearman
from train.evaluate.subjects import Subject

AMOUNTS = (-2.0, -1.0, 1.0, 2.0, 3.0)
LEAST_ASKED = 0.5
"""The smallest change that is asked for; faces with less room for an amount are not asked for it."""
EMPHASIS = ("AU25", "AU26", "AU10", "AU12", "AU45")
"""The action units that painters and networks serve: teeth, lips and lids."""


@dataclass(frozen=True, eq=False)
class Trial:
    """One action unit asked of one face."""

    subject: int
    """The number of the face."""
    index: int
    """The position of the action unit."""
    asked: float
    """The change asked for: the amount, as far as it stays within 0..5."""
    estimated_change: AUVector
    """(17,) the change of our estimator's evidence."""
    independent_change: AUVector
    """(17,) the change of the independent estimator's reading."""


@dataclass(frozen=True, eq=False)
class AskedAchieved:
    """A method's results when single action units are asked for."""

    trials: tuple[Trial, ...]
    """All trials in which the face was found in the result."""
    lost: int
    """The number of results in which no face was found."""

    def answer(self, code: str, read: Callable[[Trial], AUVector]) -> AUResponse:
        """Returns the response to one action unit by code, as `read` reads the changes."""
        index = OPENFACE_CODES.index(code)
        trials = [trial for trial in self.trials if trial.index == index]
        asked = np.array([trial.asked for trial in trials])
        achieved = np.array([read(trial) for trial in trials]).reshape(-1, OPENFACE_COUNT)
        per_unit = [slope(asked, achieved[:, other]) for other in range(OPENFACE_COUNT)]
        faces = np.array([trial.subject for trial in trials])
        return AUResponse(
            np.array(per_unit),
            index,
            spearman(asked, achieved[:, index]),
            mean([_within(asked[faces == face], achieved[faces == face, index]) for face in set(faces)]),
            len(trials),
        )


@dataclass(frozen=True, eq=False)
class AUResponse:
    """The response of a face's action units when one of them is asked for."""

    per_unit: NDArray[np.float64]
    """(17,) the change of every action unit per unit asked, by least squares through 0."""
    index: int
    """The position of the action unit asked for."""
    spearman: float
    """The rank correlation of asked and achieved change, over all faces and amounts."""
    monotone: float
    """The mean over faces of the rank correlation within a face, to which a change of 0 is added."""
    count: int
    """The number of trials."""

    @property
    def slope(self) -> float:
        """The change of the action unit itself per unit asked."""
        return float(self.per_unit[self.index])

    @property
    def leakage(self) -> float:
        """The mean absolute change of the 16 other action units per unit asked."""
        return mean(np.abs(np.delete(self.per_unit, self.index)))


def _within(asked: NDArray[np.floating], achieved: NDArray[np.floating]) -> float:
    """Returns the rank correlation over the changes asked of one face, and no change."""
    return spearman(np.append(asked, 0.0), np.append(achieved, 0.0))


def estimated_change(trial: Trial) -> AUVector:
    """Returns the change by our estimator, (17,)."""
    return trial.estimated_change


def independent_change(trial: Trial) -> AUVector:
    """Returns the change by the independent estimator, (17,)."""
    return trial.independent_change


READERS = {"estimator": estimated_change, "independent": independent_change}


def measure_asked_achieved(
    method: Method, subjects: Sequence[Subject], reader: PictureReader, independent: IndependentEstimator
) -> AskedAchieved:
    """Asks every face for every amount of every action unit, one at a time."""
    trials, lost = [], 0
    for number, subject in enumerate(subjects):
        independent_before = independent(subject.frame.image, subject.face)
        for index, change in _asks(subject.measured):
            image = method(subject.frame, subject.face, change, subject.measured)
            if image is subject.frame.image:
                nothing = np.zeros(OPENFACE_COUNT, np.float32)
                trials.append(Trial(number, index, float(change[index]), nothing, nothing))
                continue
            after = reader(image, subject.face.landmarks)
            if after is None:
                lost += 1
                continue
            independent_after = independent(image, subject.face)
            trials.append(
                Trial(
                    number,
                    index,
                    float(change[index]),
                    after.evidence - subject.before.evidence,
                    independent_after - independent_before,
                )
            )
    return AskedAchieved(tuple(trials), lost)


def _asks(measured: AUVector) -> Iterator[tuple[int, AUVector]]:
    """Yields every amount of every action unit within a face's room: measured + change stays in 0..5."""
    for index in range(OPENFACE_COUNT):
        for amount in AMOUNTS:
            change = neutral_aus()
            change[index] = np.clip(measured[index] + amount, 0, MAX_INTENSITY) - measured[index]
            if abs(change[index]) >= LEAST_ASKED:
                yield index, change


def asked_achieved_tables(
    results: dict[str, AskedAchieved], faces: int, known: Agreement
) -> list[ResultTable]:
    """Returns the summary, the slopes and rank correlations by each reader, and every method's leakage."""
    how = (
        f"{faces} faces of the held-out split, each asked for {', '.join(f'{a:+g}' for a in AMOUNTS)} of "
        "each action unit alone, limited to 0..5 (changes below 0.5 left out). Achieved: the change of the "
        "reading without cut-off at 0 from input to output, both tracked again."
    )
    tables = [_summary(results, how)]
    for name, read in READERS.items():
        tables.append(_per_au(results, name, read, how, known))
    tables += [_matrix(method, result, how) for method, result in results.items() if method != "copy"]
    return tables


def _summary(results: dict[str, AskedAchieved], how: str) -> ResultTable:
    columns = ["method", "asks", "lost faces"]
    columns += [
        f"{what}, {reader}"
        for reader in READERS
        for what in ("mean slope", "slope of 25 26 10 12 45", "mean Spearman", "mean leakage")
    ]
    rows = []
    for method, result in results.items():
        row: list[Cell] = [method, len(result.trials), result.lost]
        for read in READERS.values():
            answers = {code: result.answer(code, read) for code in OPENFACE_CODES}
            row += [
                mean([answer.slope for answer in answers.values()]),
                mean([answers[code].slope for code in EMPHASIS]),
                mean([answer.spearman for answer in answers.values()]),
                mean([answer.leakage for answer in answers.values()]),
            ]
        rows.append(tuple(row))
    note = f"{how} Slope: least squares through 0. Leakage: mean absolute slope of the 16 others."
    return ResultTable("asked_achieved", "Asked against achieved", note, tuple(columns), tuple(rows))


def _per_au(
    results: dict[str, AskedAchieved],
    name: str,
    read: Callable[[Trial], AUVector],
    how: str,
    known: Agreement,
) -> ResultTable:
    rows = []
    for index, code in enumerate(OPENFACE_CODES):
        answers = [result.answer(code, read) for result in results.values()]
        row: list[Cell] = [code, max(answer.count for answer in answers)]
        if name == "independent":
            row.append(float(known.r[index]))
        row += [answer.slope for answer in answers] + [answer.spearman for answer in answers]
        row += [answer.monotone for answer in answers]
        rows.append(tuple(row))
    columns = ["AU", "n", *(["own r"] if name == "independent" else [])]
    columns += [f"{method} {what}" for what in ("slope", "Spearman", "monotone") for method in results]
    how = f"{how} Monotone: Spearman over one face's changes and 0; the mean over faces."
    note = f"{how} Read by our estimator."
    if name == "independent":
        note = (
            f"{how} Read by the independent estimator: ridge regression on oriented gradients where the face "
            f"was before, fitted to other people and in no loss. The third column is its own correlation "
            f"with the labels on {known.count} held-out faces."
        )
    return ResultTable(
        f"asked_achieved_{name}", f"Per action unit: {name}", note, tuple(columns), tuple(rows), 2
    )


def _matrix(method: str, result: AskedAchieved, how: str) -> ResultTable:
    names = [code.removeprefix("AU") for code in OPENFACE_CODES]
    rows: list[tuple[Cell, ...]] = []
    for code in OPENFACE_CODES:
        answer = result.answer(code, estimated_change)
        rows.append((code, *(float(value) for value in answer.per_unit), answer.leakage))
    note = f"{how} Row: asked; column: change of our estimator's reading per unit asked."
    return ResultTable(
        f"leakage_{method.replace(' ', '_')}",
        f"Leakage of {method}",
        note,
        ("asked", *names, "leakage"),
        tuple(rows),
        2,
    )
