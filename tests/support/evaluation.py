"""Subjects for tests of the evaluation, made without a tracker."""

from __future__ import annotations

import numpy as np

from calib.au import AUVector, neutral_aus, openface
from reenact.records import Frame
from tests.support.faces import posed_face, textured_frame
from train.evaluate.picture_reader import PictureReading
from train.evaluate.subjects import Subject

FRAME = textured_frame(320, 320)


def subject(
    aus: AUVector | None = None, name: str = "one", frame: Frame = FRAME, turn=None, landmarks_mm=None
) -> Subject:
    """A face as large as in shards."""
    face = posed_face(scale=1.35, centre=(160.0, 150.0), turn=turn, landmarks_mm=landmarks_mm)
    return Subject(
        frame, PictureReading(face, openface(neutral_aus() if aus is None else aus)), "person", "set", name
    )


def copy(frame, face, change, measured):
    return frame.image


def written(frame, face, change, measured):
    """A method whose results tell what was asked of it; see `asked_of`."""
    image = frame.image.copy()
    image[0, : len(change), 0] = np.rint(100 + 20 * change)
    return image


def asked_of(image) -> AUVector:
    return ((image[0, :17, 0].astype(np.float32) - 100) / 20).astype(np.float32)
