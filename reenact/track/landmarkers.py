"""The two MediaPipe back ends that find faces in a picture and fit 478 landmarks to each."""

from __future__ import annotations

import importlib.util
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from calib.shape import LANDMARK_COUNT
from reenact.alignment import Alignment
from reenact.process.signals import signals_answered_afterwards
from reenact.track.native_messages import native_messages_logged
from reenact.track.region import MARGIN, Region, region_around

BACKENDS = ("auto", "face_mesh", "face_landmarker")

_GRAPH = Path(__file__).with_name("face_mesh.pbtxt")
_MODEL_URL = "https://storage.googleapis.com/mediapipe-models/face_landmarker/face_landmarker/float16/1/face_landmarker.task"


class TrackerError(RuntimeError):
    """No landmark model can be opened; the message is one line for the user."""


@dataclass(frozen=True, eq=False)
class Fit:
    """Landmarks fitted to one face."""

    landmarks: NDArray[np.float32]
    """(478, 3) pixels of the picture."""
    presence: float
    """0..1: the model's own belief that it sees a whole face; 1 where a back end does not tell."""
    crop: NDArray[np.uint8]
    """(n, n, 3) RGB: the upright square that the model saw."""


class Landmarker(Protocol):
    """Finds faces and fits them. Keeps no memory: the same picture always gives the same answer."""

    def __enter__(self) -> Landmarker: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def find(self, image: NDArray[np.uint8], within: Region) -> list[Region]:
        """Faces in `within` that are not too small for it and roughly upright to it."""

    def fit(self, image: NDArray[np.uint8], region: Region) -> Fit | None:
        """The face in `region`, which came from `find` or `region_around`; None when there is none."""


_FARTHEST_PX = 1e6
"""No picture has a face whose landmarks are farther from its corner."""
_SMALLEST_PX = 1.0
"""A region or face with a shorter side has collapsed."""


class CheckedLandmarker:
    """Another landmarker, whose answers that are no face's count as no face there.

    Networks answer with NaN, with an empty mesh or with all points in one place now and then; everything
    after this one place may rely on 478 finite landmarks and a presence between 0 and 1.
    """

    def __init__(self, landmarker: Landmarker) -> None:
        self._landmarker = landmarker

    def __enter__(self) -> CheckedLandmarker:
        self._landmarker.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._landmarker.__exit__(kind, error, trace)

    def find(self, image: NDArray[np.uint8], within: Region) -> list[Region]:
        if not _is_place(within):
            return []
        return [region for region in self._landmarker.find(image, within) if _is_place(region)]

    def fit(self, image: NDArray[np.uint8], region: Region) -> Fit | None:
        fit = self._landmarker.fit(image, region) if _is_place(region) else None
        if fit is None or not _is_mesh(fit.landmarks) or not np.isfinite(fit.presence):
            return None
        return replace(fit, presence=float(np.clip(fit.presence, 0.0, 1.0)))


def _is_place(region: Region) -> bool:
    """Whether a region is a square in or near a picture."""
    near = all(abs(value) <= _FARTHEST_PX for value in (region.x, region.y, region.width, region.roll))
    return near and region.width >= _SMALLEST_PX  # NaN is never near


def _is_mesh(landmarks: NDArray[np.float32]) -> bool:
    """Whether these are the landmarks of a face that has a size."""
    if landmarks.shape != (LANDMARK_COUNT, 3) or not (np.abs(landmarks) <= _FARTHEST_PX).all():
        return False
    return bool((np.ptp(landmarks[:, :2], axis=0) >= _SMALLEST_PX).all())


def open_landmarker(backend: str = "auto", model_path: Path | None = None) -> Landmarker:
    """The landmarker called "face_mesh" or "face_landmarker"; "auto" takes the one that can work here.

    Raises TrackerError that says what to install or where to put the model file.
    """
    if backend not in BACKENDS:
        raise TrackerError(f"unknown face tracker {backend!r}; choose from {', '.join(BACKENDS)}")
    package = importlib.util.find_spec("mediapipe")
    if package is None or package.origin is None:
        raise TrackerError("the package mediapipe is not installed; run: pip install mediapipe==0.10.21")
    has_face_mesh = (Path(package.origin).parent / FaceMesh.MODEL).is_file()
    if backend == "auto":
        backend = "face_mesh" if has_face_mesh and model_path is None else "face_landmarker"
    if backend == "face_mesh" and not has_face_mesh:
        raise TrackerError(
            "this mediapipe has no face mesh model; install mediapipe==0.10.21 or choose face_landmarker"
        )
    with native_messages_logged, signals_answered_afterwards():
        landmarker = FaceMesh() if backend == "face_mesh" else _open_face_landmarker(model_path)
        _warm_up(landmarker)
    return landmarker


def _warm_up(landmarker: Landmarker) -> None:
    """Runs the models once: they start lazily, talk while they do, and would hold up the first frame."""
    blank = Region(31.5, 31.5, 64.0)
    landmarker.find(np.zeros((64, 64, 3), np.uint8), blank)
    landmarker.fit(np.zeros((64, 64, 3), np.uint8), blank)


def _open_face_landmarker(path: Path | None) -> Landmarker:
    hint = f"download {_MODEL_URL} and give its path with --landmarker"
    if path is None:
        raise TrackerError(f"the face_landmarker tracker needs a model file; {hint}")
    if not path.is_file():
        raise TrackerError(f"no face landmarker model at {str(path)!r}; {hint}")
    try:
        return FaceLandmarker(path)
    except (RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise TrackerError(f"{str(path)!r} is no face landmarker model ({reason}); {hint}") from error


class FaceMesh:
    """MediaPipe Face Mesh with iris, from the models inside the mediapipe 0.10.21 wheel."""

    MODEL = "modules/face_landmark/face_landmark_with_attention.tflite"
    CROP_PX = 192
    FIND_PX = 128
    """What the detector itself works at."""
    SURE = 20.0
    """Presence score, before its sigmoid, that counts as 1; from 0 on MediaPipe takes it for a face.

    Measured: 21 to 34 for upright faces, 13 with a hand over nose and mouth, 5 to 15 half outside a picture,
    4 to 6 at 50 degrees yaw, below 16 and mostly below 6 where the mesh sits on a face that lies or stands on
    its head. The sigmoid calls nearly all of these 1."""

    def __init__(self, detection: float = 0.5) -> None:
        """`detection`: the score below which a find does not count."""
        import mediapipe
        from mediapipe.python.solutions.face_detection import FaceDetection

        self._mediapipe = mediapipe
        self._answers: dict[str, Any] = {}
        self._count = 0
        with ExitStack() as opened:
            self._detector = opened.enter_context(FaceDetection(detection, model_selection=0))
            self._graph = _open_graph(_GRAPH.read_text(), self._answers)
            opened.callback(self._graph.close)
            self._opened = opened.pop_all()

    def __enter__(self) -> FaceMesh:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._opened.close()

    def find(self, image: NDArray[np.uint8], within: Region) -> list[Region]:
        alignment = within.alignment(self.FIND_PX)
        detections = self._detector.process(alignment.crop(image)).detections or []
        return [_region_of(detection, alignment, within.roll) for detection in detections]

    def fit(self, image: NDArray[np.uint8], region: Region) -> Fit | None:
        alignment = region.alignment(self.CROP_PX)
        crop = alignment.crop(image)
        points, score = self._run(crop)
        if points is None or not score > 0:  # a score that is no number is none
            return None
        return Fit(_from_crop(points, alignment), min(1.0, score / self.SURE), crop)

    def _run(self, crop: NDArray[np.uint8]) -> tuple[NDArray[np.float32] | None, float]:
        """Landmarks (478, 3) in pixels of the crop, and the presence score before its sigmoid.

        None: the mesh is empty or incomplete.
        """
        mediapipe = self._mediapipe
        packet = mediapipe.packet_creator.create_image_frame(crop, image_format=mediapipe.ImageFormat.SRGB)
        self._count += 1  # a graph's time must rise; the graph keeps no memory, so any count will do
        self._graph.add_packet_to_input_stream("crop", packet.at(self._count))
        self._graph.wait_until_idle()
        numbers = mediapipe.packet_getter.get_float_list(self._answers["landmarks"])
        score = mediapipe.packet_getter.get_float_list(self._answers["presence"])[0]
        if len(numbers) != 3 * LANDMARK_COUNT:
            return None, score
        return np.array(numbers, np.float32).reshape(LANDMARK_COUNT, 3), score


def _open_graph(text: str, answers: dict[str, Any]) -> Any:
    """A running MediaPipe graph that puts the latest packet of each of its outputs into `answers`."""
    import mediapipe
    from google.protobuf import text_format  # type: ignore[import-untyped]
    from mediapipe.calculators.tensor import landmarks_to_tensor_calculator_pb2  # noqa: F401  (for the parser)
    from mediapipe.framework import calculator_pb2

    config = text_format.Parse(text, calculator_pb2.CalculatorGraphConfig())
    graph = mediapipe.CalculatorGraph(graph_config=config)
    for tagged in config.output_stream:
        graph.observe_output_stream(tagged, answers.__setitem__, True)
    graph.start_run({})
    return graph


class FaceLandmarker:
    """MediaPipe's FaceLandmarker task with a `.task` model file; works with every mediapipe."""

    CROP_PX = 256
    FIND_PX = 256

    def __init__(self, model_path: Path, presence: float = 0.5, detection: float = 0.5) -> None:
        import mediapipe
        from mediapipe.tasks.python import BaseOptions, vision

        self._to_image = lambda pixels: mediapipe.Image(mediapipe.ImageFormat.SRGB, pixels)
        with ExitStack() as opened:
            self._one, self._many = (
                opened.enter_context(
                    vision.FaceLandmarker.create_from_options(
                        vision.FaceLandmarkerOptions(
                            base_options=BaseOptions(model_asset_path=str(model_path)),
                            num_faces=count,
                            min_face_detection_confidence=detection,
                            min_face_presence_confidence=presence,
                        )
                    )
                )
                for count in (1, 16)
            )
            self._opened = opened.pop_all()

    def __enter__(self) -> FaceLandmarker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._opened.close()

    def find(self, image: NDArray[np.uint8], within: Region) -> list[Region]:
        alignment = within.alignment(self.FIND_PX)
        faces = self._many.detect(self._to_image(alignment.crop(image))).face_landmarks
        faces = [face for face in faces if len(face) == LANDMARK_COUNT]
        return [region_around(_from_crop(_to_points(face, self.FIND_PX), alignment)) for face in faces]

    def fit(self, image: NDArray[np.uint8], region: Region) -> Fit | None:
        alignment = region.alignment(self.CROP_PX)
        crop = alignment.crop(image)
        faces = self._one.detect(self._to_image(crop)).face_landmarks
        if not faces or len(faces[0]) != LANDMARK_COUNT:
            return None
        return Fit(_from_crop(_to_points(faces[0], self.CROP_PX), alignment), 1.0, crop)


def _to_points(landmarks: Any, size: int) -> NDArray[np.float32]:
    return np.array([(point.x, point.y, point.z) for point in landmarks], np.float32) * size


def _from_crop(points: NDArray[np.float32], alignment: Alignment) -> NDArray[np.float32]:
    """Crop points (n, 2 or 3) to the frame: the inverse of `alignment.points`."""
    mapped = np.empty_like(points)
    # A similarity's inverse is its transpose over its squared scale. np.linalg.inv would wake BLAS threads.
    mapped[:, :2] = (points[:, :2] - alignment.matrix[:, 2]) @ (alignment.matrix[:, :2] / alignment.scale**2)
    mapped[:, 2:] = points[:, 2:] / alignment.scale
    return mapped


def _region_of(detection: Any, alignment: Alignment, roll: float) -> Region:
    """MediaPipe's rule for the square around a detected face: 1.5 times its box, level with its eyes."""
    location = detection.location_data
    box = location.relative_bounding_box
    right, left = location.relative_keypoints[:2]
    centre = np.array([[box.xmin + box.width / 2, box.ymin + box.height / 2]], np.float32) * alignment.size
    x, y = _from_crop(centre, alignment)[0]
    width = MARGIN * max(box.width, box.height) * alignment.size / alignment.scale
    return Region(float(x), float(y), width, roll + float(np.arctan2(left.y - right.y, left.x - right.x)))
