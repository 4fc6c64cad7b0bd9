"""Opens a model that finds faces in a picture and fits 478 landmarks to each."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from reenact.process.signals import signals_answered_afterwards
from reenact.track.face_landmarker import open_face_landmarker
from reenact.track.face_mesh import FaceMesh, has_face_mesh
from reenact.track.fit import Landmarker, TrackerError
from reenact.track.native_messages import native_messages_logged
from reenact.track.region import Region

BACKENDS = ("auto", "face_mesh", "face_landmarker")


def open_landmarker(backend: str = "auto", model_path: Path | None = None) -> Landmarker:
    """Opens the landmarker called "face_mesh" or "face_landmarker"; "auto" chooses between them.

    It chooses the face mesh where the installed mediapipe contains its model and no model file is given,
    because the face mesh needs no download and is faster: a fit takes 7.1 ms of a core's time against 9.7, a
    detection 6.4 against 4.3, and a frame of a 720p film with one face 8.4 against 10.5 (medians, measured in
    turns on a slow machine).

    model_path: the model file for face_landmarker. None: MediaPipe's own model, from this user's cache or
    else fetched. Raises TrackerError that says what to install or where to put the model file.
    """
    if backend not in BACKENDS:
        raise TrackerError(f"unknown face tracker {backend!r}; choose from {', '.join(BACKENDS)}")
    if backend == "auto":
        backend = "face_mesh" if model_path is None and has_face_mesh() else "face_landmarker"
    if backend == "face_mesh" and not has_face_mesh():
        raise TrackerError(
            "the face_mesh tracker needs mediapipe==0.10.21, which has wheels for Python 3.10 to 3.12; "
            "choose face_landmarker"
        )
    # In this order, because what a signal's handler raises is to be printed on the terminal.
    with signals_answered_afterwards(), native_messages_logged:
        landmarker = FaceMesh() if backend == "face_mesh" else open_face_landmarker(model_path)
        _warm_up(landmarker)
    return landmarker


def _warm_up(landmarker: Landmarker) -> None:
    """Runs the models once: they load lazily, print messages while they do, and delay the first frame."""
    blank = Region(31.5, 31.5, 64.0)
    landmarker.find(np.zeros((64, 64, 3), np.uint8), blank)
    landmarker.fit(np.zeros((64, 64, 3), np.uint8), blank)
