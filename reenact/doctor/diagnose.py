"""What this machine has and lacks for the main job, and the fix for what it lacks.

The facts come from reenact.doctor.machine; here functions without side effects say what they mean.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

import engines
from engines.threads import core_count, visible_cores
from reenact.doctor import machine
from reenact.doctor.machine import Answer, ListedCamera, System
from reenact.track import landmark_model

OLDEST_PYTHON, NEWEST_PYTHON = (3, 10), (3, 14)
"""The first and the last that the tests run with."""
FACE_MESH = sys.version_info < (3, 13)
"""Whether there is a mediapipe 0.10.21 for this Python, whose wheel holds the face mesh."""
MEDIAPIPE = "mediapipe==0.10.21"
TRACKER = MEDIAPIPE if FACE_MESH else "openvino"
"""What runs the tracker's models."""
CV2 = '"opencv-contrib-python<4.12"' if FACE_MESH else "opencv-contrib-python"
"""4.12 is the first to need numpy 2, which mediapipe 0.10.21 cannot have."""
CV2_WHEELS = (
    "opencv-python",
    "opencv-contrib-python",
    "opencv-python-headless",
    "opencv-contrib-python-headless",
)
ENCODERS = {"libx264": "h264", "libx265": "hevc", "libvpx-vp9": "vp9", "libsvtav1": "av1", "aac": "AAC sound"}
"""FFmpeg's encoders and what they write. The main job needs the first."""
LOW_DISK_MB, NO_DISK_MB = 2000, 100
Verdict = Literal["ok", "warning", "problem"]


@dataclass(frozen=True)
class Finding:
    """What one check found."""

    check: str
    verdict: Verdict
    """ "problem": the main job, a video in and a video out, cannot work."""
    value: str
    fix: str | None = None
    """What to do, as exactly as this system allows; None where nothing is wrong."""


def diagnose(folder: Path) -> Iterator[Finding]:
    """All checks, one after the other; `folder` is where output would go."""
    system = machine.this_system()
    yield judge_python(sys.version_info[:3], sys.maxsize > 2**32)
    yield judge_cores(core_count(), visible_cores())
    yield judge_numpy(metadata.version("numpy"), FACE_MESH)
    yield judge_cv2_wheels(machine.installed(CV2_WHEELS))
    yield judge_import("cv2", machine.ask(machine.CV2), system, CV2)
    if FACE_MESH:
        yield judge_mediapipe(machine.ask(machine.MEDIAPIPE), system)
    else:
        yield judge_landmark_model(landmark_model.cached_model(), landmark_model.is_cached())
    yield judge_tracker(machine.ask(machine.TRACKER), system, TRACKER)
    yield judge_codecs(machine.ask(machine.CODECS, *ENCODERS), system)
    for name, availability in engines_of_interest().items():
        yield judge_engine(name, availability, machine.ask(machine.ENGINE, name))
    yield judge_models(machine.shipped_models(), machine.ask(machine.MODELS))
    yield judge_cameras(machine.cameras(), system)
    yield judge_virtual_camera(machine.ask(machine.VIRTUAL_CAMERA), system, machine.loopback_installed())
    yield judge_preview(machine.ask(machine.WINDOW) if machine.display_named() else None, system)
    yield judge_microphone(machine.ask(machine.MICROPHONE), system)
    yield judge_disk(folder, *machine.disk(folder))


def judge_python(version: Sequence[int], is_64_bit: bool) -> Finding:
    value = f"{'.'.join(map(str, version))}, {'64' if is_64_bit else '32'} bit"
    tested = f"{_dotted(OLDEST_PYTHON)} to {_dotted(NEWEST_PYTHON)}"
    if tuple(version[:2]) < OLDEST_PYTHON or not is_64_bit:
        return Finding("python", "problem", value, f"install 64-bit Python {tested}")
    if tuple(version[:2]) > NEWEST_PYTHON:
        return Finding("python", "warning", f"{value}: not tested", f"if anything fails, use Python {tested}")
    return Finding("python", "ok", value)


def judge_cores(usable: int, visible: int) -> Finding:
    """usable: how many cores this process may be busy on. visible: how many it may run on."""
    if usable == visible:
        return Finding("processor", "ok", _cores(usable))
    value = f"{_cores(usable)} of {visible}: this container's quota (cpu.max) allows no more"
    return Finding("processor", "ok", value)


def _cores(count: int) -> str:
    return "1 core" if count == 1 else f"{count} cores"


def judge_numpy(version: str, face_mesh: bool) -> Finding:
    """face_mesh: whether this Python uses mediapipe 0.10.21, which was built for numpy 1."""
    if not face_mesh or int(version.split(".")[0]) < 2:
        return Finding("numpy", "ok", version)
    return Finding("numpy", "problem", f"{version}: {MEDIAPIPE} needs numpy 1", 'pip install "numpy<2"')


def judge_cv2_wheels(wheels: Mapping[str, str]) -> Finding:
    """`wheels`: name to version of the packages installed that bring a cv2."""
    value = ", ".join(f"{name} {version}" for name, version in wheels.items()) or "none installed"
    if len(wheels) == 1:
        return Finding("cv2 wheels", "ok", value)
    if not wheels:
        return Finding("cv2 wheels", "problem", value, f"pip install {CV2}")
    fix = f"pip uninstall -y {' '.join(wheels)} && pip install {CV2}"
    return Finding("cv2 wheels", "warning", f"{value}: they overwrite each other's files", fix)


def judge_import(check: str, answer: Answer, system: System, package: str) -> Finding:
    """A package that has to be importable, and prints its version."""
    if answer.error is None:
        return Finding(check, "ok", answer.printed)
    return Finding(check, "problem", answer.error, import_fix(answer.error, system, package))


def import_fix(error: str, system: System, package: str) -> str:
    """What helps against this failure to import."""
    missing = re.search(r"(lib[\w.+-]+\.so(?:\.\d+)*)", error)
    if missing:
        # A system that lacks the one usually lacks both, and would fail over the other next.
        pair = {"libGL.so.1", "libglib-2.0.so.0"}
        library = missing.group(1)
        known = {"libgthread-2.0.so.0", *pair}
        return system.install(sorted(pair) if library in known else [library])
    if "SIGILL" in error:
        return f"this processor lacks instructions (AVX) that {package} was built for; use a newer machine"
    if "DLL load failed" in error:
        return (
            "install the Microsoft Visual C++ Redistributable: https://aka.ms/vs/17/release/vc_redist.x64.exe"
        )
    return f"pip install --force-reinstall --no-deps {package}"


def judge_mediapipe(answer: Answer, system: System) -> Finding:
    if answer.error is not None:
        return judge_import("mediapipe", answer, system, MEDIAPIPE)
    facts = json.loads(answer.printed)
    if facts["face_mesh"]:
        return Finding("mediapipe", "ok", f"{facts['version']}, face mesh with iris in its wheel")
    return Finding(
        "mediapipe",
        "problem",
        f"{facts['version']} comes without the face mesh model",
        f"pip install {MEDIAPIPE}, or give --landmarker a face_landmarker.task",
    )


def judge_landmark_model(file: Path, is_cached: bool) -> Finding:
    """Of the back end without a model in a wheel. file: where the user's cache keeps it."""
    if is_cached:
        return Finding("landmark model", "ok", f"face_landmarker.task in {file.parent}")
    return Finding(
        "landmark model",
        "warning",
        "face_landmarker.task is not in the cache: it is fetched once (4 MB)",
        f"without a network download {landmark_model.MODEL_URL} elsewhere and put it at {file}, "
        "or give its path with --landmarker",
    )


def judge_tracker(answer: Answer, system: System, package: str) -> Finding:
    """The program prints how many faces it found in the portrait that ships with the project: one.

    package: what runs the tracker's models on this Python.
    """
    check = "face tracking"
    if answer.error is not None and "cannot be fetched" in answer.error:
        return Finding(check, "problem", "it needs the landmark model", answer.error.partition(": ")[2])
    if answer.error is not None:
        return judge_import(check, answer, system, package)
    if answer.printed == "1":
        return Finding(check, "ok", "finds the face in the test portrait")
    value = f"finds {answer.printed} faces in the test portrait, which shows one"
    return Finding(check, "problem", value, f"pip install --force-reinstall --no-deps {package}")


def judge_codecs(answer: Answer, system: System) -> Finding:
    """The program prints PyAV's version and those of ENCODERS that it has."""
    if answer.error is not None:
        return judge_import("codecs", answer, system, "av")
    version, *available = answer.printed.split()
    missing = [encoder for encoder in ENCODERS if encoder not in available]
    have = [written for encoder, written in ENCODERS.items() if encoder not in missing]
    value = f"PyAV {version} writes {', '.join(have) or 'nothing'}"
    if not missing:
        return Finding("codecs", "ok", value)
    return Finding(
        "codecs",
        "problem" if "libx264" in missing else "warning",
        f"{value}; lacks {', '.join(missing)}",
        "pip install --force-reinstall --only-binary av av, whose wheels bring an FFmpeg with all of these",
    )


def engines_of_interest() -> dict[str, engines.Availability]:
    """Those that are here or may be expected, and TensorRT, whose absence is worth a word."""
    answers = {name: engines.probe(name) for name in engines.NAMES}
    return {
        name: answer
        for name, answer in answers.items()
        if answer.available or answer.expected or name == "tensorrt"
    }


def judge_engine(name: str, availability: engines.Availability, answer: Answer) -> Finding:
    """No problem for the main job: without an engine, the geometry generator works alone."""
    check = f"engine {name}"
    if not availability.available and not availability.expected:
        return Finding(check, "ok", availability.detail)
    if not availability.available:
        return Finding(check, "warning", "not available", availability.detail)
    if answer.error is not None:
        package = availability.detail.split()[0]
        fix = f"pip install --force-reinstall {package}; until then use another --engine, or --generator warp"
        return Finding(check, "warning", f"{availability.detail}: {answer.error}", fix)
    return Finding(check, "ok", availability.detail)


def judge_models(files: Mapping[Path, bool | None], answer: Answer) -> Finding:
    """`files`: whether each shipped file has the hash it was installed with; None where it is not there."""
    reinstall = "pip install --force-reinstall --no-deps reenact"
    missing = [path.name for path, right in files.items() if right is None]
    changed = [path.name for path, right in files.items() if right is False]
    if missing or changed:
        parts = [("missing", missing), ("damaged or changed", changed)]
        value = "; ".join(f"{what}: {', '.join(names)}" for what, names in parts if names)
        return Finding("model files", "problem", value, reinstall)
    if answer.error is not None:
        return Finding("model files", "problem", answer.error, reinstall)
    checked = f"{len(files)} files as they were installed" if files else "a checkout, hashes unknown"
    return Finding("model files", "ok", f"{answer.printed} load; {checked}")


def judge_cameras(found: Sequence[ListedCamera], system: System) -> Finding:
    """No camera is no fault: files need none."""
    if not found:
        hint = " (WSL passes none through: use reenact on Windows itself)" if system.wsl else ""
        return Finding("cameras", "ok", f"none, which only live use needs{hint}")
    value = ", ".join(f"{camera.index}: {camera.name} ({_state(camera)})" for camera in found)
    if any(camera.format for camera in found):
        return Finding("cameras", "ok", value)
    fix = camera_fix(all(camera.allowed for camera in found), system)
    return Finding("cameras", "warning", value, fix)


def camera_fix(allowed: bool, system: System) -> str:
    """What helps when a camera is there but does not open. `allowed`: this user may open it."""
    if not allowed:
        return "sudo usermod -aG video $USER, then log out and in again"
    if system.platform == "darwin":
        return "allow the terminal in System Settings > Privacy & Security > Camera"
    return "close the program that uses the camera, or plug it in again"


def judge_virtual_camera(answer: Answer, system: System, loopback: bool) -> Finding:
    """The program opens one and prints its device. `loopback`: v4l2loopback is installed, loaded or not."""
    check = "virtual camera"
    if answer.error is None:
        return Finding(check, "ok", answer.printed)
    if "No module named" in answer.error:
        return Finding(check, "warning", answer.error, "pip install pyvirtualcam")
    return Finding(check, "warning", "none, which only live use needs", virtual_camera_fix(system, loopback))


def virtual_camera_fix(system: System, loopback: bool) -> str:
    """How to get a virtual camera on this system."""
    sudo = "" if system.root else "sudo "
    if system.wsl:
        return "use reenact on Windows itself: WSL's kernel has no virtual cameras"
    if system.platform == "linux":
        load = f"{sudo}modprobe v4l2loopback devices=1 exclusive_caps=1 card_label=reenact"
        if loopback:
            return load
        if system.installer == "apt-get":
            return f"{sudo}apt-get install -y v4l2loopback-dkms && {load}"
        return f"install v4l2loopback (https://github.com/umlaeute/v4l2loopback), then {load}"
    if system.platform == "darwin":
        return (
            "install OBS Studio (https://obsproject.com), press Start Virtual Camera in it once, then quit it"
        )
    return (
        "install OBS Studio (https://obsproject.com), whose virtual camera works without OBS running, "
        "or UnityCapture (https://github.com/schellingb/UnityCapture)"
    )


def judge_microphone(answer: Answer, system: System) -> Finding:
    """The program prints the name of the usual one, nothing if there is none; only recordings need one."""
    check = "microphone"
    if answer.error is None:
        return Finding(check, "ok", answer.printed or "none, which only recordings with sound need")
    if "PortAudioError" in answer.error:  # it is there, and does not start
        return Finding(check, "warning", answer.error, "restart the system's sound service, or the computer")
    if "PortAudio" in answer.error:
        fix = system.install(["libportaudio.so.2"])
        return Finding(check, "warning", "no PortAudio, which only recordings with sound need", fix)
    return Finding(check, "warning", answer.error, "pip install --force-reinstall sounddevice")


def judge_preview(answer: Answer | None, system: System) -> Finding:
    """The program opens a window and prints with what. None: there is no display."""
    check = "preview window"
    why = why_no_window(answer, system)
    if answer is None:
        return Finding(check, "ok", f"none: {NO_DISPLAY}; `reenact webcam` works without")
    if why is None:
        return Finding(check, "ok", f"opens, with {answer.printed}")
    value, _, fix = why.partition(": ")
    return Finding(check, "warning", value, fix)


NO_DISPLAY = "this machine has no display"


def why_no_window(answer: Answer | None, system: System) -> str | None:
    """Why no window opens, and after a colon what to do, in one line; None if one does."""
    if answer is None:
        return NO_DISPLAY
    if answer.error is None:
        return None
    if "has no windows" in answer.error:
        return f"{answer.error}: pip uninstall -y {' '.join(CV2_WHEELS)} && pip install {CV2}"
    if "Python (" in answer.error:
        return (
            "the display does not let a window open: "
            "log in on the machine itself, or use ssh -Y, or unset DISPLAY"
        )
    return f"{answer.error}: {import_fix(answer.error, system, CV2)}"


def judge_disk(folder: Path, free_mb: float, writable: bool) -> Finding:
    value = f"{free_mb / 1000:.1f} GB free in {folder}"
    if not writable:
        return Finding(
            "output folder", "problem", f"{folder} cannot be written to", "choose another with --out"
        )
    if free_mb >= LOW_DISK_MB:
        return Finding("output folder", "ok", value)
    verdict: Verdict = "problem" if free_mb < NO_DISK_MB else "warning"
    return Finding("output folder", verdict, value, "free some space there, or choose another with --out")


def _state(camera: ListedCamera) -> str:
    if camera.format:
        return camera.format
    return "does not open" if camera.allowed else "no permission"


def _dotted(version: Sequence[int]) -> str:
    return ".".join(map(str, version))
