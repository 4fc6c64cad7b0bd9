"""Microphones and what can happen to them, played by a scripted one on a clock that only sleeping moves."""

from __future__ import annotations

import builtins
import subprocess
import sys
from contextlib import closing
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from reenact.media.read.microphone import (
    RATE,
    MicrophoneError,
    MicrophoneOptions,
    SoundClock,
    open_microphone,
    read_microphone,
)
from reenact.records import Sound
from tests.media.test_camera import Clock
from tests.support.portaudio import Device, install

OPTIONS = MicrophoneOptions()
PIECE_S = 0.01


class ScriptedMicrophone:
    """A microphone that counts its samples, so many seconds of them, and then does what is written."""

    def __init__(self, clock: Clock, seconds: float, then: str = "silent", channels: int = 2) -> None:
        self._clock = clock
        self._started_ns: int | None = None
        self._seconds = seconds
        self._then = then
        self._channels = channels
        self._read = 0
        self.closed = 0

    def available(self) -> int:
        if self._started_ns is None:
            self._started_ns = self._clock.now_ns
        heard_s = (self._clock.now_ns - self._started_ns) / 1e9
        if heard_s > self._seconds and self._then == "broken":
            raise MicrophoneError("the microphone is gone")
        return int(min(heard_s, self._seconds) * RATE) - self._read

    def read(self, count: int) -> tuple[np.ndarray, bool]:
        samples = np.arange(self._read, self._read + count, dtype=np.float32) / RATE
        self._read += count
        return np.repeat(samples[:, None], self._channels, axis=1), False

    def close(self) -> None:
        self.closed += 1


def heard(microphones: list[ScriptedMicrophone | str], clock: Clock, pieces: int) -> list[Sound]:
    """The first pieces of sound; each opening takes the next microphone; a string is why none opens."""
    coming = iter(microphones)

    def open_next() -> ScriptedMicrophone:
        microphone = next(coming, "no more")
        if isinstance(microphone, str):
            raise MicrophoneError(microphone)
        return microphone

    sounds = (sound for sound in read_microphone(open_next, OPTIONS, clock, clock.sleep) if sound is not None)
    return list(islice(sounds, pieces))


def test_every_sample_comes_once_in_order_with_the_time_it_was_heard() -> None:
    clock = Clock()
    started_ns = clock.now_ns
    sounds = heard([ScriptedMicrophone(clock, 10)], clock, 50)
    samples = np.concatenate([sound.samples for sound in sounds], axis=1)
    np.testing.assert_array_equal(samples[0], np.arange(samples.shape[1], dtype=np.float32) / RATE)
    for sound in sounds:
        expected_ns = started_ns + float(sound.samples[0, 0]) * 1e9
        assert sound.heard_ns == pytest.approx(expected_ns, abs=1e6)


def test_sound_of_one_channel_is_heard_on_both_sides() -> None:
    clock = Clock()
    (sound,) = heard([ScriptedMicrophone(clock, 10, channels=1)], clock, 1)
    assert sound.samples.shape[0] == 2
    np.testing.assert_array_equal(sound.samples[0], sound.samples[1])


def test_sound_that_arrives_late_was_not_heard_late() -> None:
    """Arrivals with up to 30 ms of jitter; the clock finds the steady time behind them."""
    clock, dice = SoundClock(), np.random.default_rng(4)
    errors_ms = []
    for index in range(1000):
        true_ns = index * 10_000_000
        late_ns = 0 if index % 7 == 0 else int(dice.uniform(0, 30e6))
        found_ns = clock(RATE // 100, true_ns + 10_000_000 + late_ns)
        errors_ms.append((found_ns - true_ns) / 1e6)
    assert np.abs(errors_ms[20:]).max() < 1


@pytest.mark.parametrize("error", [-200e-6, 200e-6])
def test_a_sound_cards_clock_that_runs_wrong_is_followed(error: float) -> None:
    clock = SoundClock()
    for index in range(60_000):  # ten minutes, after which 200 ppm are 120 ms
        arrived_ns = int((index + 1) * 10_000_000 * (1 + error))
        found_ns = clock(RATE // 100, arrived_ns)
    assert found_ns == pytest.approx(arrived_ns - 10_000_000, abs=2e6)


def test_a_microphone_that_is_missing_is_said_once_and_used_when_it_is_there(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = Clock()
    started_ns = clock.now_ns
    (sound,) = heard(["there is no microphone"] * 3 + [ScriptedMicrophone(clock, 100)], clock, 1)
    assert sound.heard_ns - started_ns > 3 * OPTIONS.retry_s * 1e9 - 1e9
    assert caplog.messages == [
        "there is no microphone: recordings are silent until it works",
        "the microphone works again",
    ]


@pytest.mark.parametrize(
    ("then", "line"),
    [("silent", "the microphone has sent nothing for 1 s"), ("broken", "the microphone is gone")],
)
def test_a_microphone_that_is_lost_is_said_once_and_closed(
    then: str, line: str, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock()
    microphone = ScriptedMicrophone(clock, 0.5, then)
    before = list(islice(read_microphone(lambda: microphone, OPTIONS, clock, clock.sleep), 400))
    assert sum(sound.samples.shape[1] for sound in before if sound) == pytest.approx(
        RATE / 2, abs=RATE // 100
    )
    assert caplog.messages == [f"{line}: recordings are silent until it works"]
    assert microphone.closed == 1


def test_while_there_is_no_sound_whoever_listens_is_told_so_many_times_a_second() -> None:
    clock = Clock()

    def none() -> ScriptedMicrophone:
        raise MicrophoneError("there is no microphone")

    started_ns = clock.now_ns
    assert list(islice(read_microphone(none, OPTIONS, clock, clock.sleep), 100)) == [None] * 100
    assert clock.now_ns - started_ns < 1e9


def test_without_portaudio_the_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    really_import = builtins.__import__

    def without(name: str, *arguments: object) -> object:
        if name == "sounddevice":
            raise OSError("PortAudio library not found")
        return really_import(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", without)
    open_device = open_microphone(None)
    with pytest.raises(MicrophoneError, match="microphones need PortAudio") as caught:
        open_device()
    assert "\n" not in str(caught.value)
    assert "libportaudio" in str(caught.value)


# ---- Over the real sounddevice, with a PortAudio that is none ----------------------------------------------

ROOM, HEADSET, SPEAKER = Device("Room", 4), Device("Headset"), Device("Speaker", 0)


def test_a_microphone_is_opened_with_at_most_two_channels_and_read(monkeypatch: pytest.MonkeyPatch) -> None:
    portaudio = install(monkeypatch, SPEAKER, ROOM, HEADSET)
    for device, channels in ((None, 2), ("room", 2), ("1", 2), ("Headset", 1)):
        with closing(open_microphone(device)()) as microphone:
            (stream,) = portaudio.streams.values()
            stream.samples = 480
            assert microphone.available() == 480
            samples, lost = microphone.read(480)
            assert (samples.shape, samples.dtype, lost) == ((480, channels), np.float32, False)
            assert samples[1, 0] == channels
        assert portaudio.streams == {}


@pytest.mark.parametrize(
    ("device", "message"),
    [
        ("0", r"^microphone 0 does not open: Not an input device: 'Speaker'$"),
        ("7", r"^microphone 7 does not open: Error querying device 7$"),
        ("99999999999", r"^microphone 99999999999 does not open: .*int"),
        ("kitchen", r"^microphone 'kitchen' does not open: No input device matching 'kitchen'$"),
        (
            "e",
            r"^microphone 'e' does not open: Multiple input devices found for 'e': \[1\] Headset, ALSA \[2\]",
        ),
    ],
)
def test_a_microphone_that_there_is_not_is_refused_in_one_line(
    device: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    portaudio = install(monkeypatch, SPEAKER, HEADSET, Device("Webcam"))
    with pytest.raises(MicrophoneError, match=message) as caught:
        open_microphone(device)()
    assert "\n" not in str(caught.value)
    assert portaudio.streams == {}


def test_a_portaudio_that_does_not_start_is_no_microphone_until_it_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """sounddevice starts it while it is imported, and raises an error of its own."""
    portaudio = install(monkeypatch, HEADSET)
    portaudio.starts = False
    open_device = open_microphone(None)
    with pytest.raises(MicrophoneError, match="PortAudio does not start: Error initializing PortAudio"):
        open_device()
    portaudio.starts = True
    open_device().close()
    portaudio.starts = False  # as when it is started again, for a new list of devices
    with pytest.raises(MicrophoneError, match="PortAudio does not start"):
        open_device()
    portaudio.starts = True
    open_device().close()


def test_a_microphone_that_is_plugged_in_later_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """PortAudio lists the devices once, when it starts."""
    portaudio = install(monkeypatch)
    open_device = open_microphone(None)
    with pytest.raises(MicrophoneError, match="there is no microphone"):
        open_device()
    portaudio.plugged.append(HEADSET)
    with closing(open_device()) as microphone:
        assert microphone.available() == 0
        portaudio.plugged.remove(HEADSET)
        with pytest.raises(MicrophoneError, match=r"^the microphone is gone: .*ALSA error -19"):
            microphone.available()
    with pytest.raises(MicrophoneError, match="there is no microphone"):
        open_device()
    portaudio.plugged.append(ROOM)
    open_device().close()


def test_a_microphone_that_does_not_start_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    portaudio = install(monkeypatch, HEADSET)
    portaudio.streams_start = False
    with pytest.raises(MicrophoneError, match="does not open: Error starting stream"):
        open_microphone(None)()
    assert portaudio.streams == {}


def test_sound_that_portaudio_drops_does_not_shift_what_follows(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says so once, and never how much."""
    portaudio, clock, options = install(monkeypatch, HEADSET), Clock(), MicrophoneOptions()
    sounds = read_microphone(open_microphone(None), options, clock, clock.sleep)
    assert next(sounds) is None
    (stream,) = portaudio.streams.values()
    errors_ms = []
    for index in range(20):
        clock.now_ns += 300_000_000 if index == 10 else 10_000_000
        stream.samples, stream.overflowed = 480, index == 10
        sound = next(each for each in sounds if each is not None)
        errors_ms.append((sound.heard_ns - (clock.now_ns - 10_000_000)) / 1e6)
    assert np.abs(errors_ms).max() < 20, errors_ms


# ---- Over a real PortAudio ---------------------------------------------------------------------------------

ASOUNDRC = """
pcm.mic { type file file "/dev/null" infile "INFILE" format raw slave.pcm { type null } }
pcm.!default mic
"""
HEAR = """
from reenact.media.read.microphone import open_microphone
microphone = open_microphone(None)()
samples, lost = microphone.read(4800)
print(samples.shape, samples.dtype, microphone.available() >= 0)
microphone.close()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs ALSA")
def test_a_microphone_of_the_system_is_heard(tmp_path: Path) -> None:
    """ALSA plays one out of a file."""
    try:
        import sounddevice  # noqa: F401
    except (ImportError, OSError) as error:
        pytest.skip(f"needs sounddevice and PortAudio: {error}")
    infile = tmp_path / "sound.raw"
    infile.write_bytes(bytes(48000 * 8))
    (tmp_path / ".asoundrc").write_text(ASOUNDRC.replace("INFILE", str(infile)))
    done = subprocess.run(
        [sys.executable, "-c", HEAR],
        env={"HOME": str(tmp_path), "PYTHONPATH": ":".join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        timeout=60,
    )
    if "there is no microphone" in done.stderr:
        pytest.skip("this PortAudio has no ALSA, or ALSA no plugin for files")
    assert done.stdout.split("\n")[0] == "(4800, 2) float32 True", done.stderr
