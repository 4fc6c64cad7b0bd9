"""The virtual camera, read back through a backend of our own."""

from __future__ import annotations

import operator
import sys
from collections.abc import Iterator
from typing import ClassVar

import numpy as np
import pytest

from reenact.doctor.machine import System
from reenact.media.write.encoding import SinkError
from reenact.media.write.virtual_camera import RETRY_S, VirtualCamera, letterbox, open_virtual_camera
from reenact.records import Finished, Frame
from tests.support.media import gradient

pyvirtualcam = pytest.importorskip("pyvirtualcam")


class Seen:
    """What a program that uses the virtual camera sees; the backend that the real pyvirtualcam opens.

    Like the one for v4l2loopback (0.15), it takes C's numbers and text, and no device that it has open.
    """

    opened: ClassVar[list[Seen]] = []
    broken = False

    def __init__(self, *, width: int, height: int, fps: float, fourcc: int, device: str | None) -> None:
        if Seen.broken:
            raise RuntimeError("there is no such device")
        for number in (width, height, fourcc):
            if operator.index(number) <= 0:
                raise TypeError(f"incompatible constructor arguments. Invoked with: {number!r}")
        if not isinstance(fps, int | float) or not isinstance(device, str | None):
            raise TypeError(f"incompatible constructor arguments. Invoked with: {fps!r}, {device!r}")
        if any(each._name == (device or each._name) and not each.closed for each in Seen.opened):
            raise RuntimeError("the device is already in use")
        self.size, self.fps, self.fourcc = (height, width), fps, fourcc
        self.images: list[np.ndarray] = []
        self.closed = 0
        self._name = device or "/dev/video9"
        Seen.opened.append(self)

    def send(self, pixels: np.ndarray) -> None:
        if Seen.broken:
            raise OSError("the device has vanished")
        assert not self.closed and pixels.dtype == np.uint8
        assert pixels.ndim == 1 and pixels.flags.c_contiguous
        self.images.append(pixels.reshape(*self.size, 3).copy())

    def close(self) -> None:
        assert not self.closed, "pyvirtualcam closes once"
        self.closed += 1

    def device(self) -> str:
        return self._name

    def native_fourcc(self) -> None:
        return None


class Clock:
    def __init__(self) -> None:
        self.now_s = 5.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture(autouse=True)
def backend(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Ours is the only one."""
    monkeypatch.setattr("pyvirtualcam.camera.BACKENDS", {})
    monkeypatch.setattr(Seen, "opened", [])
    monkeypatch.setattr(Seen, "broken", False)
    pyvirtualcam.register_backend("seen", Seen)
    yield


def record(image: np.ndarray) -> Finished:
    return Finished(Frame(image), (), output=Frame(image))


def test_size_rate_format_and_colours_arrive_as_they_were_sent() -> None:
    image = gradient(3, (48, 64))
    with open_virtual_camera((48, 64), 29.97) as camera:
        camera.write(record(image))
        assert camera.name == "/dev/video9"
    (seen,) = Seen.opened
    assert (seen.size, seen.fps) == ((48, 64), 29.97)
    assert seen.fourcc == int.from_bytes(b"raw ", "little"), "libyuv's name for RGB in this order of bytes"
    np.testing.assert_array_equal(seen.images[-1], image)
    assert seen.closed == 1


def test_what_is_sent_is_the_output_not_the_input() -> None:
    with open_virtual_camera((2, 2), 30) as camera:
        black, white = np.zeros((2, 2, 3), np.uint8), np.full((2, 2, 3), 255, np.uint8)
        camera.write(Finished(Frame(black), (), output=Frame(white)))
    assert Seen.opened[0].images[-1].min() == 255


def test_a_device_may_be_named() -> None:
    with open_virtual_camera((48, 64), 30, "/dev/video42") as camera:
        assert camera.name == "/dev/video42"


def test_while_no_frame_comes_the_last_one_goes_on_at_the_declared_rate() -> None:
    clock = Clock()
    with VirtualCamera((48, 64), 30, clock=clock) as camera:
        camera.write(record(gradient(1, (48, 64))))
        for _ in range(300):  # three seconds, looked after every 10 ms
            clock.now_s += 0.01
            camera.idle()
    images = Seen.opened[0].images
    assert len(images) == pytest.approx(1 + 90, abs=1)
    assert all((image == images[0]).all() for image in images)


def test_frames_that_come_at_the_declared_rate_are_not_doubled() -> None:
    clock = Clock()
    with VirtualCamera((48, 64), 30, clock=clock) as camera:
        for index in range(60):
            camera.write(record(gradient(index, (48, 64))))
            for _ in range(4):  # up to 40 ms: one camera's late frame
                clock.now_s += 0.01
                camera.idle()
    assert len(Seen.opened[0].images) == 60


def test_before_the_first_frame_it_shows_black() -> None:
    clock = Clock()
    with VirtualCamera((48, 64), 30, clock=clock) as camera:
        camera.idle()
    assert Seen.opened[0].images[0].max() == 0


def test_a_pause_is_not_made_up_for() -> None:
    clock = Clock()
    with VirtualCamera((48, 64), 30, clock=clock) as camera:
        camera.write(record(gradient(1, (48, 64))))
        clock.now_s += 10  # the program stood still
        for _ in range(10):
            camera.idle()
    assert len(Seen.opened[0].images) <= 3


def test_a_virtual_camera_that_vanishes_is_opened_again_and_nothing_raises() -> None:
    clock, image = Clock(), gradient(1, (48, 64))
    with VirtualCamera((48, 64), 30, clock=clock) as camera:
        camera.write(record(image))
        Seen.broken = True
        for _ in range(100):
            clock.now_s += RETRY_S / 30
            camera.write(record(image))
        Seen.broken = False
        clock.now_s += RETRY_S
        camera.write(record(image))
        camera.write(record(image))
    first, second = Seen.opened
    assert (first.closed, second.closed) == (1, 1)
    assert len(second.images) == 2


def test_frames_of_another_size_are_fitted_in() -> None:
    with open_virtual_camera((40, 80), 30) as camera:
        camera.write(record(np.full((90, 90, 3), 200, np.uint8)))
        camera.write(record(np.full((40, 80, 3), 100, np.uint8)))
    fitted, whole = Seen.opened[0].images
    assert (fitted[:, 20:60] == 200).all()
    assert fitted[:, :20].max() == fitted[:, 60:].max() == 0
    assert (whole == 100).all()


def test_odd_sizes_are_declared_even_and_keep_their_pixels() -> None:
    image = gradient(1, (47, 85))
    with open_virtual_camera((47, 85), 30) as camera:
        assert camera.size == (48, 86)
        camera.write(record(image))
    np.testing.assert_array_equal(Seen.opened[0].images[0][:47, :85], image)


@pytest.mark.parametrize("shape", [(10, 1000), (1000, 10), (1, 1), (48, 64), (480, 640)])
def test_a_letterbox_has_the_size_asked_for_whatever_comes(shape: tuple[int, int]) -> None:
    image = np.full((*shape, 3), 255, np.uint8)
    boxed = letterbox(image, (48, 64))
    assert boxed.shape == (48, 64, 3)
    assert boxed.max() == 255


SYSTEMS = {
    System("linux", "apt-get"): "sudo apt-get install -y v4l2loopback-dkms && sudo modprobe v4l2loopback",
    System("darwin"): "install OBS Studio",
    System("win32"): "UnityCapture",
}


@pytest.mark.parametrize("system", SYSTEMS, ids=lambda system: system.platform)
def test_where_none_opens_one_line_says_why_and_what_to_do(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reenact.media.write.virtual_camera.this_system", lambda: system)
    monkeypatch.setattr("reenact.media.write.virtual_camera.loopback_installed", lambda: False)
    monkeypatch.setattr(Seen, "broken", True)
    pyvirtualcam.register_backend("other", Seen)
    with pytest.raises(SinkError) as caught:
        open_virtual_camera((48, 64), 30)
    message = str(caught.value)
    assert message.startswith("no virtual camera opens ('seen' backend: there is no such device; 'other'")
    assert SYSTEMS[system] in message
    assert "\n" not in message


def test_without_pyvirtualcam_the_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyvirtualcam", None)
    with pytest.raises(SinkError, match="pip install pyvirtualcam"):
        open_virtual_camera((48, 64), 30)
