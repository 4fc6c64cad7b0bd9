"""The panel's server: requests, WebSockets, pictures, and attacks."""

from __future__ import annotations

import asyncio
import io
import json
import re
import socket
import time
from collections.abc import Awaitable, Callable, Iterator
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from aiohttp import ClientSession, ClientTimeout, WSMsgType, WSServerHandshakeError
from PIL import Image

from calib.au import AU_INDEX, bilateral, neutral_aus
from calib.pose import Pose
from reenact.panel.guard import BURST
from reenact.panel.options import PanelError, PanelOptions, ServedPanel
from reenact.panel.protocol import Act
from reenact.panel.server import LARGEST_BYTES, MOST_CLIENTS, open_panel
from reenact.programme import parse_targets
from reenact.programme.presets import PRESETS
from reenact.programme.steps import load_steps
from reenact.records import Face, Finished, Frame
from reenact.retarget.controls import Settings
from reenact.run.desk import Desk

LIMIT_S = 20
FACE = Face(7, np.zeros((478, 3), np.float32), Pose(1.0, np.eye(3, dtype=np.float32), np.zeros(3)), 1.0)


def finished(level: int = 0, size: tuple[int, int] = (72, 128)) -> Finished:
    """A frame whose output is brighter than the camera's picture."""
    aus, asked = neutral_aus(), bilateral(neutral_aus())
    aus[AU_INDEX[12]], asked[:, AU_INDEX[12]] = 1.5, 0.5
    own = Frame(np.full((*size, 3), 20, np.uint8), pts=Fraction(1, 2), captured_ns=time.perf_counter_ns())
    output = Frame(np.full((*size, 3), 100 + level, np.uint8), pts=Fraction(1, 2))
    return Finished(own, (FACE,), False, (aus,), changes=(asked,), asked=(asked,), output=output)


@pytest.fixture
def desk() -> Desk:
    return Desk(Settings(parse_targets("none")))


@pytest.fixture
def acts() -> list[Act]:
    return []


@pytest.fixture
def panel(desk: Desk, acts: list[Act]) -> Iterator[ServedPanel]:
    def act(command: Act) -> str:
        acts.append(command)
        return "done so"

    with open_panel(desk, act, PanelOptions(port=free_port())) as served:
        yield served


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Client:
    """A client that knows the token."""

    def __init__(self, session: ClientSession, panel: ServedPanel) -> None:
        self.session, self.panel = session, panel
        self.base = f"http://127.0.0.1:{panel.guard.port}"
        self.headers = {"Authorization": f"Bearer {panel.guard.token}"}

    async def get(self, path: str, **more: Any) -> tuple[int, bytes, Any]:
        headers = {**self.headers, **more.pop("headers", {})}
        async with self.session.get(self.base + path, headers=headers, **more) as response:
            return response.status, await response.read(), response.headers

    async def post(self, body: Any, **more: Any) -> tuple[int, dict[str, Any]]:
        data = body if isinstance(body, str | bytes) else json.dumps(body)
        headers = {**self.headers, **more.pop("headers", {})}
        async with self.session.post(f"{self.base}/v1/command", data=data, headers=headers) as response:
            return response.status, await response.json()

    def socket(self, **more: Any):
        headers = {**self.headers, **more.pop("headers", {})}
        return self.session.ws_connect(f"{self.base}/v1/socket", headers=headers, **more)


def run(panel: ServedPanel, work: Callable[[Client], Awaitable[Any]]) -> Any:
    async def all_of_it() -> Any:
        async with ClientSession(timeout=ClientTimeout(LIMIT_S)) as session:
            return await asyncio.wait_for(work(Client(session, panel)), LIMIT_S)

    return asyncio.run(all_of_it())


async def next_of(
    socket: Any, kind: str, holds: Callable[[dict[str, Any]], bool] = lambda _: True
) -> dict[str, Any]:
    while True:
        message = await socket.receive_json(timeout=LIMIT_S)
        if message["is"] == kind and holds(message):
            return message


def test_the_page_is_served_whole_and_to_nobody_else(panel: ServedPanel):
    async def work(client: Client):
        status, page, headers = await client.get("/")
        assert status == 200 and b"<title>reenact</title>" in page
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert headers["Cache-Control"] == "no-store" and headers["X-Content-Type-Options"] == "nosniff"
        for name in re.findall(rb'(?:src|href)="(/static/[^"]+)"', page):
            status, data, _ = await client.get(name.decode())
            assert status == 200 and data
        assert b"http" not in re.sub(rb"http://www.w3.org/\S+", b"", page)  # nothing comes from elsewhere

    run(panel, work)


@pytest.mark.parametrize(
    "path", ["/", "/v1/state", "/v1/picture.mjpeg", "/v1/snapshot.png", "/v1/socket", "/v1/hand.json"]
)
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Authorization": "Bearer wrong"}, 403),
        ({"Authorization": ""}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Host": "evil.example"}, 421),
    ],
)
def test_strangers_get_nothing(panel: ServedPanel, path: str, headers: dict[str, str], status: int):
    async def work(client: Client):
        found, body, _ = await client.get(path, headers=headers)
        assert found == status and panel.guard.token.encode() not in body
        assert json.loads(body)["is"] == "error"

    run(panel, work)


def test_a_page_of_another_site_opens_no_socket_and_sends_no_command(panel: ServedPanel, desk: Desk):
    async def work(client: Client):
        for headers in ({"Origin": "http://evil.example"}, {"Authorization": "Bearer x"}, {"Host": "a.b:1"}):
            with pytest.raises(WSServerHandshakeError):
                async with client.socket(headers=headers):
                    pass
            status, _ = await client.post({"do": "set", "strength": 0}, headers=headers)
            assert status in (403, 421)

    run(panel, work)
    assert desk.controls.now.strength == 1


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_has_a_picture(panel: ServedPanel, name: str):
    status, data, _ = run(panel, lambda client: client.get(f"/static/presets/{name}.jpg"))
    assert status == 200 and Image.open(io.BytesIO(data)).size == (96, 96)


def test_a_panel_for_other_machines_is_reached_by_their_number_for_it(desk: Desk):
    """127.0.0.2 stands for an address of this machine that the server was not told."""
    with open_panel(desk, lambda command: "", PanelOptions("0.0.0.0", free_port())) as panel:
        there = f"127.0.0.2:{panel.guard.port}"

        async def work(client: Client):
            client.base = f"http://{there}"
            assert (await client.get("/v1/state"))[0] == 200
            assert (await client.get("/v1/state", headers={"Authorization": ""}))[0] == 403
            for name in ("evil.example", "127.0.0.3"):
                host = f"{name}:{panel.guard.port}"
                assert (await client.get("/v1/state", headers={"Host": host}))[0] == 421

        run(panel, work)


@pytest.mark.parametrize(
    "query", ["width=15", "width=4097", "width=00064", "width=9" + "9" * 5000, "split=2", "split=nan"]
)
def test_pictures_that_cannot_be_are_refused(panel: ServedPanel, query: str):
    status, body, _ = run(panel, lambda client: client.get(f"/v1/picture.mjpeg?{query}"))
    assert status == 400 and json.loads(body)["is"] == "error"


def test_files_of_the_disk_are_not_served(panel: ServedPanel):
    async def work(client: Client):
        for name in (
            "presets/..%2fpanel.js",
            "presets/x.jpg",
            "..%2f..%2f__init__.py",
            "%2e%2e/server.py",
            "../server.py",
            "server.py",
            "/etc/passwd",
        ):
            status, _, _ = await client.get(f"/static/{name}")
            assert status in (403, 404)

    run(panel, work)


def test_cameras_are_listed_by_name_without_being_opened(panel: ServedPanel, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("reenact.panel.server.camera_names", lambda: {2: "Studio", 0: "Laptop"})
    _, body, _ = run(panel, lambda client: client.get("/v1/vocabulary"))
    assert json.loads(body)["cameras"] == [
        {"camera": "0", "name": "Laptop"},
        {"camera": "2", "name": "Studio"},
    ]


def test_one_command_in_one_request(panel: ServedPanel, desk: Desk, acts: list[Act]):
    async def work(client: Client):
        assert await client.post({"do": "set", "aus": {"AU12": 2}, "id": 5}) == (200, {"is": "done", "id": 5})
        status, answer = await client.post({"do": "act", "action": "neutral"})
        assert (status, answer["message"]) == (200, "done so")
        status, answer = await client.post({"do": "set", "strength": 9})
        assert status == 400 and "write 0 to 1.5" in answer["message"]
        status, answer = await client.post({"do": "subscribe", "to": "state"})
        assert status == 400 and "WebSocket" in answer["message"]
        status, answer = await client.post({"do": "read"})
        assert answer["state"]["targets"] == "AU12=+2"
        _, body, _ = await client.get("/v1/state")
        assert json.loads(body) == answer["state"]

    run(panel, work)
    assert str(desk.controls.now.targets) == "AU12=+2" and acts == [Act(action="neutral")]


def test_a_socket_answers_in_order_and_tells_every_page_what_has_changed(panel: ServedPanel, desk: Desk):
    async def work(client: Client):
        async with client.socket() as first, client.socket() as second:
            for page in (first, second):
                await page.send_json({"do": "subscribe", "to": "state", "id": 0})
                assert (await next_of(page, "state"))["strength"] == 1
            for number in range(1, 21):
                await first.send_json({"do": "set", "strength": number / 20, "id": number})
            answers = [(await next_of(first, "done", lambda m: m["id"] != 0))["id"] for _ in range(20)]
            assert answers == list(range(1, 21))
            await next_of(second, "state", lambda m: m["strength"] == 1)
            desk.change(lambda settings: Settings(parse_targets("smile")))
            assert (await next_of(second, "state", lambda m: m["preset"] == "smile"))["aus"][
                "AU12"
            ] == "2.5.."

    run(panel, work)


def test_what_faces_show_is_told_at_the_rate_that_is_wanted(panel: ServedPanel, desk: Desk):
    async def work(client: Client):
        async with client.socket() as page:
            await page.send_json({"do": "subscribe", "to": "aus", "rate": 10})
            began_s, told = time.monotonic(), 0
            while time.monotonic() - began_s < 1.0:
                desk.write(finished())
                with_message = asyncio.ensure_future(page.receive_json())
                done, _ = await asyncio.wait({with_message}, timeout=0.01)
                if not done:
                    with_message.cancel()
                elif with_message.result()["is"] == "aus":
                    told += 1
                    message = with_message.result()
            assert 5 <= told <= 12
            assert message["faces"] == [
                {"id": 7, "measured": {"AU12": 1.5}, "asked": {"AU12L": 0.5, "AU12R": 0.5}}
            ]
            assert message["pts"] == 0.5 and 0 <= message["age_ms"] < 5000

    run(panel, work)


def test_figures_are_told_again_and_again(panel: ServedPanel):
    async def work(client: Client):
        async with client.socket() as page:
            await page.send_json({"do": "subscribe", "to": "status", "rate": 60})
            for _ in range(3):
                assert (await next_of(page, "status"))["frames"] == 0
            await page.send_json({"do": "subscribe", "to": "status", "rate": 0, "id": 1})
            await next_of(page, "done", lambda m: m["id"] == 1)

    run(panel, work)


async def pictures_of(response: Any, count: int) -> list[np.ndarray]:
    found, data = [], b""
    while len(found) < count:
        data += await response.content.readany()
        while (head := re.search(rb"Content-Length: (\d+)\r\n\r\n", data)) is not None:
            end = head.end() + int(head[1])
            if len(data) < end:
                break
            found.append(np.asarray(Image.open(io.BytesIO(data[head.end() : end]))))
            data = data[end:]
    return found


@pytest.mark.parametrize(
    ("query", "left", "right"), [("", 100, 100), ("?split=0.5", 20, 100), ("?split=1&width=64", 20, 20)]
)
def test_the_live_picture_is_the_newest_beside_the_cameras_own(
    panel: ServedPanel, desk: Desk, query, left, right
):
    async def work(client: Client):
        desk.write(finished())
        async with client.session.get(
            f"{client.base}/v1/picture.mjpeg{query}", headers=client.headers
        ) as response:
            assert response.headers["Content-Type"].startswith("multipart/x-mixed-replace")
            return (await pictures_of(response, 1))[0]

    picture = run(panel, work)
    assert picture.shape == ((36, 64, 3) if "width" in query else (72, 128, 3))
    assert abs(np.median(picture[:, :20]) - left) < 4
    assert abs(np.median(picture[:, -20:]) - right) < 4


def test_a_client_that_does_not_read_keeps_nobody_waiting(panel: ServedPanel, desk: Desk):
    async def work(client: Client):
        picture = f"{client.base}/v1/picture.mjpeg"
        async with client.session.get(picture, headers=client.headers), client.socket() as asleep:
            await asleep.send_json({"do": "subscribe", "to": "aus", "rate": 60})
            noise = np.random.default_rng(0).integers(0, 256, (480, 640, 3)).astype(np.uint8)
            began_s = time.monotonic()
            for _ in range(200):
                frame = finished()
                desk.write(Finished(**{**vars(frame), "output": Frame(noise.copy())}))
            assert time.monotonic() - began_s < 2
            assert (await client.post({"do": "read"}))[0] == 200

    run(panel, work)


def test_snapshots_and_the_steps_of_the_hand_are_saved_by_the_browser(
    panel: ServedPanel, desk: Desk, tmp_path
):
    async def work(client: Client):
        assert (await client.get("/v1/snapshot.png"))[0] == 404
        assert (await client.get("/v1/hand.json"))[0] == 404
        desk.write(finished(7))
        desk.toggle_hand()
        await client.post({"do": "set", "targets": "smile"})
        desk.toggle_hand()
        status, data, headers = await client.get("/v1/snapshot.png")
        assert status == 200 and "attachment" in headers["Content-Disposition"]
        assert (np.asarray(Image.open(io.BytesIO(data))) == 107).all()
        _, steps, _ = await client.get("/v1/hand.json")
        (tmp_path / "hand.json").write_bytes(steps)

    run(panel, work)
    assert [step.targets for step in load_steps(tmp_path / "hand.json").steps] == [
        "none",
        str(parse_targets("smile")),
    ]


def test_a_snapshot_of_a_run_that_has_just_begun_waits_for_its_first_frame(panel: ServedPanel, desk: Desk):
    desk.begin(SimpleNamespace(recorder=None, notes=(), warnings=()), "camera 0")

    async def work(client: Client):
        asked = asyncio.ensure_future(client.get("/v1/snapshot.png"))
        await asyncio.sleep(0.2)
        assert not asked.done()
        desk.write(finished())
        assert (await asked)[0] == 200

    run(panel, work)


def test_a_flood_of_commands_is_ended_and_others_are_served(panel: ServedPanel, desk: Desk):
    async def work(client: Client):
        async with client.socket() as flood, client.socket() as other:
            closed = None
            for number in range(10_000):
                await flood.send_str('{"do": "set", "strength": 0.5}')
                if number % 500 == 499:
                    await asyncio.sleep(0)
                if flood.closed:
                    break
            while closed is None:
                message = await flood.receive(timeout=LIMIT_S)
                if message.type in (WSMsgType.CLOSE, WSMsgType.CLOSED, WSMsgType.ERROR):
                    closed = flood.close_code
            assert closed in (1008, 1006)
            await other.send_json({"do": "read", "id": 1})
            assert (await next_of(other, "done"))["id"] == 1
        statuses = [(await client.post({"do": "read"}))[0] for _ in range(int(BURST) + 300)]
        assert 429 in statuses

    run(panel, work)


def test_giant_and_binary_messages_end_the_socket_and_not_the_server(panel: ServedPanel):
    async def work(client: Client):
        for message in ("x" * (LARGEST_BYTES + 1), b"\x00\xff" * 10):
            async with client.socket() as page:
                await (page.send_str if isinstance(message, str) else page.send_bytes)(message)
                while (await page.receive(timeout=LIMIT_S)).type not in (WSMsgType.CLOSE, WSMsgType.CLOSED):
                    pass
                assert page.close_code in (1003, 1009)
        status, _ = await client.post("x" * (LARGEST_BYTES + 1))
        assert status == 413
        assert (await client.post({"do": "read"}))[0] == 200

    run(panel, work)


def test_there_is_an_end_to_the_number_of_pages(panel: ServedPanel):
    async def work(client: Client):
        pages = [await client.socket() for _ in range(MOST_CLIENTS)]
        with pytest.raises(WSServerHandshakeError) as refused:
            await client.socket()
        assert refused.value.status == 503
        await pages.pop().close()
        for _ in range(100):
            try:
                pages.append(await client.socket())
                break
            except WSServerHandshakeError:
                await asyncio.sleep(0.05)
        assert len(pages) == MOST_CLIENTS
        for page in pages:
            await page.close()

    run(panel, work)


def test_raw_rubbish_does_not_end_the_server(panel: ServedPanel):
    random = np.random.default_rng(0)
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", panel.guard.port), timeout=5) as connection:
            connection.sendall(random.integers(0, 256, 300).astype(np.uint8).tobytes() + b"\r\n\r\n")

    async def work(client: Client):
        return (await client.get("/v1/state"))[0]

    assert run(panel, work) == 200


def test_a_port_that_is_taken_is_one_line_and_the_usual_one_has_neighbours(desk: Desk):
    act = SimpleNamespace().__init__
    with open_panel(desk, act) as first, open_panel(desk, act) as second:
        assert first.guard.port != second.guard.port and first.guard.token != second.guard.token
        again = open_panel(desk, act, PanelOptions(port=first.guard.port))
        with pytest.raises(PanelError, match=r"no panel at 127\.0\.0\.1") as error, again:
            pass
        assert len(str(error.value).splitlines()) == 1


def test_the_server_is_gone_when_its_block_ends(desk: Desk, acts: list[Act]):
    with open_panel(desk, lambda command: "", PanelOptions(port=free_port())) as panel:

        async def work(client: Client):
            return await client.socket()

        run(panel, work)
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", panel.guard.port), timeout=2)
    desk.write(finished())
    desk.change(lambda settings: settings)
