"""Open Sound Control: controls in, as mixers and stage programs send them, and action units out.

In, by UDP, on 127.0.0.1 unless another address is given:

- /reenact/au/12 f: added to what the face does, -5..5; /reenact/au/12L f: on the person's left alone;
- /reenact/au/12/hold f: what the face should show, 0..5; /reenact/au/12/free: left alone again;
- /reenact/gaze ff: degrees to the person's left and up;
- /reenact/targets s, /reenact/preset s, /reenact/strength f, /reenact/bypass i, /reenact/mirror i;
- /reenact/neutral, /reenact/record, /reenact/hand: done where there is no argument, or one that is not 0.

Out, one bundle for each frame, of the largest face:

- aus: /reenact/aus/AU12 f for what is measured, /reenact/asked/AU12L f for the change, /reenact/time d for
  the frame's time, and /reenact/face i for its id, or -1;
- arkit: /reenact/arkit/jawOpen f and so on, 0..1, of the face as it is shown;
- vmc: the same as the Virtual Motion Capture protocol, for avatars: /VMC/Ext/Blend/Val, and the head's turn.
"""

from __future__ import annotations

import logging
import math
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from pythonosc.osc_bundle_builder import IMMEDIATELY, OscBundleBuilder
from pythonosc.osc_message_builder import OscMessageBuilder
from pythonosc.osc_packet import OscPacket
from pythonosc.osc_packet import ParseError as OscParseError

from calib.arkit import BLENDSHAPES, from_aus
from calib.au import ACTION_UNITS, AU_CODES, GAZE, GAZE_UNIT_DEG, HIGHEST, LOWEST, SIDES, Side, apart, au_code
from reenact.panel.options import Address, OscContent, PanelError
from reenact.panel.protocol import Act, Command, ProtocolError, Set, command_of
from reenact.records import Face, Finished
from reenact.retarget.controls import ControlError
from reenact.run.desk import Desk

log = logging.getLogger(__name__)

_LARGEST_BYTES = 65_536
_POLL_S = 0.2
_SWITCHES = ("bypass", "mirror")
_ACTIONS = ("neutral", "record", "hand")
_TOLD_AT_MOST = 20


def command_in(address: str, arguments: Sequence[Any]) -> Command | None:
    """The command that an OSC message means. None: the release of a button, which means nothing.

    Raises ProtocolError.
    """
    parts = address.strip("/").split("/")
    if parts[0] != "reenact" or len(parts) < 2:
        raise ProtocolError(f"{address!r:.60} is unknown; write /reenact/au/12, /reenact/preset ...")
    name, *rest = parts[1:]
    if name == "au" and len(rest) in (1, 2):
        return _unit(rest[0], rest[1] if len(rest) == 2 else "add", arguments)
    if rest:
        raise ProtocolError(f"{address!r:.60} is unknown")
    if name == "gaze":
        left, up = (_number(address, arguments, place) / GAZE_UNIT_DEG for place in (0, 1))
        asked = zip((GAZE.start, GAZE.start + 1), (left, up), strict=True)
        aus = {au_code(place, None, 1 if value >= 0 else -1): f"{abs(value):.4f}" for place, value in asked}
        return command_of({"do": "set", "aus": aus})
    if name in ("preset", "targets"):
        text = arguments[0] if arguments else None
        return command_of({"do": "set", "targets": text if isinstance(text, str) else ""})
    if name == "strength":
        return command_of({"do": "set", "strength": _number(address, arguments)})
    if name in _SWITCHES:
        return command_of({"do": "set", name: _number(address, arguments) >= 0.5})
    if name in _ACTIONS:
        pressed = not arguments or _number(address, arguments) != 0
        return command_of({"do": "act", "action": name}) if pressed else None
    raise ProtocolError(f"{address!r:.60} is unknown")


def _unit(name: str, kind: str, arguments: Sequence[Any]) -> Command:
    """What is asked of one action unit, by its number, code or name: 12, 12L, AU12, eye_contact."""
    code = f"AU{name}" if name[:1].isdigit() else name
    if kind == "free":
        return command_of({"do": "set", "aus": {code: None}})
    value = _number(name, arguments)
    if kind == "add":
        return command_of({"do": "set", "aus": {code: value}})
    if kind == "hold":
        if value < 0:
            raise ProtocolError(f"{name!r:.40} is held at {value:g}; send 0 to 5, or name its opposite")
        return command_of({"do": "set", "aus": {code: f"{value:.4f}"}})
    raise ProtocolError(f"{kind!r:.40} is unknown; write /reenact/au/12, or /hold or /free after it")


def _number(address: str, arguments: Sequence[Any], place: int = 0) -> float:
    value = arguments[place] if len(arguments) > place else None
    if not isinstance(value, int | float) or not math.isfinite(value):
        raise ProtocolError(f"{address!r:.60} has {value!r:.40}; send a number")
    return float(value)


class OscInput:
    """Carries out what OSC messages ask."""

    def __init__(self, desk: Desk, act: Callable[[Act], str]) -> None:
        """act: as reenact.panel.server.open_panel takes it."""
        self._desk, self._act = desk, act
        self._told: set[str] = set()

    def __call__(self, datagram: bytes) -> None:
        """Carries out all messages of a datagram. What is wrong in it is logged, once for each address."""
        try:
            messages = [each.message for each in OscPacket(datagram).messages]
        # python-osc lets some damaged datagrams end in other errors than its own.
        except (OscParseError, ValueError, IndexError, OverflowError, UnicodeError) as error:
            self._tell("", f"a datagram is no OSC: {error}")
            return
        for message in messages:
            try:
                command = command_in(message.address, message.params)
                if isinstance(command, Set):
                    self._desk.change(command)
                elif isinstance(command, Act):
                    self._act(command)
            except (ProtocolError, ControlError) as error:
                self._tell(message.address, str(error))

    def _tell(self, address: str, line: str) -> None:
        if address not in self._told and len(self._told) < _TOLD_AT_MOST:
            self._told.add(address)
            log.warning("OSC: %s", line)


@contextmanager
def osc_input(desk: Desk, act: Callable[[Act], str], address: Address) -> Iterator[Address]:
    """Listens to OSC until the block ends; yields the address, with the port that port 0 has become.

    act: as reenact.panel.server.open_panel takes it. Raises PanelError where the port cannot be had.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        listener.bind((address.host, address.port))
    except OSError as error:
        listener.close()
        raise PanelError(f"no OSC at {address}: {error.strerror or error}") from error
    listener.settimeout(_POLL_S)
    ended, take = threading.Event(), OscInput(desk, act)

    def listen() -> None:
        while not ended.is_set():
            try:
                datagram = listener.recv(_LARGEST_BYTES)
            except TimeoutError:
                continue
            except OSError:  # on Windows, a reset that answers an earlier datagram of ours
                continue
            take(datagram)

    thread = threading.Thread(target=listen, name="osc-in", daemon=True)
    thread.start()
    try:
        yield Address(address.host, listener.getsockname()[1])
    finally:
        ended.set()
        thread.join()
        listener.close()


def datagram_of(finished: Finished, contents: Sequence[OscContent]) -> bytes:
    """The bundle that tells of a frame and its largest face; without a face, only its time."""
    bundle = OscBundleBuilder(IMMEDIATELY)

    def add(address: str, *values: tuple[Any, str]) -> None:
        message = OscMessageBuilder(address)
        for value, kind in values:
            message.add_arg(value, kind)
        bundle.add_content(message.build())

    index = finished.largest
    if "aus" in contents:
        add("/reenact/time", (float(finished.frame.pts), OscMessageBuilder.ARG_TYPE_DOUBLE))
        add("/reenact/face", (-1 if index is None else finished.faces[index].track_id, _INT))
    if "vmc" in contents:
        add("/VMC/Ext/OK", (int(index is not None), _INT))
    if index is None:
        return bundle.build().dgram
    measured, asked = finished.aus[index], finished.asked[index]
    if "aus" in contents:
        for place in range(len(ACTION_UNITS)):
            add(f"/reenact/aus/{AU_CODES[place]}", (float(measured[place]), _FLOAT))
            for side, values in zip(SIDES, asked, strict=True):
                if values[place]:
                    name, value = _named(place, side, float(values[place]))
                    add(f"/reenact/asked/{name}", (value, _FLOAT))
    if "arkit" in contents or "vmc" in contents:
        shown = np.clip(apart(measured, finished.leans[index]) + asked, LOWEST, HIGHEST)
        weights = list(zip(BLENDSHAPES, from_aus(shown).tolist(), strict=True))
        if "arkit" in contents:
            for name, weight in weights:
                add(f"/reenact/arkit/{name}", (weight, _FLOAT))
        if "vmc" in contents:
            head = _head(finished.faces[index])
            add("/VMC/Ext/Bone/Pos", ("Head", _TEXT), *((each, _FLOAT) for each in head))
            for name, weight in weights:
                add("/VMC/Ext/Blend/Val", (name, _TEXT), (weight, _FLOAT))
            add("/VMC/Ext/Blend/Apply")
    return bundle.build().dgram


_INT, _FLOAT, _TEXT = (
    OscMessageBuilder.ARG_TYPE_INT,
    OscMessageBuilder.ARG_TYPE_FLOAT,
    OscMessageBuilder.ARG_TYPE_STRING,
)


def _named(place: int, side: Side, value: float) -> tuple[str, float]:
    """The name and the value of one side; of a direction below 0, those of its opposite: AU62L, 2."""
    if ACTION_UNITS[place].opposite is None or value >= 0:
        return au_code(place, side), value
    return au_code(place, side, -1), -value


def _head(face: Face) -> tuple[float, ...]:
    """(x, y, z) 0 and the quaternion (x, y, z, w) of the head, in Unity's axes: x to the person's right, y
    up, z ahead."""
    # From the canonical axes (x to the person's left, y down, z back) to Unity's all three change their sign,
    # so that the matrix stays the same.
    matrix = face.pose.rotation.astype(np.float64)
    w = math.sqrt(max(0.0, 1 + float(np.trace(matrix)))) / 2
    scale = 4 * max(w, 1e-6)
    x, y, z = (
        float(matrix[2, 1] - matrix[1, 2]) / scale,
        float(matrix[0, 2] - matrix[2, 0]) / scale,
        float(matrix[1, 0] - matrix[0, 1]) / scale,
    )
    return 0.0, 0.0, 0.0, x, y, z, w


class OscOutput:
    """Sends the newest frame's bundle; a frame that comes while one is sent replaces the one that waits."""

    def __init__(self, desk: Desk, address: Address, contents: Sequence[OscContent]) -> None:
        self._desk, self._contents = desk, contents
        self._target = address.host, address.port
        self._news, self._ended = threading.Event(), threading.Event()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._last: Finished | None = None

    def run(self) -> None:
        """Sends until `end`."""
        while not self._ended.is_set():
            if self._news.wait(_POLL_S):
                self._news.clear()
                self.send()

    def send(self) -> None:
        """Sends the newest frame, unless it was sent already. Nobody who listens is no error."""
        newest = self._desk.newest
        if newest is None or newest is self._last:
            return
        self._last = newest
        try:
            self._socket.sendto(datagram_of(newest, self._contents), self._target)
        except OSError as error:
            log.debug("OSC to %s: %s", self._target, error)

    def wake(self) -> None:
        """Has the newest frame sent. Any thread may call it."""
        self._news.set()

    def end(self) -> None:
        """Ends `run`."""
        self._ended.set()
        self._news.set()
        self._socket.close()


@contextmanager
def osc_output(desk: Desk, address: Address, contents: Sequence[OscContent]) -> Iterator[None]:
    """Sends what `contents` names of each frame until the block ends. Raises PanelError."""
    try:
        socket.getaddrinfo(address.host, address.port, socket.AF_INET, socket.SOCK_DGRAM)
    except OSError as error:
        raise PanelError(f"no OSC to {address}: {error.strerror or error}") from error
    output = OscOutput(desk, address, contents)
    desk.listen(lambda: None, output.wake)
    thread = threading.Thread(target=output.run, name="osc-out", daemon=True)
    thread.start()
    try:
        yield
    finally:
        output.end()
        thread.join()
