"""The client for Python programs, against a panel that is served."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from reenact.panel.client import PanelClient, RefusalError, ShownFace, ShownFrame, connect
from reenact.panel.options import PanelError, PanelOptions, ServedPanel
from reenact.panel.protocol import Act
from reenact.panel.server import open_panel
from reenact.programme import parse_targets
from reenact.retarget.controls import Settings
from reenact.run.desk import Desk
from tests.panel.test_server import finished, free_port


@pytest.fixture
def desk() -> Desk:
    return Desk(Settings(parse_targets("none")))


@pytest.fixture
def panel(desk: Desk) -> Iterator[ServedPanel]:
    def act(command: Act) -> str:
        return f"{command.action} done"

    with open_panel(desk, act, PanelOptions(port=free_port())) as served:
        yield served


@pytest.fixture
def client(panel: ServedPanel) -> PanelClient:
    return connect(panel.url)


def test_settings_are_set_and_read(client: PanelClient, desk: Desk):
    client.set(targets="smile", strength=0.5, mirror=True)
    client.set(aus={"AU01": 2, "AU12": None, "AU04": "1"})
    state = client.state()
    assert state["strength"] == 0.5 and state["mirror"] and not state["bypass"]
    assert state["aus"]["AU01"] == "+2" and state["aus"]["AU04"] == "1" and "AU12" not in state["aus"]
    assert str(desk.controls.now.targets) == state["targets"]
    assert client.act("neutral") == "neutral done"
    assert client.act("start", camera="1", size=[640, 480]) == "start done"


def test_a_refusal_has_the_servers_reason_and_changes_nothing(client: PanelClient):
    before = client.state()
    with pytest.raises(RefusalError, match=r"write 0 to 1\.5"):
        client.set(targets="smile", strength=2)
    assert client.state() == before


def test_what_faces_show_comes_frame_by_frame(client: PanelClient, desk: Desk):
    ended = threading.Event()

    def film() -> None:
        while not ended.wait(0.01):
            desk.write(finished())

    camera = threading.Thread(target=film)
    camera.start()
    began_s, shown = time.monotonic(), []
    for each in client.aus(rate=20):
        shown.append(each)
        if len(shown) == 10:
            break
    ended.set()
    camera.join()
    assert 0.3 < time.monotonic() - began_s < 5
    assert shown[-1] == ShownFrame(
        0.5, shown[-1].age_ms, (ShownFace(7, {"AU12": 1.5}, {"AU12L": 0.5, "AU12R": 0.5}),)
    )


def test_states_tell_of_the_changes_of_others_and_end_with_the_server(desk: Desk):
    with open_panel(desk, lambda command: "", PanelOptions(port=free_port())) as panel:
        states = connect(panel.url).states()
        assert next(states)["strength"] == 1
        desk.change(lambda settings: Settings(settings.targets, 0.25))
        assert next(state for state in states if state["strength"] != 1)["strength"] == 0.25
    assert list(states) == []


def test_where_no_panel_answers_there_is_one_line(client: PanelClient, panel: ServedPanel):
    stranger = PanelClient(f"127.0.0.1:{panel.guard.port}", "wrong")
    with pytest.raises(RefusalError, match="token"):
        stranger.state()
    with pytest.raises(PanelError, match="no panel answers"):
        next(stranger.aus())
    nobody = f"http://127.0.0.1:{free_port()}/?token=x"
    with pytest.raises(PanelError, match="no panel answers") as error:
        connect(nobody)
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize(
    "address", ["", "127.0.0.1:7870", "http://127.0.0.1:7870/", "https://a/?token=b", "http://?token=a"]
)
def test_what_is_no_address_of_a_panel_is_refused(address: str):
    with pytest.raises(PanelError, match="is no panel"):
        connect(address)
