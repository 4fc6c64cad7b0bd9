"""OSC in and out, with another process as its counterpart."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pythonosc.osc_message_builder import build_msg
from pythonosc.osc_packet import OscPacket
from pythonosc.udp_client import SimpleUDPClient

from calib.arkit import BLENDSHAPES
from calib.au import AU_INDEX, GAZE, bilateral, neutral_aus
from calib.pose import Pose
from reenact.panel.options import Address, PanelError, parse_address
from reenact.panel.osc import OscInput, command_in, datagram_of, osc_input, osc_output
from reenact.panel.protocol import Act, ProtocolError, Set
from reenact.programme import parse_targets
from reenact.records import Face, Finished, Frame
from reenact.retarget.controls import Settings
from reenact.run.desk import Desk
from tests.support.faces import rotation

LIMIT_S = 20
HERE = Address("127.0.0.1", 0)


@pytest.fixture
def desk() -> Desk:
    return Desk(Settings(parse_targets("AU12=+1")))


def eventually(holds: Callable[[], bool]) -> None:
    end_s = time.monotonic() + LIMIT_S
    while not holds():
        assert time.monotonic() < end_s
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("address", "arguments", "targets"),
    [
        ("/reenact/au/12", [2.0], "AU12=+2"),
        ("/reenact/au/AU12L", [2], "AU12L=+2,AU12R=+1"),
        ("/reenact/au/4", [-1.5], "AU04=-1.5,AU12=+1"),
        ("/reenact/au/12/hold", [3.0], "AU12=3"),
        ("/reenact/au/12/free", [], "none"),
        ("/reenact/au/62", [1.0], "AU12=+1,AU62=+1"),
        ("/reenact/au/eye_contact/hold", [1.0], "AU12=+1,eye_contact=1"),
        ("/reenact/gaze", [-6.0, 12], "AU12=+1,AU62=1,AU63=2"),
        ("/reenact/targets", ["AU01=2"], "AU01=2"),
        ("/reenact/preset", ["smile"], str(parse_targets("smile"))),
    ],
)
def test_messages_ask_for_action_units(address, arguments, targets):
    command = command_in(address, arguments)
    assert isinstance(command, Set)
    assert str(command(Settings(parse_targets("AU12=+1"))).targets) == targets


def test_messages_change_settings_and_press_buttons():
    assert command_in("/reenact/strength", [0.5]) == Set(strength=0.5, switches={})
    assert command_in("/reenact/bypass", [1.0]) == Set(switches={"bypass": True})
    assert command_in("/reenact/mirror", [False]) == Set(switches={"mirror": False})
    assert (
        command_in("/reenact/neutral", []) == command_in("/reenact/neutral", [1.0]) == Act(action="neutral")
    )
    assert command_in("/reenact/neutral", [0.0]) is None


@pytest.mark.parametrize(
    ("address", "arguments"),
    [
        ("/other/au/12", [1.0]),
        ("/reenact", []),
        ("/reenact/au", [1.0]),
        ("/reenact/au/99", [1.0]),
        ("/reenact/au/12", []),
        ("/reenact/au/12", ["2"]),
        ("/reenact/au/12", [float("nan")]),
        ("/reenact/au/12", [7.0]),
        ("/reenact/au/12/hold", [-1.0]),
        ("/reenact/au/12/shake", [1.0]),
        ("/reenact/au/12/hold/now", [1.0]),
        ("/reenact/gaze", [1.0]),
        ("/reenact/gaze", [90.0, 0.0]),
        ("/reenact/strength", [2.0]),
        ("/reenact/preset", []),
        ("/reenact/preset", ["grin"]),
        ("/reenact/targets", ["/etc/a.json"]),
        ("/reenact/start", []),
        ("/reenact/stop", [1]),
        ("/reenact/bypass/x", [1]),
    ],
)
def test_what_means_nothing_is_refused_in_one_line(address, arguments):
    with pytest.raises(ProtocolError) as error:
        command_in(address, arguments)
    assert len(str(error.value).splitlines()) == 1


@settings(max_examples=300)
@given(
    st.binary(max_size=200)
    | st.builds(
        lambda address, values: build_msg("/reenact/" + address, values).dgram,
        st.text(st.characters(codec="ascii", exclude_categories=("Cc",)), max_size=20),
        st.lists(st.floats(width=32) | st.integers(-(2**31), 2**31 - 1) | st.booleans(), max_size=3),
    )
)
def test_no_datagram_breaks_the_input(datagram: bytes):
    OscInput(Desk(Settings(parse_targets("none"))), lambda command: "")(datagram)


def test_errors_are_told_once_for_each_address(desk: Desk, caplog: pytest.LogCaptureFixture):
    take = OscInput(desk, lambda command: "")
    for _ in range(50):
        take(build_msg("/reenact/au/99", [1.0]).dgram)
        take(b"rubbish")
    assert len(caplog.records) == 2


SENDER = """
import sys, time
from pythonosc.udp_client import SimpleUDPClient
client = SimpleUDPClient("127.0.0.1", int(sys.argv[1]))
for number in range(1, 601):
    client.send_message("/reenact/au/12", number / 200)
    time.sleep(0.001)
client.send_message("/reenact/neutral", 1)
"""


def test_another_process_moves_a_slider_600_times_and_all_arrive_in_order(desk: Desk):
    acts, seen = [], []
    desk.listen(lambda: seen.append(float(desk.controls.now.targets.value[0, AU_INDEX[12]])), lambda: None)
    with osc_input(desk, lambda command: acts.append(command) or "", HERE) as address:
        subprocess.run([sys.executable, "-c", SENDER, str(address.port)], check=True, timeout=LIMIT_S)
        eventually(lambda: bool(acts))
    assert seen == sorted(seen) and len(seen) == 600 and seen[-1] == pytest.approx(3)
    assert acts == [Act(action="neutral")]


def test_a_port_that_is_taken_is_one_line(desk: Desk):
    with osc_input(desk, lambda command: "", HERE) as address:
        again = osc_input(desk, lambda command: "", address)
        with pytest.raises(PanelError, match="no OSC at 127") as error, again:
            pass
    assert len(str(error.value).splitlines()) == 1
    with osc_input(desk, lambda command: "", address):
        SimpleUDPClient(address.host, address.port).send_message("/reenact/strength", 0.5)
        eventually(lambda: desk.controls.now.strength == 0.5)


@pytest.mark.parametrize("text", ["", "9000", ":9000", "host:", "host:0", "host:70000", "host:1x", "a:-1"])
def test_what_is_no_address_is_refused(text):
    with pytest.raises(PanelError):
        parse_address(text)


def test_an_address_is_a_host_and_a_port():
    assert parse_address(" 192.168.1.5:39539 ") == Address("192.168.1.5", 39539)


def frame_of(number: int = 0, head: np.ndarray | None = None) -> Finished:
    aus, asked = neutral_aus(), bilateral(neutral_aus())
    aus[AU_INDEX[12]], asked[0, AU_INDEX[12]], asked[:, GAZE.start] = 1.5, 0.5, -2
    turn = np.eye(3, dtype=np.float32) if head is None else head
    face = Face(7, np.zeros((478, 3), np.float32), Pose(1.0, turn, np.zeros(3)), 1.0)
    frame = Frame(np.zeros((4, 4, 3), np.uint8), pts=Fraction(number, 30))
    return Finished(
        frame, (face,), False, (aus,), leans=(neutral_aus(),), changes=(asked,), asked=(asked,), output=frame
    )


def messages(datagram: bytes) -> list[tuple[str, list]]:
    return [(each.message.address, each.message.params) for each in OscPacket(datagram).messages]


def test_what_is_measured_and_asked_is_sent_by_name():
    sent = dict(messages(datagram_of(frame_of(15), ("aus",))))
    assert sent["/reenact/time"] == [0.5] and sent["/reenact/face"] == [7]
    assert sent["/reenact/aus/AU12"] == [1.5] and sent["/reenact/aus/AU01"] == [0.0]
    asked = {name: values for name, values in sent.items() if name.startswith("/reenact/asked/")}
    assert asked == {
        "/reenact/asked/AU12L": [0.5],
        "/reenact/asked/AU62L": [2.0],
        "/reenact/asked/AU62R": [2.0],
    }


def test_arkit_and_vmc_send_the_face_as_it_is_shown():
    shown = dict(messages(datagram_of(frame_of(), ("arkit",))))
    assert len(shown) == len(BLENDSHAPES)
    assert shown["/reenact/arkit/mouthSmileLeft"][0] == pytest.approx(0.4)
    assert shown["/reenact/arkit/mouthSmileRight"][0] == pytest.approx(0.3)
    sent = messages(datagram_of(frame_of(), ("vmc",)))
    assert sent[0] == ("/VMC/Ext/OK", [1]) and sent[-1] == ("/VMC/Ext/Blend/Apply", [])
    blends = {values[0]: values[1] for name, values in sent if name == "/VMC/Ext/Blend/Val"}
    assert set(blends) == set(BLENDSHAPES) and blends["mouthSmileLeft"] == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("turn", "ahead"),
    [
        ({}, (0, 0, 1)),
        ({"yaw": 0.5}, (np.sin(0.5), 0, np.cos(0.5))),  # to the picture's left is to the person's right: x
        ({"pitch": 0.3}, (0, -np.sin(0.3), np.cos(0.3))),  # a nose that is lowered
    ],
)
def test_the_head_of_an_avatar_turns_as_the_head_does(turn, ahead):
    sent = messages(datagram_of(frame_of(head=rotation(**turn)), ("vmc",)))
    (name, *place, x, y, z, w) = next(values for name, values in sent if name == "/VMC/Ext/Bone/Pos")
    assert (name, place) == ("Head", [0, 0, 0])
    assert x * x + y * y + z * z + w * w == pytest.approx(1, abs=1e-5)
    forward = 2 * (x * z + w * y), 2 * (y * z - w * x), 1 - 2 * (x * x + y * y)
    assert forward == pytest.approx(ahead, abs=1e-5)


def test_a_frame_without_a_face_says_so():
    empty = replace(frame_of(), faces=(), aus=(), leans=(), changes=(), asked=())
    assert messages(datagram_of(empty, ("aus", "arkit", "vmc"))) == [
        ("/reenact/time", [0.0]),
        ("/reenact/face", [-1]),
        ("/VMC/Ext/OK", [0]),
    ]


RECEIVER = """
import socket
from pythonosc.osc_packet import OscPacket
listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
listener.bind(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
listener.settimeout(20)
for _ in range(60):
    for each in OscPacket(listener.recv(65536)).messages:
        if each.message.address == "/reenact/time":
            print(each.message.params[0], flush=True)
"""


def test_another_process_gets_every_frame_in_order(desk: Desk):
    """Each frame waits until the last has come, because one that is not sent yet gives way to the next."""
    with subprocess.Popen([sys.executable, "-c", RECEIVER], stdout=subprocess.PIPE, text=True) as receiver:
        assert receiver.stdout is not None
        port = int(receiver.stdout.readline())
        times = []
        with osc_output(desk, Address("127.0.0.1", port), ("aus", "arkit")):
            for number in range(60):
                desk.write(frame_of(number))
                times.append(float(receiver.stdout.readline()))
    assert times == [pytest.approx(number / 30) for number in range(60)]


def test_nobody_who_listens_is_no_error(desk: Desk):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        address = Address("127.0.0.1", free.getsockname()[1])
    with osc_output(desk, address, ("vmc",)):
        for number in range(5):
            desk.write(frame_of(number))
            time.sleep(0.02)
    desk.write(frame_of(9))


def test_a_host_that_there_is_not_is_one_line(desk: Desk):
    sending = osc_output(desk, Address("no.such.host.invalid", 9), ("aus",))
    with pytest.raises(PanelError, match="no OSC to") as error, sending:
        pass
    assert len(str(error.value).splitlines()) == 1
