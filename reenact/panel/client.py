"""A client of the control protocol, for Python programs that change a live run in another process.

from reenact.panel.client import connect

panel = connect("http://127.0.0.1:7870/?token=...")   # the address that reenact prints
panel.set(targets="smile", strength=0.6)
panel.set(aus={"AU12": 1.5, "AU04": None})
for shown in panel.aus(rate=30):
    print(shown.pts_s, shown.faces[0].measured["AU12"])
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import parse_qs, urlsplit
from urllib.request import Request, urlopen

from calib.json_file import parse_json
from reenact.panel.options import PanelError
from reenact.panel.protocol import MOST_RATE, Action, Json, Topic

_TIMEOUT_S = 10.0


class RefusalError(ValueError):
    """The server has refused a command; the message is its reason, and nothing has changed."""


@dataclass(frozen=True)
class ShownFace:
    """One face of a frame. Action units at 0 are left out."""

    id: int
    """Its track id."""
    measured: Mapping[str, float]
    """The intensities that are read, by name: AU12."""
    asked: Mapping[str, float]
    """The change that is asked of each side, by name: AU12L."""


@dataclass(frozen=True)
class ShownFrame:
    """What the faces of one frame show."""

    pts_s: float
    """The frame's time in seconds."""
    age_ms: float | None
    """The time since the camera delivered it, when the message was made. None: it is not known."""
    faces: tuple[ShownFace, ...] = field(default=())
    """The faces."""


def connect(address: str) -> PanelClient:
    """A client of the panel at this address, token and all. Raises PanelError where no panel answers."""
    split = urlsplit(address)
    tokens = parse_qs(split.query).get("token", [])
    if split.scheme != "http" or not split.netloc or len(tokens) != 1:
        raise PanelError(f"{address!r:.80} is no panel; take the address that reenact prints, token and all")
    client = PanelClient(split.netloc, tokens[0])
    client.state()
    return client


class PanelClient:
    """Sends commands to a panel. Any thread may use it."""

    def __init__(self, place: str, token: str) -> None:
        """place: HOST:PORT."""
        self._place, self._token = place, token

    def set(
        self,
        *,
        targets: str | None = None,
        aus: Mapping[str, float | str | None] | None = None,
        strength: float | None = None,
        bypass: bool | None = None,
        mirror: bool | None = None,
    ) -> None:
        """Changes settings, all at once. None: a setting stays.

        targets: in the notation of --target-aus, or a preset's name. aus: single action units: a number is
        added to what the face does, a text is as in targets, None leaves one alone again.

        Raises RefusalError where the server refuses, and PanelError where none answers.
        """
        given = {"targets": targets, "aus": aus, "strength": strength, "bypass": bypass, "mirror": mirror}
        self._send({"do": "set", **{name: value for name, value in given.items() if value is not None}})

    def act(self, action: Action, **more: Any) -> str:
        """Does something once, such as "neutral" or "record"; returns the result as one line.

        more: with "start", `camera` and `size`. Raises as `set` does.
        """
        return str(self._send({"do": "act", "action": action, **more})["message"])

    def state(self) -> Json:
        """The settings and the run now. Raises as `set` does."""
        return dict(self._send({"do": "read"})["state"])

    def aus(self, rate: float = MOST_RATE) -> Iterator[ShownFrame]:
        """What the faces show, frame by frame, at most `rate` times a second; always the newest.

        It ends with the server. Raises PanelError where none answers.
        """
        for message in self._messages("aus", rate):
            faces = (ShownFace(face["id"], face["measured"], face["asked"]) for face in message["faces"])
            yield ShownFrame(message["pts"], message["age_ms"], tuple(faces))

    def states(self) -> Iterator[Json]:
        """The state now, and after each change, also by other clients. It ends with the server."""
        yield from self._messages("state", MOST_RATE)

    def _send(self, command: Json) -> Json:
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        url = f"http://{self._place}/v1/command"
        try:
            with urlopen(Request(url, json.dumps(command).encode(), headers), timeout=_TIMEOUT_S) as response:
                return dict(_parsed(response.read().decode()))
        except HTTPError as error:
            with error:
                raise RefusalError(_reason(error.read(), error.reason)) from error
        except (URLError, TimeoutError, ConnectionError) as error:
            raise PanelError(
                f"no panel answers at {self._place}: {getattr(error, 'reason', error)}"
            ) from error

    def _messages(self, topic: Topic, rate: float) -> Iterator[Json]:
        """The messages of a subscription, received in a loop that runs only while one is awaited."""
        loop = asyncio.new_event_loop()
        messages = self._received(topic, rate)
        try:
            while True:
                try:
                    yield loop.run_until_complete(anext(messages))
                except StopAsyncIteration:
                    return
        finally:
            loop.run_until_complete(messages.aclose())
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()

    async def _received(self, topic: Topic, rate: float) -> AsyncGenerator[Json, None]:
        from aiohttp import ClientError, ClientSession, WSMsgType

        headers = {"Authorization": f"Bearer {self._token}"}
        try:
            async with (
                ClientSession() as session,
                session.ws_connect(f"http://{self._place}/v1/socket", headers=headers) as socket,
            ):
                await socket.send_json({"do": "subscribe", "to": topic, "rate": rate})
                async for message in socket:
                    if message.type is WSMsgType.TEXT:
                        told = _parsed(message.data)
                        if told["is"] == "error":
                            raise RefusalError(told["message"])
                        if told["is"] == topic:
                            yield told
        except ClientError as error:
            raise PanelError(f"no panel answers at {self._place}: {error}") from error


def _parsed(text: str) -> Any:
    return parse_json(text, RefusalError)


def _reason(body: bytes, otherwise: str) -> str:
    try:
        return str(_parsed(body.decode(errors="replace"))["message"])
    except (RefusalError, KeyError, TypeError):
        return otherwise
