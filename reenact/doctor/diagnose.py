"""Checks whether this machine can edit films, and says how to repair what is wrong.

The facts come from reenact.doctor.machine; the functions here turn each into a finding, without side effects.
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
from reenact.doctor.machine import ListedCamera, ProbeResult, System
from reenact.track import landmark_model

OLDEST_PYTHON, NEWEST_PYTHON = (3, 10), (3, 14)
"""The oldest and the newest Python that the tests run with."""
FACE_MESH = sys.version_info < (3, 13)
"""Whether there is a mediapipe 0.10.21 for this Python, whose wheel holds the face mesh."""
MEDIAPIPE = "mediapipe==0.10.21"
TRACKER = MEDIAPIPE if FACE_MESH else "openvino"
"""The package that runs the tracker's models."""
CV2 = '"opencv-contrib-python<4.12"' if FACE_MESH else "opencv-contrib-python"
"""4.12 is the first to need numpy 2, which mediapipe 0.10.21 cannot have."""
CV2_WHEELS = (
    "opencv-python",
    "opencv-contrib-python",
    "opencv-python-headless",
    "opencv-contrib-python-headless",
)
ENCODERS = {"libx264": "h264", "libx265": "hevc", "libvpx-vp9": "vp9", "libsvtav1": "av1", "aac": "AAC sound"}
"""FFmpeg's encoders, with the names of what they write. Only the first is needed for an edit."""
LOW_DISK_MB, NO_DISK_MB = 2000, 100
"""The free space below which there is a warning, and below which there is a problem."""
Verdict = Literal["ok", "warning", "problem"]


@dataclass(frozen=True)
class Finding:
    """The result of one check."""

    check: str
    """The name of what was checked."""
    verdict: Verdict
    """The result: ok, a warning, or a problem because of which no film can be edited."""
    value: str
    """What was found, in one line."""
    fix: str | None = None
    """The repair, as a command where there is one. None: nothing is wrong."""


def diagnose(folder: Path) -> Iterator[Finding]:
    """The findings of all checks, each as soon as it is known. folder: the folder that output would go to."""
    system = machine.this_system()
    yield check_python(sys.version_info[:3], sys.maxsize > 2**32)
    yield check_cores(core_count(), visible_cores())
    yield check_numpy(metadata.version("numpy"), FACE_MESH)
    yield check_cv2_wheels(machine.installed(CV2_WHEELS))
    yield check_import("cv2", machine.run(machine.CV2), system, CV2)
    if FACE_MESH:
        yield check_mediapipe(machine.run(machine.MEDIAPIPE), system)
    else:
        yield check_landmark_model(landmark_model.cached_model(), landmark_model.is_cached())
    yield check_tracker(machine.run(machine.TRACKER), system, TRACKER)
    yield check_codecs(machine.run(machine.CODECS, *ENCODERS), system)
    for name, availability in engines_of_interest().items():
        yield check_engine(name, availability, machine.run(machine.ENGINE, name))
    yield check_models(machine.shipped_models(), machine.run(machine.MODELS))
    yield check_cameras(machine.cameras(), system)
    yield check_virtual_camera(machine.run(machine.VIRTUAL_CAMERA), system, machine.loopback_installed())
    yield check_preview(machine.run(machine.WINDOW) if machine.has_display() else None, system)
    yield check_microphone(machine.run(machine.MICROPHONE), system)
    yield check_disk(folder, *machine.disk(folder))


def check_python(version: Sequence[int], is_64_bit: bool) -> Finding:
    """The finding about Python.

    version: the parts of its version number.
    """
    value = f"{'.'.join(map(str, version))}, {'64' if is_64_bit else '32'} bit"
    tested = f"{_dotted(OLDEST_PYTHON)} to {_dotted(NEWEST_PYTHON)}"
    if tuple(version[:2]) < OLDEST_PYTHON or not is_64_bit:
        return Finding("python", "problem", value, f"install 64-bit Python {tested}")
    if tuple(version[:2]) > NEWEST_PYTHON:
        return Finding("python", "warning", f"{value}: not tested", f"if anything fails, use Python {tested}")
    return Finding("python", "ok", value)


def check_cores(usable: int, visible: int) -> Finding:
    """The finding about the processor.

    usable: the number of cores whose time this process may use. visible: the number that it may run on.
    """
    if usable == visible:
        return Finding("processor", "ok", _cores(usable))
    value = f"{_cores(usable)} of {visible}: this container's quota (cpu.max) allows no more"
    return Finding("processor", "ok", value)


def _cores(count: int) -> str:
    return "1 core" if count == 1 else f"{count} cores"


def check_numpy(version: str, face_mesh: bool) -> Finding:
    """The finding about numpy.

    face_mesh: whether this Python uses mediapipe 0.10.21, which was built for numpy 1.
    """
    if not face_mesh or int(version.split(".")[0]) < 2:
        return Finding("numpy", "ok", version)
    return Finding("numpy", "problem", f"{version}: {MEDIAPIPE} needs numpy 1", 'pip install "numpy<2"')


def check_cv2_wheels(wheels: Mapping[str, str]) -> Finding:
    """The finding about OpenCV's packages, of which only one may be installed.

    wheels: the versions of the installed packages that contain cv2, by their names.
    """
    value = ", ".join(f"{name} {version}" for name, version in wheels.items()) or "none installed"
    if len(wheels) == 1:
        return Finding("cv2 wheels", "ok", value)
    if not wheels:
        return Finding("cv2 wheels", "problem", value, f"pip install {CV2}")
    fix = f"pip uninstall -y {' '.join(wheels)} && pip install {CV2}"
    return Finding("cv2 wheels", "warning", f"{value}: they overwrite each other's files", fix)


def check_import(check: str, outcome: ProbeResult, system: System, package: str) -> Finding:
    """The finding about a package that is needed.

    outcome: that of a program that imports the package and prints its version.
    """
    if outcome.error is None:
        return Finding(check, "ok", outcome.printed)
    return Finding(check, "problem", outcome.error, import_fix(outcome.error, system, package))


def import_fix(error: str, system: System, package: str) -> str:
    """The repair for a failure to import a package. error: the last line of the failure."""
    missing = re.search(r"(lib[\w.+-]+\.so(?:\.\d+)*)", error)
    if missing:
        # A system that lacks one of the two usually lacks both.
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


def check_mediapipe(outcome: ProbeResult, system: System) -> Finding:
    if outcome.error is not None:
        return check_import("mediapipe", outcome, system, MEDIAPIPE)
    facts = json.loads(outcome.printed)
    if facts["face_mesh"]:
        return Finding("mediapipe", "ok", f"{facts['version']}, face mesh with iris in its wheel")
    return Finding(
        "mediapipe",
        "problem",
        f"{facts['version']} comes without the face mesh model",
        f"pip install {MEDIAPIPE}, or give --landmarker a face_landmarker.task",
    )


def check_landmark_model(file: Path, is_cached: bool) -> Finding:
    """The finding about the landmark model that is not in a wheel. file: its place in the user's cache."""
    if is_cached:
        return Finding("landmark model", "ok", f"face_landmarker.task in {file.parent}")
    return Finding(
        "landmark model",
        "warning",
        "face_landmarker.task is not in the cache: it is fetched once (4 MB)",
        f"without a network download {landmark_model.MODEL_URL} elsewhere and put it at {file}, "
        "or give its path with --landmarker",
    )


def check_tracker(outcome: ProbeResult, system: System, package: str) -> Finding:
    """The finding about the tracker.

    outcome: that of a program that prints the number of faces in the portrait that ships, which shows one.
    package: the package that runs the tracker's models on this Python.
    """
    check = "face tracking"
    if outcome.error is not None and "cannot be fetched" in outcome.error:
        return Finding(check, "problem", "it needs the landmark model", outcome.error.partition(": ")[2])
    if outcome.error is not None:
        return check_import(check, outcome, system, package)
    if outcome.printed == "1":
        return Finding(check, "ok", "finds the face in the test portrait")
    value = f"finds {outcome.printed} faces in the test portrait, which shows one"
    return Finding(check, "problem", value, f"pip install --force-reinstall --no-deps {package}")


def check_codecs(outcome: ProbeResult, system: System) -> Finding:
    """The finding about codecs.

    outcome: that of a program that prints PyAV's version and which of ENCODERS it has.
    """
    if outcome.error is not None:
        return check_import("codecs", outcome, system, "av")
    version, *available = outcome.printed.split()
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
    """The availability of the engines to report: those that are installed or expected, and TensorRT."""
    found = {name: engines.probe(name) for name in engines.NAMES}
    return {
        name: each for name, each in found.items() if each.available or each.expected or name == "tensorrt"
    }


def check_engine(name: str, availability: engines.Availability, outcome: ProbeResult) -> Finding:
    """The finding about an engine; never a problem, because --generator warp needs none.

    outcome: that of a program that imports the engine's package.
    """
    check = f"engine {name}"
    if not availability.available and not availability.expected:
        return Finding(check, "ok", availability.detail)
    if not availability.available:
        return Finding(check, "warning", "not available", availability.detail)
    if outcome.error is not None:
        package = availability.detail.split()[0]
        fix = f"pip install --force-reinstall {package}; until then use another --engine, or --generator warp"
        return Finding(check, "warning", f"{availability.detail}: {outcome.error}", fix)
    return Finding(check, "ok", availability.detail)


def check_models(files: Mapping[Path, bool | None], outcome: ProbeResult) -> Finding:
    """The finding about the files that ship.

    files: whether each file has the hash of its installation. None: the file is missing.
    outcome: that of a program that loads the models.
    """
    reinstall = "pip install --force-reinstall --no-deps reenact"
    missing = [path.name for path, right in files.items() if right is None]
    changed = [path.name for path, right in files.items() if right is False]
    if missing or changed:
        parts = [("missing", missing), ("damaged or changed", changed)]
        value = "; ".join(f"{what}: {', '.join(names)}" for what, names in parts if names)
        return Finding("model files", "problem", value, reinstall)
    if outcome.error is not None:
        return Finding("model files", "problem", outcome.error, reinstall)
    checked = f"{len(files)} files as they were installed" if files else "a checkout, hashes unknown"
    return Finding("model files", "ok", f"{outcome.printed} load; {checked}")


def check_cameras(found: Sequence[ListedCamera], system: System) -> Finding:
    """The finding about cameras. That there is none is no fault, because files need none."""
    if not found:
        hint = " (WSL passes none through: use reenact on Windows itself)" if system.wsl else ""
        return Finding("cameras", "ok", f"none, which only live use needs{hint}")
    value = ", ".join(f"{camera.index}: {camera.name} ({_state(camera)})" for camera in found)
    if any(camera.format for camera in found):
        return Finding("cameras", "ok", value)
    fix = camera_fix(all(camera.allowed for camera in found), system)
    return Finding("cameras", "warning", value, fix)


def camera_fix(allowed: bool, system: System) -> str:
    """The repair for a camera that does not open. allowed: whether this user may open it."""
    if not allowed:
        return "sudo usermod -aG video $USER, then log out and in again"
    if system.platform == "darwin":
        return "allow the terminal in System Settings > Privacy & Security > Camera"
    return "close the program that uses the camera, or plug it in again"


def check_virtual_camera(outcome: ProbeResult, system: System, loopback: bool) -> Finding:
    """The finding about virtual cameras.

    outcome: that of a program that opens a virtual camera and prints its device.
    loopback: whether v4l2loopback is installed, loaded or not.
    """
    check = "virtual camera"
    if outcome.error is None:
        return Finding(check, "ok", outcome.printed)
    if "No module named" in outcome.error:
        return Finding(check, "warning", outcome.error, "pip install pyvirtualcam")
    return Finding(check, "warning", "none, which only live use needs", virtual_camera_fix(system, loopback))


def virtual_camera_fix(system: System, loopback: bool) -> str:
    """The instructions that give this system a virtual camera."""
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


def check_microphone(outcome: ProbeResult, system: System) -> Finding:
    """The finding about microphones, which only recordings need.

    outcome: that of a program that prints the default microphone's name, or nothing if there is none.
    """
    check = "microphone"
    if outcome.error is None:
        return Finding(check, "ok", outcome.printed or "none, which only recordings with sound need")
    if "PortAudioError" in outcome.error:  # the library is installed, but does not start
        return Finding(check, "warning", outcome.error, "restart the system's sound service, or the computer")
    if "PortAudio" in outcome.error:
        fix = system.install(["libportaudio.so.2"])
        return Finding(check, "warning", "no PortAudio, which only recordings with sound need", fix)
    return Finding(check, "warning", outcome.error, "pip install --force-reinstall sounddevice")


def check_preview(outcome: ProbeResult | None, system: System) -> Finding:
    """The finding about the preview window.

    outcome: that of a program that opens a window and prints its library's name. None: no display.
    """
    check = "preview window"
    why = why_no_window(outcome, system)
    if outcome is None:
        return Finding(check, "ok", f"none: {NO_DISPLAY}; `reenact webcam` works without")
    if why is None:
        return Finding(check, "ok", f"opens, with {outcome.printed}")
    value, _, fix = why.partition(": ")
    return Finding(check, "warning", value, fix)


NO_DISPLAY = "this machine has no display"


def why_no_window(outcome: ProbeResult | None, system: System) -> str | None:
    """The reason why no window opens, a colon and the repair, in one line. None: a window opens.

    outcome: as `check_preview` takes it.
    """
    if outcome is None:
        return NO_DISPLAY
    if outcome.error is None:
        return None
    if "has no windows" in outcome.error:
        return f"{outcome.error}: pip uninstall -y {' '.join(CV2_WHEELS)} && pip install {CV2}"
    if "Python (" in outcome.error:
        return (
            "the display does not let a window open: "
            "log in on the machine itself, or use ssh -Y, or unset DISPLAY"
        )
    return f"{outcome.error}: {import_fix(outcome.error, system, CV2)}"


def check_disk(folder: Path, free_mb: float, writable: bool) -> Finding:
    """The finding about the folder that output would go to. free_mb: its free space in megabytes."""
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
