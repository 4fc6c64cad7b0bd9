"""Asked against achieved, with readers that see exactly what was asked."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from calib.au import OPENFACE_CODES, OPENFACE_COUNT, au_index, openface
from calib.metrics import Agreement
from tests.support.evaluation import asked_of, copy, subject, written
from tests.support.faces import shows
from train.evaluate.asked_achieved import (
    AskedAchieved,
    asked_achieved_tables,
    estimated_change,
    independent_change,
    measure_asked_achieved,
)

KNOWN = Agreement(np.full(17, 0.8), np.full(17, 0.7), np.full(17, 0.2), 99)


def half_obeyed(image, near):
    """Reads half of what was asked, and a tenth of AU12 as AU06, too."""
    asked = openface(asked_of(image))
    evidence = asked / 2
    evidence[au_index("AU06")] += asked[au_index("AU12")] / 10
    return SimpleNamespace(evidence=evidence)


def judge(image, face):
    return openface(asked_of(image)) / 4


def measured(method, *subjects, reader=half_obeyed):
    return measure_asked_achieved(
        method, subjects, reader, lambda image, face: judge(image, face) * (method is written)
    )


def test_slopes_leakage_and_ranks_are_those_of_the_reading():
    obeyed = measured(written, subject(), subject())
    answer = obeyed.answer("AU12", estimated_change)
    assert answer.slope == pytest.approx(0.5)
    assert answer.per_unit[au_index("AU06")] == pytest.approx(0.1)
    assert answer.leakage == pytest.approx(0.1 / 16)
    assert answer.spearman == pytest.approx(1)


def test_order_is_judged_within_each_face():
    """Of two faces one obeys, the other does the opposite."""
    obeyed, opposite = measured(written, subject()).trials, []
    for trial in obeyed:
        opposite.append(replace(trial, subject=1, estimated_change=-trial.estimated_change))
    answer = AskedAchieved((*obeyed, *obeyed, *opposite), 0).answer("AU12", estimated_change)
    assert answer.monotone == pytest.approx(0)
    assert AskedAchieved(obeyed, 0).answer("AU12", estimated_change).monotone == pytest.approx(1)
    assert AskedAchieved(tuple(opposite), 0).answer("AU12", estimated_change).monotone == pytest.approx(-1)


def test_a_face_that_shows_nothing_is_not_asked_for_less():
    obeyed = measured(written, subject())
    asked = [trial.asked for trial in obeyed.trials if trial.index == au_index("AU12")]
    assert asked == [1, 2, 3]


def test_asks_stop_at_the_ends_of_the_scale():
    obeyed = measured(written, subject(shows(AU12=4)))
    asked = [trial.asked for trial in obeyed.trials if trial.index == au_index("AU12")]
    assert asked == [-2, -1, 1, 1, 1]


def test_copy_achieves_nothing():
    obeyed = measured(copy, subject())
    assert len(obeyed.trials) == 3 * OPENFACE_COUNT
    assert {
        obeyed.answer(code, read).slope
        for code in OPENFACE_CODES
        for read in (estimated_change, independent_change)
    } == {0.0}


def test_results_without_a_face_are_counted():
    obeyed = measured(written, subject(), reader=lambda image, near: None)
    assert (len(obeyed.trials), obeyed.lost) == (0, 3 * OPENFACE_COUNT)


def test_tables_have_every_method_and_say_how_good_the_independent_estimator_is():
    results = {"copy": measured(copy, subject()), "warp": measured(written, subject())}
    tables = {table.name: table for table in asked_achieved_tables(results, 1, KNOWN)}
    assert list(tables) == [
        "asked_achieved",
        "asked_achieved_estimator",
        "asked_achieved_independent",
        "leakage_warp",
    ]
    assert [row[0] for row in tables["asked_achieved"].rows] == ["copy", "warp"]
    independent_table = tables["asked_achieved_independent"]
    assert independent_table.columns[:3] == ("AU", "n", "own r")
    assert independent_table.rows[0][2] == pytest.approx(0.8)
    assert "99 held-out faces" in independent_table.note
    assert tables["asked_achieved_estimator"].rows[0][3] == pytest.approx(0.5)
