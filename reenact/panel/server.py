"""The panel's server: the page, the control protocol by WebSocket and HTTP, and the live picture.

It runs in a thread of its own beside the frame loop, which never waits for it: a client that is slow gets
fewer messages and pictures, always the newest.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path

from aiohttp import WSCloseCode, WSMsgType, web

from reenact import __version__
from reenact.doctor.machine import camera_names
from reenact.panel.guard import Denied, Guard, Measure, bearer
from reenact.panel.options import USUAL_PORT, PanelError, PanelOptions, ServedPanel
from reenact.panel.pictures import PictureOptions, jpeg, picture_of, png
from reenact.panel.protocol import (
    VERSION,
    Act,
    Command,
    Json,
    ProtocolError,
    Read,
    Set,
    Subscribe,
    Topic,
    encoded,
    face_json,
    parse_command,
    settings_json,
    vocabulary,
)
from reenact.programme.presets import PRESETS
from reenact.programme.steps import to_json
from reenact.records import Finished
from reenact.retarget.controls import ControlError
from reenact.run.desk import Desk

log = logging.getLogger(__name__)

LARGEST_BYTES = 64 * 1024
"""The largest message or request that is read."""
MOST_CLIENTS = 16
"""The largest number of open WebSockets, and of open live pictures."""
HEARTBEAT_S = 15.0
"""The interval at which a WebSocket is asked whether it still lives."""
_PORTS_TRIED = 20
_FIRST_FRAME_S = 5.0
_BOUNDARY = "frame"
_FOLDER = Path(__file__).with_name("static")
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_STATIC = {"panel.css": "text/css", "panel.js": "text/javascript", "icon.svg": "image/svg+xml"}


@contextmanager
def open_panel(
    desk: Desk,
    act: Callable[[Act], str],
    options: PanelOptions | None = None,
) -> Iterator[ServedPanel]:
    """Serves the panel until the block ends.

    act: does what an Act asks, in the server's thread, and returns one line for the user. options: None: the
    usual ones, with a new token. Raises PanelError where no port can be had.
    """
    options = options or PanelOptions()
    started: threading.Event = threading.Event()
    server = _Server(desk, act, options)
    thread = threading.Thread(target=server.run, args=(started,), name="panel", daemon=True)
    thread.start()
    started.wait()
    if server.trouble is not None:
        thread.join()
        raise PanelError(server.trouble)
    try:
        yield ServedPanel(server.guard, options.host)
    finally:
        server.stop()
        thread.join()


class _News:
    """Wakes tasks of the server's loop when something new has come. Any thread may tell it so."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: set[asyncio.Future[None]] = set()
        self.number = 0
        """The number of news so far."""

    def tell(self) -> None:
        """Wakes all who wait; of an ended loop, nobody."""
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._wake)

    async def after(self, number: int) -> int:
        """Returns the number of news as soon as it is another than `number`."""
        while self.number == number:
            waiting = self._loop.create_future()
            self._waiting.add(waiting)
            try:
                await waiting
            finally:
                self._waiting.discard(waiting)
        return self.number

    def _wake(self) -> None:
        self.number += 1
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_result(None)


class _Server:
    """The server's thread and its requests."""

    def __init__(self, desk: Desk, act: Callable[[Act], str], options: PanelOptions) -> None:
        self._desk, self._act, self._options = desk, act, options
        self._sockets: set[web.WebSocketResponse] = set()
        self._pictures = 0
        self._measure = Measure()
        self._jpegs: dict[PictureOptions, tuple[Finished, asyncio.Future[bytes]]] = {}
        self.trouble: str | None = None
        """The reason for which the server could not begin. None: there is none."""

    def run(self, started: threading.Event) -> None:
        """Serves until `stop`."""
        try:
            asyncio.run(self._serve(started))
        except OSError as error:
            self.trouble = f"no panel at {self._options.host}: {error.strerror or error}"
        finally:
            started.set()

    def stop(self) -> None:
        """Ends the server. Any thread may call it."""
        self._loop.call_soon_threadsafe(self._stopped.set)

    async def _serve(self, started: threading.Event) -> None:
        self._loop, self._stopped = asyncio.get_running_loop(), asyncio.Event()
        self._changes, self._frames = _News(self._loop), _News(self._loop)
        self._desk.listen(self._changes.tell, self._frames.tell)
        app = web.Application(client_max_size=LARGEST_BYTES, middlewares=[self._guarded])
        app.add_routes(
            [
                web.get("/", self._page),
                web.get("/static/{name}", self._static),
                web.get("/static/presets/{name}", self._preset_picture),
                web.get("/v1/socket", self._socket),
                web.get("/v1/state", self._state),
                web.get("/v1/vocabulary", self._vocabulary),
                web.post("/v1/command", self._command),
                web.get("/v1/picture.mjpeg", self._live_picture),
                web.get("/v1/snapshot.png", self._snapshot),
                web.get("/v1/hand.json", self._hand),
            ]
        )
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        try:
            port = await self._bind(runner)
            hosts = {"127.0.0.1", "localhost", self._options.host}
            self.guard = Guard(port, frozenset(hosts), self._options.token)
            started.set()
            await self._stopped.wait()
            for socket in tuple(self._sockets):
                await socket.close(code=WSCloseCode.GOING_AWAY, message=b"the run has ended")
        finally:
            await runner.cleanup()

    async def _bind(self, runner: web.AppRunner) -> int:
        """Listens, and returns the port."""
        first = self._options.port
        wanted = range(USUAL_PORT, USUAL_PORT + _PORTS_TRIED) if first is None else range(first, first + 1)
        for port in wanted:
            site = web.TCPSite(runner, self._options.host, port)
            try:
                await site.start()
            except OSError:
                await site.stop()
                if port == wanted[-1]:
                    raise
            else:
                return port
        raise AssertionError("there is always a last port")

    @web.middleware
    async def _guarded(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Refuses what the guard refuses, and adds the headers that keep pages of other sites out."""
        try:
            reached = _reached(request)
            if request.path.startswith("/static/"):
                self.guard.check_place(request.headers, reached)
            else:
                given = request.query.get("token") or bearer(request.headers.get("Authorization"))
                self.guard.check(request.headers, given, reached)
            response = await handler(request)
        except Denied as denied:
            response = _error(denied.status, str(denied))
        except web.HTTPException as refused:
            response = _error(refused.status, refused.reason)
        if not response.prepared:
            response.headers.update(_HEADERS)
        return response

    async def _page(self, request: web.Request) -> web.Response:
        return web.Response(text=_asset("index.html"), content_type="text/html")

    async def _static(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name not in _STATIC:
            raise Denied(404, "there is no such file")
        return web.Response(text=_asset(name), content_type=_STATIC[name])

    async def _preset_picture(self, request: web.Request) -> web.Response:
        name = request.match_info["name"].removesuffix(".jpg")
        if name not in PRESETS:
            raise Denied(404, "there is no such preset")
        picture = (_FOLDER / "presets" / f"{name}.jpg").read_bytes()
        return web.Response(body=picture, content_type="image/jpeg")

    async def _state(self, request: web.Request) -> web.Response:
        return _json(self._state_message())

    async def _vocabulary(self, request: web.Request) -> web.Response:
        names = await self._loop.run_in_executor(None, camera_names)
        cameras = [{"camera": str(index), "name": name} for index, name in sorted(names.items())]
        return _json({**vocabulary(), "cameras": cameras})

    async def _command(self, request: web.Request) -> web.Response:
        """One command in one request: what curl sends."""
        if not self._measure():
            raise Denied(429, "too many commands; send fewer than 200 a second")
        command = None
        try:
            command = parse_command((await request.read()).decode(errors="replace"))
            if isinstance(command, Subscribe):
                raise ProtocolError("only a WebSocket can subscribe")
            return _json(await self._done(command))
        except (ProtocolError, ControlError) as error:
            return _json(_refusal(command, str(error)), status=400)

    async def _snapshot(self, request: web.Request) -> web.Response:
        """The newest frame in full; of a run that has just begun, the first one."""
        if self._desk.newest is None and self._desk.state.running:
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._frames.after(self._frames.number), _FIRST_FRAME_S)
        newest = self._desk.newest
        if newest is None:
            raise Denied(404, "there is no picture yet")
        data = await self._loop.run_in_executor(None, png, newest.image)
        return web.Response(body=data, content_type="image/png", headers=_attached("reenact.png"))

    async def _hand(self, request: web.Request) -> web.Response:
        """The steps of the hand, as a time line."""
        steps = self._desk.steps
        if not steps:
            raise Denied(404, "nothing was recorded by hand")
        return web.Response(
            text=to_json(steps), content_type="application/json", headers=_attached("reenact-hand.json")
        )

    async def _live_picture(self, request: web.Request) -> web.StreamResponse:
        """The live picture as JPEGs one after the other: the newest, whenever the client has taken the last
        one."""
        options = _picture_options(request)
        if self._pictures >= MOST_CLIENTS:
            raise Denied(503, "too many pictures are open")
        response = web.StreamResponse(
            headers={**_HEADERS, "Content-Type": f"multipart/x-mixed-replace; boundary={_BOUNDARY}"}
        )
        self._pictures += 1
        try:
            await response.prepare(request)
            number = -1
            while True:
                number = await self._frames.after(number)
                if (made := await self._jpeg(options)) is not None:
                    await response.write(_part(*made))
        except (ConnectionError, asyncio.CancelledError):
            return response
        finally:
            self._pictures -= 1

    async def _jpeg(self, options: PictureOptions) -> tuple[Finished, bytes] | None:
        """The newest frame and its JPEG, which clients with the same options share. None: there is none."""
        newest = self._desk.newest
        if newest is None:
            self._jpegs.clear()
            return None
        known = self._jpegs.get(options)
        if known is None or known[0] is not newest:
            self._jpegs = {key: made for key, made in self._jpegs.items() if made[0] is newest}
            making = self._loop.run_in_executor(None, lambda: jpeg(picture_of(newest, options)))
            known = self._jpegs[options] = newest, making
        return newest, await asyncio.shield(known[1])

    async def _socket(self, request: web.Request) -> web.WebSocketResponse:
        """The control protocol."""
        if len(self._sockets) >= MOST_CLIENTS:
            raise Denied(503, "too many pages are open")
        socket = web.WebSocketResponse(
            heartbeat=HEARTBEAT_S, max_msg_size=LARGEST_BYTES, compress=False, autoping=True
        )
        await socket.prepare(request)
        self._sockets.add(socket)
        client = _Client(self, socket)
        try:
            await client.serve()
        finally:
            self._sockets.discard(socket)
        return socket

    async def _done(self, command: Command) -> Json:
        """The answer to a command, after it was carried out. Raises ProtocolError or ControlError."""
        answer: Json = {"is": "done", "id": command.answer_id}
        if isinstance(command, Set):
            self._desk.change(command)
        elif isinstance(command, Act):
            answer["message"] = await self._loop.run_in_executor(None, self._act, command)
        elif isinstance(command, Read):
            answer["state"] = self._state_message()
        return answer

    def _state_message(self) -> Json:
        return {
            "is": "state",
            "version": VERSION,
            "reenact": __version__,
            **settings_json(self._desk.controls.now),
            **asdict(self._desk.state),
        }

    def _status_message(self) -> Json:
        return {"is": "status", **self._desk.status.to_json()}

    def _aus_message(self) -> Json | None:
        newest = self._desk.newest
        if newest is None:
            return None
        faces = zip(newest.faces, newest.aus, newest.asked, strict=True)
        return {
            "is": "aus",
            "pts": round(float(newest.frame.pts), 6),
            "age_ms": _age_ms(newest),
            "faces": [face_json(face.track_id, measured, asked) for face, measured, asked in faces],
        }


class _Client:
    """One WebSocket: its commands, and a task for each of its subscriptions."""

    def __init__(self, server: _Server, socket: web.WebSocketResponse) -> None:
        self._server, self._socket = server, socket
        self._measure = Measure()
        self._tasks: dict[Topic, asyncio.Task[None]] = {}

    async def serve(self) -> None:
        """Answers commands until the client or the server ends."""
        try:
            async for message in self._socket:
                if message.type is not WSMsgType.TEXT:
                    await self._close(WSCloseCode.UNSUPPORTED_DATA, "messages are JSON texts")
                elif self._measure():
                    await self._answer(message.data)
                else:
                    await self._close(WSCloseCode.POLICY_VIOLATION, "too many commands: 200 a second")
        finally:
            for task in self._tasks.values():
                task.cancel()

    async def _close(self, code: WSCloseCode, reason: str) -> None:
        await self._socket.close(code=code, message=reason.encode())

    async def _answer(self, text: str) -> None:
        command = None
        try:
            command = parse_command(text)
            if isinstance(command, Subscribe):
                self._subscribe(command)
            answer = await self._server._done(command)
        except (ProtocolError, ControlError) as error:
            answer = _refusal(command, str(error))
        await self._send(answer)

    async def _send(self, message: Json) -> None:
        # A client that does not read keeps its own task waiting here, and nobody else.
        with suppress(ConnectionError):
            await self._socket.send_str(encoded(message))

    def _subscribe(self, command: Subscribe) -> None:
        if (task := self._tasks.pop(command.topic, None)) is not None:
            task.cancel()
        if command.rate > 0:
            server, interval_s = self._server, 1 / command.rate
            telling = {
                "state": lambda: self._tell_news(server._changes, server._state_message, interval_s),
                "aus": lambda: self._tell_news(server._frames, server._aus_message, interval_s),
                "status": lambda: self._tell_figures(interval_s),
            }
            self._tasks[command.topic] = asyncio.ensure_future(telling[command.topic]())

    async def _tell_news(self, news: _News, make: Callable[[], Json | None], interval_s: float) -> None:
        """Sends the newest message whenever there is news, and no more often than is wanted."""
        number = -1
        while not self._socket.closed:
            number = await news.after(number)
            if (message := make()) is not None:
                await self._send(message)
            await asyncio.sleep(interval_s)

    async def _tell_figures(self, interval_s: float) -> None:
        """Sends the run's figures again and again."""
        while not self._socket.closed:
            await self._send(self._server._status_message())
            await asyncio.sleep(max(interval_s, _STATUS_S))


_STATUS_S = 0.2
"""The shortest interval between two messages about the run's figures."""


def _reached(request: web.Request) -> str | None:
    """The number of this machine to which the client has connected. None: it is gone again."""
    place = None if request.transport is None else request.transport.get_extra_info("sockname")
    return str(place[0]) if place else None


def _age_ms(finished: Finished) -> float | None:
    """The time since the camera delivered the frame, in milliseconds. None: it is not known."""
    captured_ns = finished.frame.captured_ns
    return None if captured_ns is None else round((time.perf_counter_ns() - captured_ns) / 1e6, 2)


def _part(finished: Finished, data: bytes) -> bytes:
    """A JPEG as a part of the live picture, with its frame's time and its age now."""
    head = (
        f"--{_BOUNDARY}",
        "Content-Type: image/jpeg",
        f"X-Pts: {float(finished.frame.pts):.6f}",
        f"X-Age-Ms: {_age_ms(finished)}",
        f"Content-Length: {len(data)}",
    )
    return "\r\n".join((*head, "", "")).encode() + data + b"\r\n"


def _picture_options(request: web.Request) -> PictureOptions:
    width, split = request.query.get("width", "960"), request.query.get("split")
    if not (width.isascii() and width.isdigit() and len(width) <= 4 and 16 <= int(width) <= 4096):
        raise Denied(400, f"width is {width[:20]!r}; write 16 to 4096 pixels")
    if split is None:
        return PictureOptions(int(width))
    try:
        share = float(split)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise Denied(400, f"split is {split[:20]!r}; write a share of the width, 0 to 1")
    return PictureOptions(int(width), share)


def _refusal(command: Command | None, message: str) -> Json:
    return {"is": "error", "id": None if command is None else command.answer_id, "message": message}


def _json(document: Json, status: int = 200) -> web.Response:
    return web.Response(text=encoded(document), status=status, content_type="application/json")


def _error(status: int, message: str) -> web.Response:
    return _json({"is": "error", "id": None, "message": message}, status)


def _attached(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"'}


def _asset(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")
