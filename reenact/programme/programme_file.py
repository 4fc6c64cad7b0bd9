"""Programme files: JSON with a programme for each face, of names, numbers and paths only, safe to open.

    {"version": 1, "description": "said aloud",
     "faces": {"0": "smile",
               "anna.png": {"targets": "AU12=+2", "driver": "driver.mp4", "neutralise": 0.5},
               "*": "none"}}

The key of an entry is a track id, a picture of the person, or "*" for all faces that no other entry names.
Its value is targets in the notation of --target-aus, or an object with the keys in FACE_KEYS, which mean the
same as the options of these names. Paths are relative to the file.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from calib.json_file import has_version, number_in, read_json
from reenact.programme.driver import MAX_GAIN, DriverOptions, RegionError, parse_regions
from reenact.programme.face_request import DriverRequest, FaceRequest, FaceRequestError, face_of
from reenact.programme.target_syntax import TargetError, parse_scales, parse_targets
from reenact.programme.targets import MAX_STRENGTH, Targets

_KEYS = ("version", "description", "faces")
_OTHERS = "*"


class ProgrammeError(ValueError):
    """A programme file cannot be understood; the message is one line for the user and names the place."""


def load_programme(path: Path) -> tuple[FaceRequest, ...]:
    """The requests in a file, in its order. Raises ProgrammeError with its name and the place in it."""
    try:
        return _plans(read_json(path, ProgrammeError), path.parent)
    except ProgrammeError as error:
        raise ProgrammeError(f"programme {str(path)!r}: {error}") from error


def _plans(document: Any, folder: Path) -> tuple[FaceRequest, ...]:
    if not has_version(document, 1):
        raise ProgrammeError('must be an object with "version": 1')
    _check_keys(document, _KEYS, "")
    if not isinstance(document.get("description", ""), str):
        raise ProgrammeError('"description" must be text')
    faces = document.get("faces")
    if not isinstance(faces, dict) or not faces:
        raise ProgrammeError('"faces" must be an object with an entry for each face: {"0": "smile"}')
    plans = tuple(_plan(name, entry, folder) for name, entry in faces.items())
    for index, plan in enumerate(plans):
        if any(plan.face == other.face for other in plans[:index]):
            raise ProgrammeError(f"{_place(list(faces)[index])}: this face has another entry")
    return plans


def _plan(name: str, entry: Any, folder: Path) -> FaceRequest:
    where = _place(name)
    face = _face(name, folder, where)
    if isinstance(entry, str):
        return FaceRequest(face, _targets(entry, folder, where))
    if not isinstance(entry, dict) or not entry:
        raise ProgrammeError(f'{where}: must be targets such as "smile" or an object, not {entry!r:.40}')
    _check_keys(entry, FACE_KEYS, where)
    given = {key: FACE_KEYS[key](value, folder, f"{where}.{key}") for key, value in entry.items()}
    how = {name: given.pop(key) for key, name in _DRIVER_OPTIONS.items() if key in given}
    rest = {key: given.pop(key) for key in ("targets", "strength") if key in given}
    return FaceRequest(face, driving=DriverRequest(how=DriverOptions(**how), **given), **rest)


def _face(name: str, folder: Path, where: str) -> int | Path | None:
    if name == _OTHERS:
        return None
    try:
        face = face_of(name)
    except FaceRequestError as error:
        raise ProgrammeError(f"{where}: {error}") from error
    return face if isinstance(face, int) else _file(name, folder, where)


def _check_keys(found: Mapping[str, Any], known: Collection[str], where: str) -> None:
    for key in found:
        if key not in known:
            place = f"{where}: " if where else ""
            raise ProgrammeError(f"{place}unknown key {key!r:.40}; choose from {', '.join(known)}")


def _place(name: str) -> str:
    return f'faces["{name:.60}"]' if name.isprintable() else f"faces[{name!r:.60}]"


Reader = Callable[[Any, Path, str], Any]
"""Reads a value, given the value, the file's folder and the place in the file."""


def _text(value: Any, folder: Path, where: str) -> str:
    if not isinstance(value, str):
        raise ProgrammeError(f"{where}: {value!r:.40} is not text")
    return value


def _file(value: Any, folder: Path, where: str) -> Path:
    name = _text(value, folder, where)
    try:
        path = folder / name
        if path.is_file():
            return path
    except (OSError, ValueError):  # no valid file name
        pass
    raise ProgrammeError(f"{where}: there is no file {name!r:.200} beside the programme")


def _number(low: float, high: float = math.inf, *, above: bool = False) -> Reader:
    """Returns a reader of numbers from `low` to `high`. above: `low` itself is excluded."""
    limits = f"{'above' if above else 'from'} {low:g}" + (f" to {high:g}" if high < math.inf else "")

    def read(value: Any, folder: Path, where: str) -> float:
        number = number_in(value)
        if not low <= number <= high or (above and number == low) or math.isinf(number):
            raise ProgrammeError(f"{where}: {value!r:.40} is not a number {limits}")
        return number

    return read


def _transfer(value: Any, folder: Path, where: str) -> str:
    if value not in ("absolute", "relative"):
        raise ProgrammeError(f"{where}: {value!r:.40} is neither 'absolute' nor 'relative'")
    return str(value)


def _yes_or_no(value: Any, folder: Path, where: str) -> bool:
    if not isinstance(value, bool):
        raise ProgrammeError(f"{where}: {value!r:.40} is neither true nor false")
    return value


def _parsed(parse: Callable[[str], Any], refusal: type[Exception]) -> Reader:
    def read(value: Any, folder: Path, where: str) -> Any:
        try:
            return parse(_text(value, folder, where))
        except refusal as error:
            raise ProgrammeError(f"{where}: {error}") from error

    return read


def _targets(value: Any, folder: Path, where: str) -> Targets:
    text = _text(value, folder, where)
    if text.strip().lower().endswith(".json"):
        text = str(_file(text.strip(), folder, where))
    return _parsed(parse_targets, TargetError)(text, folder, where)


def _face_id(value: Any, folder: Path, where: str) -> str:
    """The text that --driver-face takes, which JSON may give as a number."""
    plain = isinstance(value, int) and not isinstance(value, bool)
    return str(value) if plain else _text(value, folder, where)


FACE_KEYS: Mapping[str, Reader] = {
    "targets": _targets,
    "strength": _number(0, MAX_STRENGTH),
    "driver": _file,
    "transfer": _transfer,
    "regions": _parsed(parse_regions, RegionError),
    "gain": _number(0, MAX_GAIN),
    "driver_face": _face_id,
    "driver_start": _number(0),
    "driver_loop": _yes_or_no,
    "driver_fps": _number(0, above=True),
    "timeline": _file,
    "neutralise": _number(0, 1),
    "scale": _parsed(parse_scales, TargetError),
}
"""The readers of the values of a face's object, by key."""
_DRIVER_OPTIONS = {
    "transfer": "transfer",
    "regions": "regions",
    "gain": "gain",
    "driver_start": "start_s",
    "driver_loop": "loop",
}
"""The fields of DriverOptions by the keys that set them."""
