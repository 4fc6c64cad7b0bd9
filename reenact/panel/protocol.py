"""The control protocol, version 1: JSON messages that read and change a live run.

A client sends commands, {"do": "set", "id": 7, "strength": 0.5}, and gets one answer to each with its id,
{"is": "done", "id": 7} or {"is": "error", "id": 7, "message": "..."}. In between it gets what it subscribed
to: "state" whenever a setting has changed, "status" with the run's figures, and "aus" with what the faces
show and what is asked of them. Over HTTP the same commands are sent one by one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias, get_args

import numpy as np

from calib.au import (
    ACTION_UNITS,
    AU_CODES,
    EYE_CONTACT,
    HIGHEST,
    SIDES,
    AUVector,
    Sided,
    UnknownAUError,
    au_code,
    rows,
    sided_au,
)
from calib.json_file import number_in, parse_json
from reenact.programme import Programme, Targets, parse_targets
from reenact.programme.presets import PRESETS
from reenact.programme.programme import ByHand
from reenact.programme.target_syntax import TargetError
from reenact.programme.targets import MAX_STRENGTH, no_targets
from reenact.retarget.controls import Settings, name_of

VERSION = 1
"""The version of the protocol. A message that an older client would misunderstand raises it."""
Json: TypeAlias = "dict[str, Any]"
Topic: TypeAlias = Literal["state", "status", "aus"]
"""What a client can subscribe to."""
Action: TypeAlias = Literal["neutral", "record", "hand", "start", "stop"]
"""What is done once: take the neutral, start or end a recording or the recording of the hand, start or end
the run."""
SWITCHES = ("bypass", "mirror", "compare")
"""The settings that are on or off."""
MOST_RATE = 60.0
"""The highest rate of a subscription, in messages per second."""
_DEVICE = re.compile(r"\d{1,3}|/dev/video\d{1,3}", re.ASCII)
LONGEST_TEXT = 4000
"""The longest text of targets, in characters."""


class ProtocolError(ValueError):
    """A message is no command of this protocol; the message is one line."""


@dataclass(frozen=True)
class Command:
    """One message of a client."""

    answer_id: int | str | None = None
    """The id that its answer carries. None: it has none."""


@dataclass(frozen=True)
class Set(Command):
    """Changes settings, all at once. None: a setting stays."""

    targets: Targets | None = None
    """What the faces should show."""
    aus: Mapping[str, str | None] | None = None
    """Single action units of the targets by name, such as {"AU12": "+1.5"}. None as value: left alone."""
    strength: float | None = None
    """How far to go to the targets."""
    switches: Mapping[str, bool] | None = None
    """The SWITCHES to set."""

    def __call__(self, settings: Settings) -> Settings:
        """Returns the settings after this command. Single action units are set on top of a programme that
        runs, such as a driver."""
        changes: dict[str, Any] = dict(self.switches or {})
        if self.strength is not None:
            changes["strength"] = self.strength
        targets: Programme = settings.targets if self.targets is None else self.targets
        if self.aus is not None:
            base, hand = _parts(targets)
            hand = with_aus(hand, self.aus)
            targets = hand if base is None else ByHand(base, hand)
        return replace(settings, targets=targets, **changes)


@dataclass(frozen=True)
class Act(Command):
    """Does something once."""

    action: Action = "neutral"
    """What to do."""
    camera: str | None = None
    """With "start": the camera to open. None: the one that the programme was started with."""
    size: tuple[int, int] | None = None
    """With "start": the (height, width) to ask it for. None: the usual one."""


@dataclass(frozen=True)
class Subscribe(Command):
    """Asks for messages of a topic."""

    topic: Topic = "state"
    """The topic."""
    rate: float = MOST_RATE
    """The highest number of messages per second; 0 ends the subscription."""


@dataclass(frozen=True)
class Read(Command):
    """Asks for the state, which is then in the answer."""


def parse_command(text: str) -> Command:
    """The command in a message. Raises ProtocolError naming the key, the value and the right form."""
    return command_of(parse_json(text, ProtocolError))


def command_of(document: object) -> Command:
    """The command in the document of a message. Raises ProtocolError as `parse_command` does."""
    if not isinstance(document, dict):
        raise ProtocolError('a message is an object: {"do": "set", "strength": 0.5}')
    document = dict(document)
    answer_id = document.pop("id", None)
    if not (answer_id is None or (isinstance(answer_id, int | str) and len(str(answer_id)) <= 64)):
        raise ProtocolError(f'"id" is {answer_id!r:.40}; write a number or a short text')
    version = document.pop("version", VERSION)
    if version != VERSION:
        raise ProtocolError(f'"version" is {version!r:.40}; this release speaks {VERSION}')
    what = document.pop("do", None)
    parse = _PARSERS.get(what) if isinstance(what, str) else None
    if parse is None:
        raise ProtocolError(f'"do" is {what!r:.40}; choose from {", ".join(_PARSERS)}')
    command = parse(document)
    if document:
        raise ProtocolError(f"{what!r} knows no {next(iter(document))!r:.40}")
    return replace(command, answer_id=answer_id)


def _parse_set(given: Json) -> Set:
    """The command `set`; its keys are taken out of `given`, as those of all commands."""
    try:
        targets = None if (text := given.pop("targets", None)) is None else parse_targets(_text(text))
    except TargetError as error:
        raise ProtocolError(f'"targets": {error}') from error
    strength = given.pop("strength", None)
    if strength is not None and not 0 <= number_in(strength) <= MAX_STRENGTH:
        raise ProtocolError(f'"strength" is {strength!r:.40}; write 0 to {MAX_STRENGTH:g}')
    switches = {name: given.pop(name) for name in SWITCHES if given.get(name) is not None}
    for name, value in switches.items():
        if not isinstance(value, bool):
            raise ProtocolError(f'"{name}" is {value!r:.40}; write true or false')
    aus = given.pop("aus", None)
    return Set(
        targets=targets,
        aus=None if aus is None else _parse_aus(aus),
        strength=None if strength is None else number_in(strength),
        switches=switches,
    )


def _text(value: object) -> str:
    if not isinstance(value, str) or len(value) > LONGEST_TEXT or value.strip().lower().endswith(".json"):
        raise ProtocolError(f'"targets" is {value!r:.40}; write AU12=+2,AU4=-1 or the name of a preset')
    return value


def _parse_aus(given: object) -> dict[str, str | None]:
    """Values of action units: a text as in the targets, a number to add, or None to leave one alone."""
    if not isinstance(given, dict):
        raise ProtocolError(f'"aus" is {given!r:.40}; write {{"AU12": 1.5}}')
    values: dict[str, str | None] = {}
    for name, value in given.items():
        number = number_in(value)
        text = f"{number:+.4f}" if np.isfinite(number) else value
        if not (text is None or (isinstance(text, str) and "," not in text)):
            raise ProtocolError(f'{name!r:.40} in "aus" is {value!r:.40}; write a number, or null')
        values[name] = text
    with_aus(no_targets(), values)
    return values


def _parse_act(given: Json) -> Act:
    action = given.pop("action", None)
    if action not in get_args(Action):
        raise ProtocolError(f'"action" is {action!r:.40}; choose from {", ".join(get_args(Action))}')
    if action != "start":
        return Act(action=action)
    camera, size = given.pop("camera", None), given.pop("size", None)
    # A page names devices only, never files or addresses.
    if not (camera is None or (isinstance(camera, str) and _DEVICE.fullmatch(camera))):
        raise ProtocolError(f'"camera" is {camera!r:.40}; write "0" or "/dev/video2"')
    return Act(action=action, camera=camera, size=None if size is None else _parse_size(size))


def _parse_size(size: object) -> tuple[int, int]:
    sides = [number_in(side) for side in size] if isinstance(size, list) else []
    if len(sides) != 2 or not all(16 <= side <= 8192 for side in sides):  # This also catches NaN.
        raise ProtocolError(f'"size" is {size!r:.40}; write [width, height] in pixels: [1280, 720]')
    width, height = map(int, sides)
    return height, width


def _parse_subscribe(given: Json) -> Subscribe:
    topic, rate = given.pop("to", None), number_in(given.pop("rate", MOST_RATE))
    if topic not in get_args(Topic):
        raise ProtocolError(f'"to" is {topic!r:.40}; choose from {", ".join(get_args(Topic))}')
    if not 0 <= rate <= MOST_RATE:
        raise ProtocolError(f'"rate" is {rate!r:.40}; write 0 to {MOST_RATE:g} messages per second')
    return Subscribe(topic=topic, rate=rate)


def _parse_read(given: Json) -> Read:
    return Read()


_PARSERS = {"set": _parse_set, "act": _parse_act, "subscribe": _parse_subscribe, "read": _parse_read}


def with_aus(targets: Targets, aus: Mapping[str, str | None]) -> Targets:
    """`targets` with single action units replaced, or left alone where the value is None.

    A value for one side keeps that of the other. Raises ProtocolError.
    """
    for name, value in aus.items():
        try:
            named = sided_au(name)
            asked = no_targets() if value is None else parse_targets(f"{name}={value}")
        except (UnknownAUError, TargetError) as error:
            raise ProtocolError(f'"aus": {error}') from error
        chosen = np.zeros_like(targets.value, bool)
        chosen[rows(named.side), named.place] = True
        aims = (new.where(chosen, old) for new, old in zip(asked.aims, targets.aims, strict=True))
        both_ways, at_least, at_most = aims
        targets = Targets(both_ways.value, both_ways.hold, at_least, at_most)
    return targets


def settings_json(settings: Settings) -> Json:
    """The settings as they stand in the state."""
    base, hand = _parts(settings.targets)
    named = name_of(hand)
    return {
        "targets": str(hand),
        "preset": named if named in PRESETS and base is None else None,
        "aus": dict(str(item).split("=", 1) for item in hand.items()),
        "programme": None if base is None else str(base),
        "strength": round(float(settings.strength), 4),
        "neutral": settings.neutral is not None,
        **{name: getattr(settings, name) for name in SWITCHES},
    }


def _parts(targets: Programme) -> tuple[Programme | None, Targets]:
    """The programme that runs, if there is one, and what is set by hand."""
    if isinstance(targets, Targets):
        return None, targets
    if isinstance(targets, ByHand):
        return targets.base, targets.hand
    return targets, no_targets()


def face_json(track_id: int, measured: AUVector, asked: Sided) -> Json:
    """What one face shows, and what is asked of it on its left and right, by name; zeros are left out.

    measured: (AU_COUNT,). asked: (2, AU_COUNT) the change.
    """
    return {
        "id": track_id,
        "measured": {
            AU_CODES[index]: round(float(measured[index]), 3) for index in np.flatnonzero(measured).tolist()
        },
        "asked": {
            au_code(index, side): round(float(values[index]), 3)
            for side, values in zip(SIDES, asked, strict=True)
            for index in np.flatnonzero(values).tolist()
        },
    }


def vocabulary() -> Json:
    """What can be asked for: the action units with their limits and their opposites, which are what the
    state says for values below 0, and the presets."""
    limits = [
        {
            "code": au_code(index),
            "opposite": au_code(index, None, -1) if unit.opposite else None,
            "name": unit.name,
            "number": unit.number,
            "sided": unit.number != unit.opposite,
            "lowest": -float(HIGHEST[index]),
            "highest": float(HIGHEST[index]),
        }
        for index, unit in enumerate(ACTION_UNITS)
    ]
    eye_contact = {
        "code": AU_CODES[EYE_CONTACT],
        "opposite": None,
        "name": "eye contact",
        "number": 0,
        "sided": False,
        "lowest": 0.0,
        "highest": 1.0,
    }
    return {
        "aus": [*limits, eye_contact],
        "presets": [{"name": preset.name, "summary": preset.summary} for preset in PRESETS.values()],
        "strength": [0, MAX_STRENGTH],
    }


def encoded(message: Json) -> str:
    """The text of a message."""
    return json.dumps(message, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
