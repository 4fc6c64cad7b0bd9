"""Tests of the package mediapipe as the face mesh imports it."""

import subprocess
import sys

import pytest

from reenact.track.face_mesh import has_face_mesh

pytestmark = pytest.mark.skipif(not has_face_mesh(), reason="this Python has no mediapipe with a face mesh")


def run(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_modules_of_mediapipe_that_only_draw_or_record_are_not_executed():
    code = (
        "import sys; from reenact.track.face_mesh import import_mediapipe; import_mediapipe();"
        "print('matplotlib' in sys.modules, 'sounddevice' in sys.modules)"
    )
    assert run(code) == ["False", "False"]


def test_they_work_for_whoever_uses_them_afterwards():
    code = (
        "from reenact.track.face_mesh import import_mediapipe; first = import_mediapipe();"
        "import mediapipe; from mediapipe.python.solutions import drawing_styles;"
        "from mediapipe.tasks.python.audio import AudioClassifier;"
        "print(first is mediapipe, mediapipe.solutions.drawing_utils.DrawingSpec().thickness,"
        "len(drawing_styles.get_default_face_mesh_tesselation_style().color), AudioClassifier.__name__)"
    )
    assert run(code) == ["True", "2", "3", "AudioClassifier"]


def test_a_name_that_such_a_module_lacks_is_an_error():
    code = (
        "from reenact.track.face_mesh import import_mediapipe; mediapipe = import_mediapipe();"
        "print(hasattr(mediapipe.solutions.drawing_utils, 'draw_nothing'))"
    )
    assert run(code) == ["False"]


def test_a_mediapipe_that_was_imported_before_stays_as_it_is():
    code = (
        "import mediapipe; from reenact.track.face_mesh import import_mediapipe;"
        "print(import_mediapipe() is mediapipe, hasattr(mediapipe.solutions, 'drawing_utils'))"
    )
    assert run(code) == ["True", "True"]
