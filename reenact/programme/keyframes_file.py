"""Files of time lines: CSV for spreadsheets, JSON for programs."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from calib.au import AUName, Side, UnknownAUError, au_code, sided_au
from calib.json_file import has_version, number_in, read_json
from calib.table_file import Table, number_of, open_table
from reenact.programme.face_choice import track_id_of
from reenact.programme.keyframes import EASINGS, Keyframe, Keyframes, Marker, Track
from reenact.programme.target_syntax import TargetError, in_range, parse_value

_COLUMNS = ("time", "au", "value")
_OPTIONAL = ("kind", "easing", "face")
_KINDS = {"relative": False, "absolute": True}
"""Whether a keyframe of this kind is absolute."""
_JSON_NAMES = ("version", "description", "loop", "tracks", "markers")
_TRACK_NAMES = ("au", "face", "kind", "keys")
_KEY_NAMES = ("time", "value", "easing")
LARGEST_BYTES = 10_000_000

_Place = tuple[int, Side | None, int | None]
"""The index of the action unit, the side (None: both) and the track id (None: every face) of a track."""


class KeyframesError(ValueError):
    """A time line cannot be understood; the message is one line for the user and names the place."""


def load_keyframes(path: Path) -> Keyframes:
    """The time line in a file; raises KeyframesError with its name and the place in it.

    .csv: a header `time,au,value` and, if wanted, `kind`, `easing` and `face`; a row for each keyframe, in
    any order:

        time,au,value,easing
        0.0,AU12,+0
        1.5,AU12,+2,ease-out
        3.0,AU45L,5,hold

    .json: {"version": 1, "loop": 4.0, "tracks": [{"au": "AU12", "face": 0, "kind": "relative",
            "keys": [{"time": 0, "value": -0.5}, {"time": 1.5, "value": 2, "easing": "spring"}]}],
            "markers": [{"time": 1.5, "name": "smile"}]}

    Times are in seconds. AU45L is the person's left side alone, and overrides AU45.

    Values are of two kinds: a relative one, -5..5, is added to what the face shows, an absolute one, 0..5, is
    what the face should show. A text, such as each value of a CSV or "+2" in JSON, is relative where it has a
    sign and absolute where it has none. A number in JSON is of the "kind" of its track, absolute where the
    track names none, so that no curve changes its kind where it crosses 0. The column `kind` of a CSV gives
    the kind of the number in its row.
    """
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise KeyframesError(f"is larger than {LARGEST_BYTES} bytes")
        if path.suffix.lower() == ".json":
            return _from_json(read_json(path, KeyframesError, LARGEST_BYTES))
        with open_table(path, KeyframesError) as table:
            return _from_csv(table)
    except KeyframesError as error:
        raise KeyframesError(f"time line {str(path)!r}: {error}") from error
    except OSError as error:
        raise KeyframesError(f"time line {str(path)!r} cannot be read: {error.strerror or error}") from error


def to_csv(keyframes: Keyframes) -> str:
    """The text of a CSV file from which `load_keyframes` reads the same time line.

    Raises KeyframesError where there is a loop or a marker, which a CSV cannot hold.
    """
    if keyframes.loop_s is not None or keyframes.markers:
        raise KeyframesError("a CSV cannot hold a loop or markers; write .json")
    lines = [",".join((*_COLUMNS, "easing", "face"))]
    for track in keyframes.tracks:
        face = "" if track.face is None else str(track.face)
        for key in track.keys:
            cells = repr(key.time_s), _name(track, key), value_text(key), key.easing, face
            lines.append(",".join(cells))
    return "\n".join(lines) + "\n"


def to_json(keyframes: Keyframes) -> str:
    """The text of a JSON file from which `load_keyframes` reads the same time line."""
    document = {
        "version": 1,
        **({} if keyframes.loop_s is None else {"loop": keyframes.loop_s}),
        "tracks": [
            {
                "au": name,
                **({} if track.face is None else {"face": track.face}),
                "keys": [
                    {"time": key.time_s, "value": value_text(key), "easing": key.easing}
                    for key in track.keys
                    if _name(track, key) == name
                ],
            }
            for track in keyframes.tracks
            for name in dict.fromkeys(_name(track, key) for key in track.keys)
        ],
        "markers": [{"time": marker.time_s, "name": marker.name} for marker in keyframes.markers],
    }
    return json.dumps(document, indent=1, allow_nan=False) + "\n"


def _name(track: Track, key: Keyframe) -> str:
    """The name of the action unit of a keyframe: AU62 for an absolute value below 0 of AU61."""
    return au_code(track.index, track.side, -1 if key.absolute and key.value < 0 else 1)


def value_text(key: Keyframe) -> str:
    """The text of a keyframe's value with all digits, signed if it is relative: +0.1, -2.0, 5e-05."""
    if key.absolute:
        return repr(abs(key.value))  # the name tells the sign
    return f"{'-' if math.copysign(1, key.value) < 0 else '+'}{abs(key.value)!r}"


def doubtful_signs(keyframes: Keyframes) -> Iterator[str]:
    """A line for each track whose plus signs a spreadsheet may have dropped.

    Such a track adds its values below 0, but takes those above 0 for intensities to show.
    """
    for track in keyframes.tracks:
        added = [key.value for key in track.keys if not key.absolute]
        shown = [key.value for key in track.keys if key.absolute and key.value > 0]
        if shown and added and max(added) < 0:
            yield (
                f"{au_code(track.index, track.side)}: {added[0]:g} is added to what the face shows, but "
                f"{shown[0]:g} without a sign is what it should show; to add it, write +{shown[0]:g}, or "
                "relative in a column kind"
            )


def _from_csv(table: Table) -> Keyframes:
    header = [name.lower() for name in table.header]
    where, known = f"line {table.header_line}", (*_COLUMNS, *_OPTIONAL)
    for name in _COLUMNS:
        if name not in header:
            raise KeyframesError(f"{where} has no column {name!r}; write {','.join(_COLUMNS)}")
    for name in header:
        if _is_unnamed(name):
            continue
        if name not in known:
            raise KeyframesError(f"{where}: unknown column {name!r:.40}; choose from {', '.join(known)}")
        if header.count(name) > 1:
            raise KeyframesError(f"{where}: the column {name!r} appears twice; keep one")
    return Keyframes(_tracks(_csv_keys(table, header)))


def _is_unnamed(name: str) -> bool:
    """Whether a column is empty or the index that pandas writes."""
    return name == "" or name.startswith("unnamed: ")


def _csv_keys(table: Table, header: Sequence[str]) -> Iterator[tuple[_Place, Keyframe, str]]:
    for each in table.rows:
        row = {name: each.text(place) for place, name in enumerate(header)}
        where = f"line {each.line}"
        name = _au(row.get("au", ""), where)
        place = name.place, name.side, _face(row.get("face") or None, where)
        value = _turned(_csv_value(row.get("value", ""), row.get("kind") or None, where), name)
        time_s = _time(row.get("time", ""), where)
        yield place, _keyframe(time_s, value, row.get("easing") or None, where), where


def _csv_value(text: str, kind: str | None, where: str) -> tuple[float, bool]:
    """(value, whether it is absolute)."""
    absolute = None if kind is None else _is_absolute(kind.lower(), where)
    if absolute is None:
        return _signed(text.replace(",", "."), where)
    try:
        number = number_of(text)
    except ValueError:
        number = math.nan
    return _of_kind(number, absolute, text, where), absolute


def _from_json(document: Any) -> Keyframes:
    if not has_version(document, 1):
        raise KeyframesError('must be an object with "version": 1')
    _check_names(document, _JSON_NAMES, "")
    tracks = document.get("tracks")
    if not isinstance(tracks, list):
        raise KeyframesError('"tracks" must be a list')
    loop_s = document.get("loop")
    if loop_s is not None and not number_in(loop_s) > 0:
        raise KeyframesError(f'"loop" is {loop_s!r:.40}; it is a time in seconds above 0')
    return Keyframes(
        _tracks(_json_keys(tracks)),
        None if loop_s is None else number_in(loop_s),
        _markers(document.get("markers", [])),
    )


def _json_keys(tracks: Sequence[Any]) -> Iterator[tuple[_Place, Keyframe, str]]:
    for number, track in enumerate(tracks):
        where = f"track {number}"
        if not isinstance(track, dict) or not isinstance(track.get("keys"), list):
            raise KeyframesError(f'{where} must be an object with "au" and a list "keys"')
        _check_names(track, _TRACK_NAMES, f"{where}: ")
        name = _au(track.get("au"), where)
        place = name.place, name.side, _face(track.get("face"), where)
        absolute = _is_absolute(track.get("kind", "absolute"), where)
        for index, key in enumerate(track["keys"]):
            there = f"{where}, key {index}"
            if not isinstance(key, dict) or key.keys() - set(_KEY_NAMES):
                raise KeyframesError(f"{there} must be an object of {', '.join(_KEY_NAMES)}")
            value = _turned(_json_value(key.get("value"), absolute, there), name)
            yield place, _keyframe(_time(key.get("time"), there), value, key.get("easing"), there), there


def _json_value(value: Any, absolute: bool, where: str) -> tuple[float, bool]:
    """(value, whether it is absolute): by the sign of a text, or by the kind of the track for a number."""
    if isinstance(value, str):
        return _signed(value, where)
    return _of_kind(number_in(value), absolute, value, where), absolute


def _check_names(found: Mapping[str, Any], known: Collection[str], place: str) -> None:
    for name in found:
        if name not in known:
            raise KeyframesError(f"{place}unknown key {name!r:.40}; choose from {', '.join(known)}")


def _is_absolute(kind: Any, where: str) -> bool:
    if not isinstance(kind, str) or kind not in _KINDS:
        raise KeyframesError(f"{where}, kind: {kind!r:.40} is neither {' nor '.join(map(repr, _KINDS))}")
    return _KINDS[kind]


def _signed(text: str, where: str) -> tuple[float, bool]:
    """(value, whether it is absolute), by its sign."""
    try:
        return parse_value(text)
    except TargetError as error:
        raise KeyframesError(f"{where}, value: {error}") from error


def _of_kind(number: float, absolute: bool, shown: Any, where: str) -> float:
    if math.isnan(number):
        raise KeyframesError(f'{where}, value: {shown!r:.40} is not a number; write 2, or "+2" to add')
    try:
        return in_range(number, "absolute" if absolute else "relative", f"{shown!r:.40}")
    except TargetError as error:
        advice = '; to add it, give its track "kind": "relative"' if number < 0 else ""
        raise KeyframesError(f"{where}, value: {error}{advice}") from error


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
    places: Mapping[_Place, dict[float, Keyframe]] = defaultdict(dict)
    for place, key, where in keys:
        if key.time_s in places[place]:
            raise KeyframesError(f"{where}: {au_code(*place[:2])} has another keyframe at {key.time_s:g} s")
        places[place][key.time_s] = key
    if not places:
        raise KeyframesError("holds no keyframe")
    return tuple(
        Track(index, tuple(sorted(found.values(), key=lambda key: key.time_s)), face, side)
        for (index, side, face), found in places.items()
    )


def _keyframe(time_s: float, value: tuple[float, bool], easing: Any, where: str) -> Keyframe:
    if easing is not None and (not isinstance(easing, str) or easing not in EASINGS):
        raise KeyframesError(f"{where}, easing: unknown {easing!r:.40}; choose from {', '.join(EASINGS)}")
    return Keyframe(time_s, *value, easing or Keyframe.easing)


def _time(value: Any, where: str) -> float:
    try:
        time_s = number_of(value.strip()) if isinstance(value, str) else number_in(value)
    except ValueError:
        time_s = math.nan
    if not time_s >= 0:  # also catches NaN
        raise KeyframesError(f"{where}, time: {value!r:.40} is not a time in seconds")
    return time_s


def _turned(value: tuple[float, bool], name: AUName) -> tuple[float, bool]:
    """The value at the place of the named action unit, which may be another's negative."""
    return name.sign * value[0], value[1]


def _au(name: Any, where: str) -> AUName:
    try:
        return sided_au(str(name))
    except UnknownAUError as error:
        raise KeyframesError(f"{where}, au: {error}") from error


def _face(value: Any, where: str) -> int | None:
    if value is None:
        return None
    track_id = None if isinstance(value, bool) else track_id_of(str(value))
    if track_id is None:
        raise KeyframesError(f"{where}, face: {value!r:.40} is not the id of a face; write 0")
    return track_id
