"""MediaPipe's face mesh graph, run by mediapipe 0.10.21 with the models that its wheel contains."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from contextlib import ExitStack
from pathlib import Path
from threading import RLock
from types import ModuleType, TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calib.shape import LANDMARK_COUNT
from reenact.alignment import Alignment
from reenact.track.fit import Fit, from_crop, region_of_detection
from reenact.track.region import Region

_GRAPH = Path(__file__).with_name("face_mesh.pbtxt")
_MODEL = "modules/face_landmark/face_landmark_with_attention.tflite"


def has_face_mesh() -> bool:
    """Whether the installed mediapipe contains the models of the face mesh. It is not imported for this."""
    package = importlib.util.find_spec("mediapipe")
    return (
        package is not None
        and package.origin is not None
        and (Path(package.origin).parent / _MODEL).is_file()
    )


class FaceMesh:
    """MediaPipe Face Mesh with iris landmarks, from the models in the mediapipe 0.10.21 wheel."""

    CROP_PX = 192
    """Side of the square crop to which landmarks are fitted, in pixels."""
    FIND_PX = 128
    """Side of the square crop in which faces are detected, in pixels: the detector's own input size."""
    FULL_SCORE = 20.0
    """The presence score, before the sigmoid, that becomes a presence of 1; a score of 0, MediaPipe's own
    threshold, becomes 0.

    Measured scores: 21 to 34 for upright faces, 13 with a hand over nose and mouth, 5 to 15 for faces half
    outside the picture, 4 to 6 at 50 degrees yaw, below 16 and mostly below 6 for faces that lie or are
    upside down. After the sigmoid nearly all of these would be 1."""

    def __init__(self, detection: float = 0.5) -> None:
        """detection: the score, 0..1, below which a detection is dropped."""
        self._mediapipe = import_mediapipe()
        from mediapipe.python.solutions.face_detection import FaceDetection

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
        if points is None or not score > 0:  # NaN counts as no face
            return None
        return Fit(from_crop(points, alignment), min(1.0, score / self.FULL_SCORE), crop)

    def _run(self, crop: NDArray[np.uint8]) -> tuple[NDArray[np.float32] | None, float]:
        """The landmarks (478, 3) in pixels of the crop, and the presence score before the sigmoid.

        The landmarks are None where the graph gave an empty or incomplete mesh.
        """
        mediapipe = self._mediapipe
        packet = mediapipe.packet_creator.create_image_frame(crop, image_format=mediapipe.ImageFormat.SRGB)
        self._count += 1  # timestamps must increase; any count will do
        self._graph.add_packet_to_input_stream("crop", packet.at(self._count))
        self._graph.wait_until_idle()
        numbers = mediapipe.packet_getter.get_float_list(self._answers["landmarks"])
        score = mediapipe.packet_getter.get_float_list(self._answers["presence"])[0]
        if len(numbers) != 3 * LANDMARK_COUNT:
            return None, score
        return np.array(numbers, np.float32).reshape(LANDMARK_COUNT, 3), score


_SELDOM_USED = {
    "mediapipe.python.solutions.drawing_utils": "python/solutions/drawing_utils.py",
    "mediapipe.python.solutions.drawing_styles": "python/solutions/drawing_styles.py",
    "mediapipe.tasks.python.audio": "tasks/python/audio/__init__.py",
}
"""Modules of mediapipe and their files. The first two import matplotlib.pyplot and the last one sounddevice,
which together take four fifths of the second that `import mediapipe` takes."""


def import_mediapipe() -> ModuleType:
    """The package mediapipe, of which _SELDOM_USED is not executed before somebody uses it."""
    if "mediapipe" in sys.modules:
        return sys.modules["mediapipe"]
    package = importlib.util.find_spec("mediapipe")
    folder = Path(package.origin).parent if package and package.origin else Path()
    late = {name: folder / file for name, file in _SELDOM_USED.items() if (folder / file).is_file()}
    sys.modules.update({name: _executed_when_used(name, file) for name, file in late.items()})
    mediapipe = importlib.import_module("mediapipe")
    for name in late:
        # The import system binds to their package only modules that it has found itself.
        parent, _, own = name.rpartition(".")
        setattr(sys.modules[parent], own, sys.modules[name])
    return mediapipe


def _executed_when_used(name: str, file: Path) -> ModuleType:
    """The module `name` of a file, executed when an attribute is read that only its code can give.

    importlib.util.LazyLoader executes a module as soon as an import statement names it.
    """
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None and spec.loader is not None
    loader, module, lock = spec.loader, importlib.util.module_from_spec(spec), RLock()

    def execute(attribute: str) -> Any:
        if attribute.startswith("__"):
            raise AttributeError(attribute)
        with lock:
            if vars(module).get("__getattr__") is execute:
                loader.exec_module(module)
                del vars(module)["__getattr__"]
        return getattr(module, attribute)

    vars(module)["__getattr__"] = execute
    return module


def _open_graph(text: str, answers: dict[str, Any]) -> Any:
    """Starts a MediaPipe graph that stores the latest packet of each of its outputs in `answers`."""
    mediapipe = import_mediapipe()
    from google.protobuf import text_format  # type: ignore[import-untyped]
    from mediapipe.calculators.tensor import landmarks_to_tensor_calculator_pb2  # noqa: F401  (for the parser)
    from mediapipe.framework import calculator_pb2

    config = text_format.Parse(text, calculator_pb2.CalculatorGraphConfig())
    graph = mediapipe.CalculatorGraph(graph_config=config)
    for tagged in config.output_stream:
        graph.observe_output_stream(tagged, answers.__setitem__, True)
    graph.start_run({})
    return graph


def _region_of(detection: Any, alignment: Alignment, roll: float) -> Region:
    location, size = detection.location_data, alignment.size
    box = location.relative_bounding_box
    right, left = ((eye.x * size, eye.y * size) for eye in location.relative_keypoints[:2])
    corners = (box.xmin * size, box.ymin * size, box.width * size, box.height * size)
    return region_of_detection(corners, right, left, alignment, roll)
