"""Presets against what people pose."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from calib.au import au_index, openface
from calib.basis import load_basis
from calib.shape import INTERPUPILLARY_MM, load_shape
from tests.support.evaluation import FRAME, asked_of, copy, subject, written
from tests.support.faces import change, shows
from train.data.shards import FaceSample, FolderMeta, PreparedFace, open_shards, write_meta, write_shard
from train.evaluate.picture_reader import PictureReading
from train.evaluate.preset_shapes import (
    AT_REST,
    MEASURES,
    EditedExpression,
    PosedExpression,
    choose_posed,
    measure_presets,
    presets_table,
    shape,
)

SMILING = load_shape().canonical + load_basis().displace(change(AU12=3))
RESTING, SMILE = subject(), subject(landmarks_mm=SMILING)
HAPPY = PosedExpression(RESTING, "happy", shape(SMILE.face) - shape(RESTING.face))


def test_the_shape_is_in_percent_of_the_distance_between_the_pupils():
    wider = load_shape().canonical.copy()
    wider[[61, 291], 0] += [-3, 3]
    moved = shape(subject(landmarks_mm=wider).face) - shape(RESTING.face)
    assert moved[MEASURES.index("width")] == pytest.approx(100 * 6 / INTERPUPILLARY_MM, rel=0.1)
    assert moved[MEASURES.index("opening")] == pytest.approx(0, abs=0.5)


def test_people_are_found_by_the_names_of_their_pictures(tmp_path):
    faces = []
    for person, shown in (("ann", AT_REST), ("ann", "happy"), ("ann", "playful"), ("bob", "happy")):
        face = (SMILE if shown == "happy" else RESTING).face
        sample = FaceSample(
            FRAME.image, face.landmarks, openface(shows()), person, "set", f"{person}_{shown}.jpg"
        )
        faces.append(PreparedFace(sample, True, 0.0, 1.0, 0.2, False, sample.name))
    write_meta(tmp_path, FolderMeta(seed=1, share=0.0))
    write_shard(tmp_path, "set-00000", faces, "fingerprint")
    shards = open_shards(tmp_path, held_out=False)

    def reader(image, near):
        return PictureReading(replace(RESTING.face, landmarks=near), openface(shows()))

    (posed,) = choose_posed(shards, reader)
    assert (posed.at_rest.person, posed.expression) == ("ann", "happy")
    assert posed.real[MEASURES.index("width")] > 3


def test_the_preset_is_asked_of_the_face_at_rest():
    seen = []

    def reader(image, near):
        seen.append(asked_of(image))
        return SMILE.before

    (performed,) = measure_presets(written, [HAPPY], reader)
    assert seen[0][au_index("AU12")] > 2
    np.testing.assert_allclose(performed.edited, HAPPY.real, atol=1e-4)


def test_the_table_says_who_is_near():
    found = {
        "copy": measure_presets(copy, [HAPPY], lambda image, near: RESTING.before),
        "good": measure_presets(copy, [HAPPY], lambda image, near: SMILE.before),
        "lost": (EditedExpression("happy", None),),
    }
    table = presets_table(found, [HAPPY])
    assert [row[1] for row in table.rows] == list(MEASURES)
    width = table.rows[0]
    assert width[:3] == ("happy: smile-open", "width", 1)
    assert width[table.columns.index("copy near")] == "no"
    assert width[table.columns.index("good near")] == "yes"
    assert width[table.columns.index("lost near")] == "no"
