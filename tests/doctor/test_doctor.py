import base64
import hashlib
import json
import sys
from importlib.metadata import PathDistribution
from pathlib import Path

import pytest
from click.testing import CliRunner

from engines import Availability
from reenact.cli.doctor import doctor
from reenact.doctor import machine
from reenact.doctor.diagnose import (
    CV2,
    ENCODERS,
    Finding,
    check_cameras,
    check_codecs,
    check_cores,
    check_cv2_wheels,
    check_disk,
    check_engine,
    check_import,
    check_landmark_model,
    check_mediapipe,
    check_microphone,
    check_models,
    check_numpy,
    check_python,
    check_tracker,
    check_virtual_camera,
    diagnose,
)
from reenact.doctor.machine import ListedCamera, ProbeResult, System
from reenact.track.landmark_model import MODEL_URL

UBUNTU = System("linux", "apt-get")
FEDORA = System("linux", "dnf")
MAC = System("darwin")
WINDOWS = System("win32")


@pytest.mark.parametrize(
    ("version", "is_64_bit", "verdict"),
    [
        ((3, 9, 20), True, "problem"),
        ((3, 10, 0), True, "ok"),
        ((3, 12, 7), True, "ok"),
        ((3, 14, 0), True, "ok"),
        ((3, 15, 0), True, "warning"),
        ((3, 11, 1), False, "problem"),
    ],
)
def test_python_must_be_one_that_is_tested(version, is_64_bit, verdict):
    finding = check_python(version, is_64_bit)
    assert finding.verdict == verdict
    assert (finding.fix is None) == (verdict == "ok")


def test_a_quota_is_told_beside_the_cores_that_are_there():
    assert check_cores(8, 8) == Finding("processor", "ok", "8 cores")
    assert check_cores(1, 1).value == "1 core"
    limited = check_cores(2, 8)
    assert limited.value == "2 cores of 8: this container's quota (cpu.max) allows no more"


def test_numpy_2_is_a_problem_only_for_the_face_mesh():
    assert check_numpy("1.26.4", face_mesh=True) == Finding("numpy", "ok", "1.26.4")
    assert check_numpy("2.1.0", face_mesh=True).fix == 'pip install "numpy<2"'
    assert check_numpy("2.1.0", face_mesh=False) == Finding("numpy", "ok", "2.1.0")


def test_exactly_one_cv2_wheel_is_right():
    assert check_cv2_wheels({"opencv-contrib-python": "4.11.0.86"}).verdict == "ok"
    assert check_cv2_wheels({}).verdict == "problem"
    two = check_cv2_wheels({"opencv-python-headless": "4.10.0", "opencv-contrib-python": "4.11.0.86"})
    assert two.verdict == "warning"
    assert "opencv-python-headless 4.10.0, opencv-contrib-python 4.11.0.86" in two.value
    assert two.fix == (f"pip uninstall -y opencv-python-headless opencv-contrib-python && pip install {CV2}")


@pytest.mark.parametrize(
    ("error", "system", "fix"),
    [
        (
            "ImportError: libGL.so.1: cannot open shared object file: No such file or directory",
            UBUNTU,
            "sudo apt-get update && sudo apt-get install -y libgl1 libglib2.0-0",
        ),
        (
            "ImportError: libgthread-2.0.so.0: cannot open shared object file: No such file or directory",
            System("linux", "apt-get", root=True),
            "apt-get update && apt-get install -y libgl1 libglib2.0-0",
        ),
        (
            "ImportError: libSM.so.6: cannot open shared object file",
            UBUNTU,
            "sudo apt-get update && sudo apt-get install -y libsm6",
        ),
        (
            "ImportError: libGL.so.1: cannot open shared object file",
            FEDORA,
            "sudo dnf install -y 'libGL.so.1()(64bit)' 'libglib-2.0.so.0()(64bit)'",
        ),
        (
            "ImportError: libXfixes.so.3: cannot open shared object file",
            System("linux"),
            "install the system packages that hold libXfixes.so.3",
        ),
        (
            "ModuleNotFoundError: No module named 'cv2'",
            UBUNTU,
            "pip install --force-reinstall --no-deps wheel",
        ),
    ],
)
def test_a_broken_import_is_a_problem_with_the_exact_fix(error, system, fix):
    assert check_import("cv2", ProbeResult(error=error), system, "wheel") == Finding(
        "cv2", "problem", error, fix
    )


def test_a_crash_for_want_of_instructions_is_told_from_a_broken_install():
    finding = check_import("mediapipe", ProbeResult(error="crashes Python (SIGILL)"), UBUNTU, "mediapipe")
    assert finding.fix is not None and "AVX" in finding.fix


def test_mediapipe_needs_its_face_mesh_model():
    assert check_mediapipe(ProbeResult('{"version": "0.10.21", "face_mesh": true}'), UBUNTU).verdict == "ok"
    without = check_mediapipe(ProbeResult('{"version": "0.10.30", "face_mesh": false}'), UBUNTU)
    assert without.verdict == "problem"
    assert "mediapipe==0.10.21" in str(without.fix)
    assert check_mediapipe(ProbeResult(error="ImportError: gone"), UBUNTU).verdict == "problem"


def test_the_landmark_model_is_there_or_will_be_fetched():
    file = Path("cache", "face_landmarker.task")
    assert check_landmark_model(file, True).verdict == "ok"
    missing = check_landmark_model(file, False)
    assert missing.verdict == "warning"
    assert missing.fix is not None
    assert MODEL_URL in missing.fix and str(file) in missing.fix and "--landmarker" in missing.fix


def test_the_tracker_must_find_the_one_face_of_the_portrait():
    assert check_tracker(ProbeResult("1"), UBUNTU, "openvino").verdict == "ok"
    none = check_tracker(ProbeResult("0"), UBUNTU, "openvino")
    assert (none.verdict, none.fix) == ("problem", "pip install --force-reinstall --no-deps openvino")
    offline = "TrackerError: the face landmark model cannot be fetched from https://x (no network)"
    assert check_tracker(ProbeResult(error=offline), UBUNTU, "openvino") == Finding(
        "face tracking", "problem", "it needs the landmark model", offline.partition(": ")[2]
    )
    assert (
        check_tracker(ProbeResult(error="RuntimeError: no"), UBUNTU, "openvino").value == "RuntimeError: no"
    )


def test_only_the_encoder_of_the_main_job_is_indispensable():
    assert check_codecs(ProbeResult(f"14.0 {' '.join(ENCODERS)}"), UBUNTU).verdict == "ok"
    without_av1 = check_codecs(ProbeResult("14.0 libx264 libx265 libvpx-vp9 aac"), UBUNTU)
    assert without_av1.verdict == "warning"
    assert "lacks libsvtav1" in without_av1.value
    assert check_codecs(ProbeResult("14.0 aac"), UBUNTU).verdict == "problem"


def test_a_missing_or_broken_engine_is_only_a_warning():
    there = Availability(True, "onnxruntime 1.20")
    assert check_engine("onnx", there, ProbeResult()).verdict == "ok"
    assert check_engine("onnx", there, ProbeResult(error="ImportError: broken")).verdict == "warning"
    missing = check_engine("onnx", Availability(False, "pip install it"), ProbeResult(error="no"))
    assert (missing.verdict, missing.fix) == ("warning", "pip install it")


def test_an_engine_that_most_machines_do_without_is_no_warning():
    optional = Availability(False, "there is no NVIDIA GPU here", expected=False)
    finding = check_engine("tensorrt", optional, ProbeResult(error="no"))
    assert finding == Finding("engine tensorrt", "ok", "there is no NVIDIA GPU here")


def test_model_files_must_be_there_as_installed_and_load():
    files = {Path("basis.npz"): True, Path("estimator.npz"): True}
    assert check_models(files, ProbeResult("basis")).verdict == "ok"
    assert check_models({}, ProbeResult("basis")).value == "basis load; a checkout, hashes unknown"
    broken = check_models({**files, Path("shape.npz"): False, Path("face.onnx"): None}, ProbeResult("basis"))
    assert broken.verdict == "problem"
    assert broken.value == "missing: face.onnx; damaged or changed: shape.npz"
    assert check_models(files, ProbeResult(error="BadZipFile: no")).verdict == "problem"


def test_no_camera_is_no_fault():
    assert check_cameras([], UBUNTU).verdict == "ok"
    assert "Windows itself" in check_cameras([], System("linux", wsl=True)).value


def test_one_camera_that_opens_is_enough():
    found = [ListedCamera(0, "Laptop", True, "1280x720 at 30 fps"), ListedCamera(2, "Infrared", True, None)]
    finding = check_cameras(found, UBUNTU)
    assert finding.verdict == "ok"
    assert finding.value == "0: Laptop (1280x720 at 30 fps), 2: Infrared (does not open)"


@pytest.mark.parametrize(
    ("allowed", "system", "fix"),
    [(False, UBUNTU, "usermod -aG video"), (True, UBUNTU, "close the program"), (True, MAC, "Privacy")],
)
def test_a_camera_that_does_not_open_comes_with_its_fix(allowed, system, fix):
    finding = check_cameras([ListedCamera(0, "Laptop", allowed, None)], system)
    assert finding.verdict == "warning"
    assert fix in str(finding.fix)


@pytest.mark.parametrize(
    ("system", "loopback", "fix"),
    [
        (UBUNTU, False, "sudo apt-get install -y v4l2loopback-dkms && sudo modprobe v4l2loopback"),
        (UBUNTU, True, "sudo modprobe v4l2loopback devices=1 exclusive_caps=1 card_label=reenact"),
        (FEDORA, False, "install v4l2loopback"),
        (System("linux", "apt-get", wsl=True), False, "Windows itself"),
        (MAC, False, "OBS Studio"),
        (WINDOWS, False, "UnityCapture"),
    ],
)
def test_a_missing_virtual_camera_comes_with_the_fix_for_this_system(system, loopback, fix):
    finding = check_virtual_camera(
        ProbeResult(error="RuntimeError: no v4l2 loopback device"), system, loopback
    )
    assert finding.verdict == "warning"
    assert str(finding.fix).startswith(fix) or fix in str(finding.fix)


def test_a_virtual_camera_that_opens_is_named():
    assert check_virtual_camera(ProbeResult("/dev/video9 (v4l2loopback)"), UBUNTU, True).value.startswith(
        "/dev/video9"
    )


@pytest.mark.parametrize(
    ("result", "verdict", "words"),
    [
        (ProbeResult("Blue Yeti"), "ok", "Blue Yeti"),
        (ProbeResult(""), "ok", "only recordings with sound"),
        (ProbeResult(error="OSError: PortAudio library not found"), "warning", "libportaudio2"),
        (ProbeResult(error="ImportError: No module named 'sounddevice'"), "warning", "sounddevice"),
        (
            ProbeResult(
                error="sounddevice.PortAudioError: Error initializing PortAudio: Unanticipated host error"
            ),
            "warning",
            "restart the system's sound service",
        ),
    ],
)
def test_a_microphone_is_named_and_what_is_missing_comes_with_its_fix(result, verdict, words):
    finding = check_microphone(result, UBUNTU)
    assert finding.verdict == verdict
    assert words in f"{finding.value} {finding.fix}"


@pytest.mark.parametrize(
    ("free_mb", "writable", "verdict"),
    [(80_000, True, "ok"), (900, True, "warning"), (20, True, "problem"), (80_000, False, "problem")],
)
def test_the_output_folder_must_be_writable_and_have_room(free_mb, writable, verdict):
    assert check_disk(Path("out"), free_mb, writable).verdict == verdict


def test_a_folder_that_does_not_exist_has_no_room(tmp_path):
    assert machine.disk(tmp_path / "nowhere") == (0.0, False)
    free_mb, writable = machine.disk(tmp_path)
    assert writable and free_mb > 0


def test_a_program_answers_with_what_it_printed_or_why_it_failed():
    assert machine.run("import sys; print(sys.argv[1])", "hello") == ProbeResult("hello")
    assert machine.run("raise OSError('no such lens')") == ProbeResult(error="OSError: no such lens")
    assert machine.run("import sys; sys.exit(3)") == ProbeResult(error="exit code 3")


@pytest.mark.skipif(sys.platform == "win32", reason="signals are a matter of POSIX")
def test_a_program_that_crashes_python_is_an_answer_too():
    program = "import os, signal; os.kill(os.getpid(), signal.SIGILL)"
    assert machine.run(program) == ProbeResult(error="crashes Python (SIGILL)")


def test_a_program_that_never_ends_is_cut_off(monkeypatch):
    monkeypatch.setattr(machine, "LIMIT_S", 0.3)
    assert machine.run("import time; time.sleep(30)") == ProbeResult(error="no answer within 0.3 s")


def test_installed_files_are_checked_against_the_hashes_of_the_installer(tmp_path, monkeypatch):
    info = tmp_path / "reenact-1.dist-info"
    data = tmp_path / "calib" / "data"
    info.mkdir()
    data.mkdir(parents=True)
    digest = base64.urlsafe_b64encode(hashlib.sha256(b"good").digest()).rstrip(b"=").decode()
    names = ("right.npz", "damaged.npz", "gone.npz")
    (info / "METADATA").write_text("Name: reenact\nVersion: 1\n")
    (info / "RECORD").write_text("".join(f"calib/data/{name},sha256={digest},4\n" for name in names))
    (data / "right.npz").write_bytes(b"good")
    (data / "damaged.npz").write_bytes(b"goof")
    monkeypatch.setattr(machine.metadata, "distribution", lambda _: PathDistribution(info))
    assert {path.name: right for path, right in machine.shipped_models().items()} == {
        "right.npz": True,
        "damaged.npz": False,
        "gone.npz": None,
    }


def test_only_cv2_wheels_that_are_installed_are_listed():
    assert set(machine.installed(["click", "no-such-package"])) == {"click"}


@pytest.mark.usefixtures("tracks_faces")
@pytest.mark.slow
def test_this_machine_passes_every_check_that_the_tests_themselves_need(tmp_path):
    findings = {finding.check: finding for finding in diagnose(tmp_path)}
    model = "mediapipe" if sys.version_info < (3, 13) else "landmark model"
    needed = ("numpy", "cv2", model, "face tracking", "codecs", "model files", "output folder")
    assert {name: findings[name].verdict for name in needed} == dict.fromkeys(needed, "ok")


def test_a_broken_cv2_is_reported_with_exit_code_1_and_does_not_crash_the_doctor(tmp_path, monkeypatch):
    broken = "raise ImportError('libGL.so.1: cannot open shared object file: No such file or directory')"
    (tmp_path / "cv2.py").write_text(broken)
    monkeypatch.syspath_prepend(str(tmp_path))
    result = CliRunner().invoke(doctor, ["--json", "-", "--out", str(tmp_path)])
    assert result.exit_code == 1
    told = json.loads(result.stdout)
    assert told["works"] is False
    cv2 = next(finding for finding in told["findings"] if finding["check"] == "cv2")
    assert cv2["verdict"] == "problem"
    assert cv2["value"].startswith("ImportError: libGL.so.1")
    assert cv2["fix"]


def test_warnings_alone_leave_the_exit_code_0_and_fixes_are_printed_unwrapped(tmp_path, monkeypatch):
    fix = "sudo apt-get install -y" + " a-very-long-package-name" * 10
    findings = [Finding("python", "ok", "3.11"), Finding("virtual camera", "warning", "none", fix)]
    monkeypatch.setattr("reenact.doctor.diagnose.diagnose", lambda _: iter(findings))
    result = CliRunner().invoke(doctor, ["--out", str(tmp_path)])
    assert result.exit_code == 0
    assert fix in result.stdout
    assert "reenact can work here" in result.stdout
