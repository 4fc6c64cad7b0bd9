"""Time lines from files: CSV for spreadsheets, JSON for programs."""

from __future__ import annotations

import csv
import json
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from calib.au import Side, UnknownAUError, au_code, sided_au
from reenact.retarget.keyframes import EASINGS, Keyframe, Keyframes, Marker, Track
from reenact.retarget.options import track_id_of
from reenact.retarget.targets import TargetError, parse_value

_COLUMNS = ("time", "au", "value")
_OPTIONAL = ("easing", "face")
_KEY_NAMES = {"time", "value", "easing"}
_JSON_NAMES = ("version", "description", "loop", "tracks", "markers")
_LARGEST_FILE = 10_000_000

_Place = tuple[int, Side | None, int | None]
"""(index of the action unit, side or None, track id or None): what a track is of."""


class KeyframesError(ValueError):
    """A time line that cannot be understood; the message is one line for the user, and says where."""


def load_keyframes(path: Path) -> Keyframes:
    """The time line in a file; raises KeyframesError with its name and the place in it.

    .csv: a header `time,au,value` and, if wanted, `easing` and `face`; a row for each keyframe, in any order:

        time,au,value,easing
        0.0,AU12,+0
        1.5,AU12,+2,ease-out
        3.0,AU45L,5,hold

    .json: {"version": 1, "loop": 4.0, "tracks": [{"au": "AU12", "face": 0,
            "keys": [{"time": 0, "value": "+0"}, {"time": 1.5, "value": "+2", "easing": "spring"}]}],
            "markers": [{"time": 1.5, "name": "smile"}]}

    Times are in seconds. AU45L is on the person's left alone, and goes before AU45. A signed value is added
    to what the face does, an unsigned one is what it shall show; in JSON the sign needs a string: "+2".
    """
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise KeyframesError(f"is larger than {_LARGEST_FILE // 1_000_000} MB")
        text = path.read_text(encoding="utf-8-sig")
        return _from_json(text) if path.suffix.lower() == ".json" else _from_csv(text)
    except KeyframesError as error:
        raise KeyframesError(f"time line {str(path)!r}: {error}") from error
    except UnicodeDecodeError as error:
        raise KeyframesError(f"time line {str(path)!r} is not UTF-8 text") from error
    except OSError as error:
        raise KeyframesError(f"time line {str(path)!r} cannot be read: {error.strerror}") from error


def _from_csv(text: str) -> Keyframes:
    rows = csv.reader(text.splitlines(), skipinitialspace=True)
    try:
        header = [name.strip().lower() for name in next(rows, [])]
        missing = [name for name in _COLUMNS if name not in header]
        if missing:
            raise KeyframesError(f"line 1 has no column {missing[0]!r}; write {','.join(_COLUMNS)}")
        for name in header:
            if name not in (*_COLUMNS, *_OPTIONAL):
                raise KeyframesError(
                    f"line 1: unknown column {name!r}; choose from {', '.join((*_COLUMNS, *_OPTIONAL))}"
                )
        return Keyframes(_tracks(_csv_keys(rows, header)))
    except csv.Error as error:
        raise KeyframesError(f"line {rows.line_num}: {error}") from error


def _csv_keys(rows: Any, header: list[str]) -> Iterator[tuple[_Place, Keyframe, str]]:
    for values in rows:
        if not any(value.strip() for value in values):
            continue
        row = dict(zip(header, (value.strip() for value in values), strict=False))
        where = f"line {rows.line_num}"
        place = *_au(row.get("au", ""), where), _face(row.get("face") or None, where)
        yield place, _key(row.get("time", ""), row.get("value", ""), row.get("easing") or None, where), where


def _from_json(text: str) -> Keyframes:
    try:
        document = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise KeyframesError(f"is not JSON: {error}") from error
    if not isinstance(document, dict) or document.get("version") != 1:
        raise KeyframesError('must be an object with "version": 1')
    for name in document.keys() - set(_JSON_NAMES):
        raise KeyframesError(f"unknown key {name!r}; choose from {', '.join(_JSON_NAMES)}")
    tracks = document.get("tracks")
    if not isinstance(tracks, list):
        raise KeyframesError('"tracks" must be a list')
    loop_s = document.get("loop")
    if loop_s is not None and not (_is_number(loop_s) and loop_s > 0):
        raise KeyframesError(f'"loop" is {loop_s!r:.40}; it is a time in seconds above 0')
    return Keyframes(_tracks(_json_keys(tracks)), loop_s, _markers(document.get("markers", [])))


def _json_keys(tracks: list[Any]) -> Iterator[tuple[_Place, Keyframe, str]]:
    for number, track in enumerate(tracks):
        where = f"track {number}"
        if not isinstance(track, dict) or not isinstance(track.get("keys"), list):
            raise KeyframesError(f'{where} must be an object with "au" and a list "keys"')
        place = *_au(track.get("au"), where), _face(track.get("face"), where)
        for index, key in enumerate(track["keys"]):
            there = f"{where}, key {index}"
            if not isinstance(key, dict) or key.keys() - _KEY_NAMES:
                raise KeyframesError(f"{there} must be an object of time, value and easing")
            yield place, _key(key.get("time"), key.get("value"), key.get("easing"), there), there


def _markers(markers: Any) -> tuple[Marker, ...]:
    if not isinstance(markers, list):
        raise KeyframesError('"markers" must be a list')
    found = []
    for number, marker in enumerate(markers):
        where = f"marker {number}"
        if not isinstance(marker, dict) or marker.keys() != {"time", "name"}:
            raise KeyframesError(f"{where} must be an object of time and name")
        if not isinstance(marker["name"], str):
            raise KeyframesError(f"{where}, name: {marker['name']!r:.40} is not text")
        found.append(Marker(_time(marker["time"], where), marker["name"]))
    return tuple(sorted(found, key=lambda marker: marker.time_s))


def _tracks(keys: Iterator[tuple[_Place, Keyframe, str]]) -> tuple[Track, ...]:
    places: Mapping[_Place, list[Keyframe]] = defaultdict(list)
    for place, key, where in keys:
        if any(key.time_s == other.time_s for other in places[place]):
            raise KeyframesError(f"{where}: {au_code(*place[:2])} has another keyframe at {key.time_s:g} s")
        places[place].append(key)
    if not places:
        raise KeyframesError("holds no keyframe")
    return tuple(
        Track(index, tuple(sorted(found, key=lambda key: key.time_s)), face, side)
        for (index, side, face), found in places.items()
    )


def _key(time: Any, value: Any, easing: Any, where: str) -> Keyframe:
    time_s = _time(time, where)
    try:
        number, absolute = parse_value(
            value if isinstance(value, str) else f"{value:g}" if _is_number(value) else ""
        )
    except TargetError as error:
        raise KeyframesError(f"{where}, value: {error}") from error
    if easing is not None and easing not in EASINGS:
        raise KeyframesError(f"{where}, easing: unknown {easing!r:.40}; choose from {', '.join(EASINGS)}")
    return Keyframe(time_s, number, absolute, easing or Keyframe.easing)


def _time(value: Any, where: str) -> float:
    try:
        time_s = float(value)
    except (TypeError, ValueError):
        time_s = math.nan
    if isinstance(value, bool) or not (math.isfinite(time_s) and time_s >= 0):
        raise KeyframesError(f"{where}, time: {value!r:.40} is not a time in seconds")
    return time_s


def _au(name: Any, where: str) -> tuple[int, Side | None]:
    try:
        return sided_au(str(name))
    except UnknownAUError as error:
        raise KeyframesError(f"{where}, au: {error}") from error


def _face(value: Any, where: str) -> int | None:
    if value is None:
        return None
    track_id = None if isinstance(value, bool) else track_id_of(str(value))
    if track_id is None:
        raise KeyframesError(f"{where}, face: {value!r:.40} is not a face's id")
    return track_id


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
