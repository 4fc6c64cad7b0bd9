"""MediaPipe's face landmarker: the two networks of its `.task` file, run by our own engine.

MediaPipe's Task API around them takes three times as long, and tells nothing of the presence score.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import TracebackType

import cv2
import numpy as np
from numpy.typing import NDArray

import engines
from calib.shape import LANDMARK_COUNT
from engines import Choice, Engine, EngineError
from reenact.alignment import CV2_SIDE_PX, Alignment
from reenact.track import landmark_model
from reenact.track.blaze_face import SIZE_PX, read_detections
from reenact.track.fit import Fit, TrackerError, from_crop, region_of_detection
from reenact.track.landmark_model import HINT, Networks, read_networks
from reenact.track.region import Region

THREADS = 1
"""Of each network."""
_ENGINE = Choice("openvino", "fp32")
"""The only engine that reads TensorFlow Lite. bf16 would put the landmarks off by up to a pixel."""


def open_face_landmarker(path: Path | None = None) -> FaceLandmarker:
    """The landmarker with the model at this path; None: MediaPipe's own, which is fetched if need be.

    Raises TrackerError where OpenVINO is missing or the file is not such a model.
    """
    availability = engines.probe(_ENGINE.name)
    if not availability.available:
        raise TrackerError(
            "the face_landmarker tracker needs OpenVINO, because ONNX Runtime reads no TensorFlow Lite "
            "models: pip install openvino"
        )
    content = landmark_model.read_landmark_model(path)
    name = "the face landmark model" if path is None else repr(str(path))
    try:
        return FaceLandmarker(read_networks(content))
    except (EngineError, ValueError) as error:
        raise TrackerError(f"{name} is no face landmarker model ({error}); {HINT}") from error


class FaceLandmarker:
    """Finds faces with BlazeFace and fits the face landmarker's 478 landmarks."""

    CROP_PX = 256
    FIND_PX = SIZE_PX
    NONE, SURE = -6.5, 13.0
    """Presence scores, before their sigmoid, that count as 0 and as 1, so that a presence means what the face
    mesh's does.

    Measured on 227 pictures of six sets beside the face mesh, whose scores are about 6.5 higher. Share of the
    faces that reach a presence of 0.3, and of 0.8 (in brackets the face mesh's): upright 1.00 and .96 (1.00,
    .98), lower half covered 1.00 and .87 (1.00, .88), eyes covered .98 and .64 (.98, .69), a hand in a film
    1.00 and .90 (1.00, .95), half outside the picture .78 and .14 (.79, .01), lying or on its head .32 and
    .04 (.30, .01), no face none. The sigmoid's 0.5, which MediaPipe takes, is a presence of 0.33 here."""

    def __init__(self, networks: Networks, detection: float = 0.5) -> None:
        """detection: the score below which a detected face does not count.

        Raises EngineError or ValueError where these are no such networks.
        """
        self._threshold = detection
        with ExitStack() as opened:
            self._detector, self._mesh = (
                opened.enter_context(engines.open_engine(content, _ENGINE, threads=THREADS))
                for content in (networks.detector, networks.landmarks)
            )
            self._offsets, self._logits = _outputs(self._detector, self.FIND_PX, (896 * 16, 896))
            self._points, self._presence, _ = _outputs(self._mesh, self.CROP_PX, (3 * LANDMARK_COUNT, 1, 1))
            self._opened = opened.pop_all()

    def __enter__(self) -> FaceLandmarker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._opened.close()

    def find(self, image: NDArray[np.uint8], within: Region) -> list[Region]:
        # MediaPipe lets a picture reach from 0 to its width, regions from the outer edges of its pixels.
        between = replace(within, x=within.x + 0.5, y=within.y + 0.5)
        alignment, crop = _sampled(image, between, self.FIND_PX, cv2.BORDER_CONSTANT)
        answers = self._detector.run({self._detector.inputs[0].name: crop[None] * _TO_SIGNED - 1})
        offsets, logits = answers[self._offsets].reshape(-1, 16), answers[self._logits].ravel()
        return [
            region_of_detection(face.box, face.right_eye, face.left_eye, alignment, within.roll)
            for face in read_detections(offsets, logits, self._threshold)
        ]

    def fit(self, image: NDArray[np.uint8], region: Region) -> Fit | None:
        alignment, crop = _sampled(image, region, self.CROP_PX, cv2.BORDER_REPLICATE)
        points, score = self._run(crop)
        if not score > self.NONE:  # a score that is no number is none
            return None
        presence = min(1.0, (score - self.NONE) / (self.SURE - self.NONE))
        return Fit(from_crop(points, alignment), presence, crop)

    def _run(self, crop: NDArray[np.uint8]) -> tuple[NDArray[np.float32], float]:
        """Landmarks (478, 3) in pixels of the crop, and the presence score before its sigmoid."""
        answers = self._mesh.run({self._mesh.inputs[0].name: crop[None] * _TO_UNIT})
        return answers[self._points].reshape(LANDMARK_COUNT, 3).copy(), float(answers[self._presence].item())


def _sampled(
    image: NDArray[np.uint8], region: Region, size: int, border: int
) -> tuple[Alignment, NDArray[np.uint8]]:
    """The square as MediaPipe samples it: its first pixel lies on the square's edge, and none is averaged.

    So the landmarks are MediaPipe's own to 0.02 pixels (median over 126 faces; 0.14 at the 95th percentile).
    Sampled as other crops are, they are off by 0.44 and 1.2 pixels, no steadier in films, and no more
    small faces are found.
    """
    alignment = region.alignment(size)
    matrix = alignment.matrix.copy()
    matrix[:, 2] += 0.5
    alignment = Alignment(matrix, size)
    if max(image.shape[:2]) > CV2_SIDE_PX:
        return alignment, alignment.crop(image, border)
    crop = cv2.warpAffine(image, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=border)
    return alignment, crop


_TO_UNIT, _TO_SIGNED = np.float32(1 / 255), np.float32(2 / 255)
"""What turns a picture's 0..255 into 0..1, and into 0..2."""


def _outputs(engine: Engine, side_px: int, lengths: tuple[int, ...]) -> list[str]:
    """The names of a network's outputs, one for each of these lengths, in the network's order.

    Raises ValueError where the network takes another picture or answers otherwise.
    """
    taken = [spec.shape[1:] for spec in engine.inputs]
    found = [int(np.prod([length or 1 for length in spec.shape])) for spec in engine.outputs]
    if taken != [(side_px, side_px, 3)] or sorted(found) != sorted(lengths):
        raise ValueError(f"a network takes {taken} and gives {found} numbers")
    names, left = [], list(zip(found, (spec.name for spec in engine.outputs), strict=True))
    for length in lengths:
        pair = next(pair for pair in left if pair[0] == length)
        left.remove(pair)
        names.append(pair[1])
    return names
