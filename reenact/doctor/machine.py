"""Facts about this machine: its cameras, display, disk, installed packages and models.

Packages that may be broken are imported by one of the small programs below, in a process of its own, so that
a package which crashes Python is reported like any other fault.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

V4L = Path("/sys/class/video4linux")
"""The folder in which Linux lists its cameras."""
LIMIT_S = 90
"""The longest time for one program, in seconds; from a cold disk the import of mediapipe takes long."""
APT_PACKAGES = {
    "libGL.so.1": "libgl1",
    "libEGL.so.1": "libegl1",
    "libGLESv2.so.2": "libgles2",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libgthread-2.0.so.0": "libglib2.0-0",
    "libSM.so.6": "libsm6",
    "libICE.so.6": "libice6",
    "libX11.so.6": "libx11-6",
    "libXext.so.6": "libxext6",
    "libXrender.so.1": "libxrender1",
    "libxcb.so.1": "libxcb1",
    "libgomp.so.1": "libgomp1",
    "libstdc++.so.6": "libstdc++6",
    "libportaudio.so.2": "libportaudio2",
}


@dataclass(frozen=True)
class System:
    """The properties of the operating system that repairs depend on."""

    platform: str = sys.platform
    """The value of sys.platform."""
    installer: str | None = None
    """The name of the package manager: apt-get, dnf or another. None: no known one is installed."""
    root: bool = False
    """Whether the user is root, so that commands need no sudo."""
    wsl: bool = False
    """Whether this is Linux inside Windows (WSL)."""

    def install(self, libraries: Collection[str]) -> str:
        """The command that installs shared libraries. libraries: their file names, such as libGL.so.1."""
        sudo = "" if self.root else "sudo "
        if self.installer == "apt-get":
            packages = sorted({APT_PACKAGES.get(library, library) for library in libraries})
            return f"{sudo}apt-get update && {sudo}apt-get install -y {' '.join(packages)}"
        if self.installer == "dnf":
            provided = [f"'{library}()(64bit)'" for library in libraries]
            return f"{sudo}dnf install -y {' '.join(provided)}"
        return f"install the system packages that hold {', '.join(libraries)}"


@dataclass(frozen=True)
class ProbeResult:
    """The result of a small Python program that probes the machine."""

    printed: str = ""
    """The text that it printed."""
    error: str | None = None
    """The reason of its failure in one line. None: it succeeded."""


@dataclass(frozen=True)
class CameraIdentity:
    """The properties by which a camera on Linux is found again after it was unplugged, at a new index."""

    name: str
    """The name of the product."""
    port: str
    """The path of the port that it is plugged into; empty for a virtual camera."""
    stream: str
    """The number of the stream, among a camera's streams of pictures, infrared and metadata."""


@dataclass(frozen=True)
class ListedCamera:
    """A capture device."""

    index: int
    """The number by which OpenCV opens it."""
    name: str
    """The name of the product."""
    allowed: bool
    """Whether this user may open it."""
    format: str | None
    """The size and rate of its pictures, as in 1280x720 at 30 fps. None: it does not open."""


CV2 = """
import cv2
print(cv2.__version__)
"""
MEDIAPIPE = """
import json, pathlib, mediapipe
model = pathlib.Path(mediapipe.__file__).parent / "modules/face_landmark/face_landmark_with_attention.tflite"
print(json.dumps({"version": mediapipe.__version__, "face_mesh": model.is_file()}))
"""
TRACKER = """
import numpy
from pathlib import Path
from PIL import Image
import reenact
from reenact.track import Tracker, TrackerOptions
from reenact.records import Frame
portrait = numpy.asarray(Image.open(Path(reenact.__file__).parent / "data" / "portrait.jpg").convert("RGB"))
with Tracker(TrackerOptions(stills=True)) as tracker:
    print(len(tracker(Frame(portrait)).faces))
"""
CODECS = """
import sys, av
def is_there(encoder):
    try:
        return bool(av.Codec(encoder, "w"))
    except ValueError:
        return False
print(av.__version__, *filter(is_there, sys.argv[1:]))
"""
ENGINE = """
import sys
from engines import import_runtime
import_runtime(sys.argv[1])
"""
MODELS = """
from calib.basis import load_basis
from calib.estimator import load_estimator
from calib.shape import load_shape
load_shape(), load_basis(), load_estimator()
print("face shape, action unit basis and estimator")
"""
CAMERAS = """
import json, sys, cv2
formats = {}
for index in map(int, sys.argv[1:]):
    camera = cv2.VideoCapture(index)
    if camera.isOpened() and camera.read()[0]:
        width, height, fps = (camera.get(what) for what in
            (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT, cv2.CAP_PROP_FPS))
        formats[index] = f"{width:.0f}x{height:.0f} at {fps:.0f} fps"
    camera.release()
print(json.dumps(formats))
"""
MICROPHONE = """
import sounddevice
index = sounddevice.default.device[0]
print(sounddevice.query_devices(index)["name"] if index >= 0 else "")
"""
VIRTUAL_CAMERA = """
import pyvirtualcam
with pyvirtualcam.Camera(width=1280, height=720, fps=30) as camera:
    print(f"{camera.device} ({camera.backend})")
"""
WINDOW = """
import sys, cv2
if not cv2.currentUIFramework():
    sys.exit("this OpenCV has no windows")
cv2.namedWindow("reenact", cv2.WINDOW_GUI_NORMAL)
cv2.destroyAllWindows()
print(cv2.currentUIFramework())
"""


def this_system() -> System:
    """The properties of this machine's operating system."""
    installers = (name for name in ("apt-get", "dnf", "zypper", "pacman", "apk") if shutil.which(name))
    release = Path("/proc/sys/kernel/osrelease")
    return System(
        platform=sys.platform,
        installer=next(installers, None),
        root=hasattr(os, "geteuid") and os.geteuid() == 0,
        wsl=release.exists() and "microsoft" in release.read_text().lower(),
    )


def environment_with_packages() -> dict[str, str]:
    """The environment variables for another Python that is to find the packages of this one."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


def run(program: str, *arguments: str) -> ProbeResult:
    """Runs the text of a Python program in a process of its own, with the packages of this one."""
    command = [sys.executable, "-c", program, *arguments]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=LIMIT_S, env=environment_with_packages()
        )
    except subprocess.TimeoutExpired:
        return ProbeResult(error=f"no answer within {LIMIT_S} s")
    if done.returncode < 0:
        return ProbeResult(error=f"crashes Python ({signal.Signals(-done.returncode).name})")
    if done.returncode > 0:
        return ProbeResult(error=(done.stderr.strip() or f"exit code {done.returncode}").splitlines()[-1])
    return ProbeResult(done.stdout.strip())


def installed(names: Sequence[str]) -> dict[str, str]:
    """The version of each of these packages that is installed."""
    present = {
        distribution.metadata["Name"]: distribution.version for distribution in metadata.distributions()
    }
    return {name: present[name] for name in names if name in present}


def shipped_models() -> dict[Path, bool | None]:
    """Whether each installed data file has the hash that the installer recorded. None: it is missing.

    The dictionary is empty for a checkout, of which nothing is recorded.
    """
    try:
        distribution = metadata.distribution("reenact")
    except metadata.PackageNotFoundError:
        return {}
    # Not `distribution.files`: from Python 3.12 on it leaves out the files that are gone.
    record = csv.reader((distribution.read_text("RECORD") or "").splitlines())
    return {
        path: _has_hash(path, noted)
        for path, noted in ((Path(str(distribution.locate_file(name))), noted) for name, noted, _ in record)
        if noted and path.suffix in DATA_SUFFIXES
    }


DATA_SUFFIXES = frozenset({".npz", ".onnx", ".jpg", ".pbtxt"})


def _has_hash(path: Path, noted: str) -> bool | None:
    """Whether a file has this hash. None: it is missing.

    noted: the hash as in a wheel's RECORD, the algorithm and the digest in base64 without padding.
    """
    if not path.is_file():
        return None
    algorithm, _, expected = noted.partition("=")
    digest = hashlib.new(algorithm, path.read_bytes()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == expected


def cameras() -> list[ListedCamera]:
    """The real capture devices. Each is opened for a moment, so that its lamp lights up."""
    names = camera_names()
    outcome = run(CAMERAS, *map(str, names)) if names else ProbeResult("{}")
    formats = json.loads(outcome.printed) if outcome.error is None else {}
    found = [
        ListedCamera(index, name, may_open(Path(f"/dev/video{index}")), formats.get(str(index)))
        for index, name in sorted(names.items())
    ]
    # Without a list from the system, only those that opened are known to exist.
    return found if sys.platform == "linux" else [camera for camera in found if camera.format]


def camera_identity(index: int, folder: Path = V4L) -> CameraIdentity | None:
    """The identity of the camera at this index. None: there is no camera, or the system does not list any."""
    device = folder / f"video{index}"
    if not (device / "name").exists():
        return None
    port = str((device / "device").resolve()) if (device / "device").exists() else ""
    return CameraIdentity(_text(device / "name"), port, _text(device / "index"))


def find_camera(identity: CameraIdentity, folder: Path = V4L) -> int | None:
    """The present index of a camera: at the same port, or else the only one of its name. None: neither."""
    found = {index: camera_identity(index, folder) for index in _camera_indices(folder)}
    same = [index for index, other in found.items() if other == identity]
    alike = [
        index
        for index, other in found.items()
        if other is not None and (other.name, other.stream) == (identity.name, identity.stream)
    ]
    if same:
        return min(same)
    return alike[0] if len(alike) == 1 else None


def _camera_indices(folder: Path) -> list[int]:
    return [int(device.name.removeprefix("video")) for device in folder.glob("video*")]


def _text(path: Path) -> str:
    return path.read_text().strip()


def camera_names() -> dict[int, str]:
    """The names of the real capture devices by index, without opening any.

    Systems without a list of them give the indices 0 to 3.
    """
    if sys.platform != "linux":
        return dict.fromkeys(range(4), "camera")
    return {
        index: _text(V4L / f"video{index}" / "name")
        for index in _camera_indices(V4L)
        if "virtual" not in (V4L / f"video{index}").resolve().parts
        and _text(V4L / f"video{index}" / "index") == "0"
    }


def may_open(device: Path) -> bool:
    """Whether this user may use a camera. It is True on other systems than Linux, which do not tell."""
    return sys.platform != "linux" or os.access(device, os.R_OK | os.W_OK)


def has_display() -> bool:
    """Whether the environment names a display to open windows on; whether one opens is not tried."""
    return sys.platform != "linux" or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))


def loopback_installed() -> bool:
    """Whether v4l2loopback, Linux's module for virtual cameras, is installed, loaded or not."""
    if sys.platform != "linux":
        return False
    modules = Path("/lib/modules") / os.uname().release
    return Path("/sys/module/v4l2loopback").exists() or any(modules.rglob("v4l2loopback.ko*"))


def disk(folder: Path) -> tuple[float, bool]:
    """(the free space of a folder in megabytes, whether a file can be made there)."""
    try:
        with tempfile.TemporaryFile(dir=folder):
            writable = True
    except OSError:
        writable = False
    return (shutil.disk_usage(folder).free / 1e6 if folder.exists() else 0.0), writable
