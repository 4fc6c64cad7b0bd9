"""MediaPipe's face landmarker: the two networks of its `.task` file, run by the OpenVINO engine.

MediaPipe's Task API around these networks takes three times as long and does not return the presence score.
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
"""The number of threads on which each network runs."""
_ENGINE = Choice("openvino", "fp32")
"""Only OpenVINO reads TensorFlow Lite; bf16 would shift the landmarks by up to a pixel."""


def open_face_landmarker(path: Path | None = None) -> FaceLandmarker:
    """Opens the landmarker with the model file at `path`.

    None: MediaPipe's own model, from this user's cache or else fetched. Raises TrackerError where OpenVINO is
    missing or the file is not a face landmarker model.
    """
    availability = engines.probe(_ENGINE.name)
    if not availability.available:
        raise TrackerError(
            "the face_landmarker tracker needs OpenVINO, because ONNX Runtime cannot read TensorFlow Lite "
            "models: pip install openvino"
        )
    content = landmark_model.read_landmark_model(path)
    name = "the face landmark model" if path is None else repr(str(path))
    try:
        return FaceLandmarker(read_networks(content))
    except (EngineError, ValueError) as error:
        raise TrackerError(f"{name} is no face landmarker model ({error}); {HINT}") from error


class FaceLandmarker:
    """Detects faces with BlazeFace and fits the face landmarker's 478 landmarks to them."""

    CROP_PX = 256
    """Side of the square crop to which landmarks are fitted, in pixels."""
    FIND_PX = SIZE_PX
    """Side of the square crop in which faces are detected, in pixels."""
    ZERO_SCORE, FULL_SCORE = -6.5, 13.0
    """The presence scores, before the sigmoid, that become a presence of 0 and of 1. They are chosen so that
    a presence has the same meaning as the face mesh's.

    Measured on 227 pictures of six sets with both models; the face mesh's scores are about 6.5 higher. The
    share of the faces that reach a presence of 0.3, and of 0.8 (the face mesh's shares in brackets): upright
    1.00 and .96 (1.00, .98), lower half covered 1.00 and .87 (1.00, .88), eyes covered .98 and .64 (.98,
    .69), a hand in a film 1.00 and .90 (1.00, .95), half outside the picture .78 and .14 (.79, .01), lying or
    upside down .32 and .04 (.30, .01), pictures without a face 0. MediaPipe's own threshold, 0.5 after the
    sigmoid, is a presence of 0.33 here."""

    def __init__(self, networks: Networks, detection: float = 0.5) -> None:
        """detection: the score, 0..1, below which a detection is dropped.

        Raises EngineError or ValueError where the networks are not those of a face landmarker.
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
        # MediaPipe's coordinates begin at the outer edge of the first pixel, those of regions at its centre.
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
        if not score > self.ZERO_SCORE:  # NaN counts as no face
            return None
        presence = min(1.0, (score - self.ZERO_SCORE) / (self.FULL_SCORE - self.ZERO_SCORE))
        return Fit(from_crop(points, alignment), presence, crop)

    def _run(self, crop: NDArray[np.uint8]) -> tuple[NDArray[np.float32], float]:
        """The landmarks (478, 3) in pixels of the crop, and the presence score before the sigmoid."""
        answers = self._mesh.run({self._mesh.inputs[0].name: crop[None] * _TO_UNIT})
        return answers[self._points].reshape(LANDMARK_COUNT, 3).copy(), float(answers[self._presence].item())


def _sampled(
    image: NDArray[np.uint8], region: Region, size: int, border: int
) -> tuple[Alignment, NDArray[np.uint8]]:
    """The crop of a square as MediaPipe samples it, with the matrix that made it.

    Its first sample lies on the square's edge, and nothing is averaged when it shrinks. With this sampling
    the landmarks differ from MediaPipe's own by 0.02 pixels (median over 126 faces; 95th percentile 0.14).
    With the sampling of other crops they differ by 0.44 and 1.2 pixels, jitter as much in films, and as many
    small faces are missed.
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
"""Factors that scale pixel values of 0..255 to 0..1 and to 0..2."""


def _outputs(engine: Engine, side_px: int, lengths: tuple[int, ...]) -> list[str]:
    """The names of the outputs that have these lengths, in the order of `lengths`.

    Outputs of equal length keep the network's order. Raises ValueError where the network's input is not a
    square RGB picture of `side_px` or its outputs have other lengths.
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
