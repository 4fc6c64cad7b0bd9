"""MediaPipe's face landmark model: downloaded once, cached, and unpacked into its networks."""

from __future__ import annotations

import hashlib
import http.client
import logging
import os
import tempfile
import urllib.error
import urllib.request
import zipfile
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import platformdirs

from reenact.track.fit import TrackerError

log = logging.getLogger(__name__)

MODEL_URL = "https://storage.googleapis.com/mediapipe-models/face_landmarker/face_landmarker/float16/1/face_landmarker.task"
MODEL_SHA256 = "64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff"
HINT = f"download {MODEL_URL} and give its path with --landmarker"
MOST_BYTES = 100_000_000
"""A longer download is refused, in bytes; the model has 4 MB."""
_TIMEOUT_S = 20.0
"""Timeout of the server, in seconds."""
_DETECTOR, _LANDMARKS = "face_detector.tflite", "face_landmarks_detector.tflite"


@dataclass(frozen=True)
class Networks:
    """The two networks of a face landmark model, as contents of TensorFlow Lite files."""

    detector: bytes
    """BlazeFace, which detects faces."""
    landmarks: bytes
    """The network that fits 478 landmarks to a face."""


def cached_model() -> Path:
    """The path of the cached model: ~/.cache/reenact/models/face_landmarker.task on Linux."""
    return platformdirs.user_cache_path("reenact", appauthor=False) / "models" / "face_landmarker.task"


def is_cached() -> bool:
    """Whether the cached model exists and has the right SHA-256."""
    return _content(cached_model(), MODEL_SHA256) is not None


def read_landmark_model(given: Path | None = None) -> bytes:
    """The content of the `.task` file `given`. None: MediaPipe's own model, from the cache or else fetched.

    Raises TrackerError where the file cannot be read or the model cannot be fetched.
    """
    if given is None:
        return fetched_model(cached_model())
    try:
        return given.read_bytes()
    except FileNotFoundError:
        raise TrackerError(f"no face landmarker model at {str(given)!r}; {HINT}") from None
    except OSError as error:
        raise TrackerError(f"cannot read the model {str(given)!r}: {error.strerror}; {HINT}") from error


def fetched_model(file: Path, url: str = MODEL_URL, sha256: str = MODEL_SHA256) -> bytes:
    """The content of `file` if it has this SHA-256; otherwise it is fetched from `url` and kept in `file`.

    Several processes may do this at once: the file appears whole or not at all. Raises TrackerError where the
    model cannot be fetched; the message says how to download it by hand.
    """
    kept = _content(file, sha256)
    if kept is not None:
        return kept
    log.warning("fetching the face landmark model (4 MB, once) from %s", url)
    try:
        content = _fetch(url, sha256)
    except _FetchError as error:
        raise TrackerError(
            f"the face landmark model cannot be fetched from {url} ({error}); download it elsewhere and put "
            f"it at {file}, or give its path with --landmarker"
        ) from error
    try:
        _write_atomically(content, file)
    except OSError as error:
        log.warning("the face landmark model cannot be kept at %s: %s", file, error.strerror)
    return content


def _content(file: Path, sha256: str) -> bytes | None:
    """The file's content. None: it is missing, cannot be read or has another SHA-256."""
    with suppress(OSError):
        content = file.read_bytes()
        if hashlib.sha256(content).hexdigest() == sha256:
            return content
        log.warning("%s is damaged", file)
    return None


class _FetchError(Exception):
    """Raised where the download fails or has the wrong content."""


def _fetch(url: str, sha256: str) -> bytes:
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as answer:
            content: bytes = answer.read(MOST_BYTES + 1)
            missing = getattr(answer, "length", None)  # bytes of the announced length that have not come
    except urllib.error.HTTPError as error:
        raise _FetchError(f"{error.code} {error.reason}") from error
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise _FetchError(str(getattr(reason, "strerror", None) or reason)) from error
    if len(content) > MOST_BYTES:
        raise _FetchError(f"the download has more than {MOST_BYTES} bytes")
    if missing:
        raise _FetchError(f"the download breaks off after {len(content)} bytes, {missing} are missing")
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise _FetchError(f"the download has the SHA-256 {found[:12]}…, not {sha256[:12]}…")
    return content


def _write_atomically(content: bytes, file: Path) -> None:
    """Writes the file atomically, by renaming a temporary file beside it. Raises OSError."""
    file.parent.mkdir(parents=True, exist_ok=True)
    descriptor, beside = tempfile.mkstemp(prefix=".fetching-", dir=file.parent)
    try:
        with os.fdopen(descriptor, "wb") as written:
            written.write(content)
        os.replace(beside, file)
    except BaseException:
        Path(beside).unlink(missing_ok=True)
        raise


def read_networks(content: bytes) -> Networks:
    """The networks in the content of a `.task` file. Raises ValueError where it is no such file."""
    try:
        with zipfile.ZipFile(BytesIO(content)) as task:
            networks = Networks(task.read(_DETECTOR), task.read(_LANDMARKS))
    except KeyError as error:
        raise ValueError(f"{error.args[0]}") from error
    except (zipfile.BadZipFile, NotImplementedError, EOFError, OSError) as error:
        raise ValueError(str(error)) from error
    for name, network in ((_DETECTOR, networks.detector), (_LANDMARKS, networks.landmarks)):
        _require_tflite(name, network)
    return networks


def _require_tflite(name: str, network: bytes) -> None:
    """Raises ValueError unless the content begins like a TFLite file: OpenVINO 2024 crashes on others.

    A FlatBuffer begins with the place of its root, an uint32, and four letters for its kind.
    """
    root = int.from_bytes(network[:4], "little")
    if network[4:8] != b"TFL3" or not 8 <= root <= len(network) - 4:
        raise ValueError(f"{name} is no TFLite network")
