"""Recordings of live pictures: what is in the files, and that nothing that happens meanwhile loses them."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest

from calib.au import OPENFACE_CODES, AUVector, Change, bilateral, neutral_aus
from reenact.media.read import open_capture
from reenact.media.read.microphone import RATE
from reenact.media.write.au_csv import columns
from reenact.media.write.encoding import SinkError
from reenact.records import Finished, Frame, Sound
from reenact.run.recording.recorder import Recorder, RecordingFormat, SoundInput
from reenact.run.recording.recording_file import REPEAT_S, Recording
from tests.pipeline.test_pipeline import LIMIT_S, leaked, within_limit
from tests.support.faces import change, posed_face, shows
from tests.support.media import gradient, picture_times

SIZE = (48, 64)
START_NS = 5 * 10**9
DARK, BRIGHT = np.full((*SIZE, 3), 20, np.uint8), np.full((*SIZE, 3), 235, np.uint8)


def shown(
    image: np.ndarray, captured_ns: int, aus: AUVector | None = None, changes: Change | None = None
) -> Finished:
    """With a face if action units are given."""
    frame = Frame(image, Fraction(captured_ns, 10**9), captured_ns=captured_ns)
    if aus is None:
        return Finished(frame, (), output=frame)
    wanted = bilateral(neutral_aus()) if changes is None else changes
    return Finished(frame, (posed_face(),), aus=(aus,), changes=(wanted,), asked=(wanted,), output=frame)


def at(seconds: float) -> int:
    """On the clock of the pictures."""
    return START_NS + round(seconds * 1e9)


@contextmanager
def new_recording(path: Path, first: Finished, **options: object) -> Iterator[Recording]:
    """A recording of its own; the test finishes it."""
    yield Recording(path, first, RecordingFormat(Fraction(30), **options))


def write(recording: Recording, *seconds: float) -> None:
    for index, moment in enumerate(seconds):
        recording.write(shown(gradient(index, SIZE), at(moment)))


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def starts(path: Path) -> tuple[list[float], list[float]]:
    """When flashes and when bursts of sound begin, in seconds of the file."""
    with av.open(str(path)) as container:
        bright = [
            (float(frame.pts * frame.time_base), frame.to_ndarray(format="gray").mean() > 128)
            for frame in container.decode(video=0)
        ]
    flashes = [time_s for (time_s, now), (_, before) in zip(bright[1:], bright, strict=False) if now > before]
    sound = decoded_sound(path)
    loud = np.flatnonzero(np.abs(sound) > 0.1)
    first = loud[np.flatnonzero(np.diff(loud, prepend=-RATE) > RATE // 10)]
    return flashes, [float(sample) / RATE for sample in first]


def decoded_sound(path: Path) -> np.ndarray:
    """(count,) the left side, from time 0 of the file on."""
    with av.open(str(path)) as container:
        frames = list(container.decode(audio=0))
        begin_s = frames[0].pts * frames[0].time_base
        assert begin_s == 0, "the edit list takes the encoder's run-in away"
        return np.concatenate([frame.to_ndarray()[0] for frame in frames])


# One recording.


def test_pictures_have_the_times_of_their_capture(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    times = [0, 0.033, 0.1, 0.25, 0.5, 0.51, 0.9]
    with new_recording(path, shown(DARK, at(0))) as recording:
        write(recording, *times)
        saved = recording.finish(at(1))
    assert [float(moment) for moment in picture_times(path)] == pytest.approx([*times, 1], abs=1e-4)
    assert (saved.path, saved.frames, saved.duration_s) == (path, 8, 1.0)


def test_the_pictures_are_what_was_shown(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    with new_recording(path, shown(DARK, at(0))) as recording:
        before = Frame(DARK, captured_ns=at(0))
        recording.write(Finished(before, (), output=Frame(gradient(3, SIZE))))
        recording.finish(at(0.03))
    with open_capture(path) as capture:
        frame = next(iter(capture))
    assert np.abs(frame.image.astype(int) - gradient(3, SIZE)).mean() < 3


def test_the_file_says_that_it_was_edited(tmp_path: Path) -> None:
    with new_recording(tmp_path / "out.mp4", shown(DARK, at(0)), comment="Edited with reenact") as recording:
        write(recording, 0, 0.03)
        recording.finish(at(0.06))
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert container.metadata["comment"] == "Edited with reenact"


def test_a_camera_that_freezes_leaves_a_file_that_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    with new_recording(path, shown(DARK, at(0))) as recording:
        write(recording, 0, 0.03)
        for tenth in range(1, 50):
            recording.advance(at(tenth / 10))
        recording.finish(at(5))
    times = picture_times(path)
    assert max(np.diff([float(moment) for moment in times])) < REPEAT_S + 0.2
    assert float(times[-1]) == pytest.approx(5)


def test_pictures_of_another_size_are_fitted_in(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    with new_recording(path, shown(DARK, at(0))) as recording:
        write(recording, 0, 0.03)
        recording.write(shown(np.full((96, 64, 3), 235, np.uint8), at(0.06)))
        recording.finish(at(0.06))
    with open_capture(path) as capture:
        images = [frame.image for frame in capture]
    assert {image.shape for image in images} == {(*SIZE, 3)}
    assert images[-1][:, :8].max() < 40 and images[-1][:, 24:40].min() > 200, "upright in the middle"


def test_the_table_has_the_rows_of_the_video_with_what_was_measured_and_asked(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    with new_recording(path, shown(DARK, at(0))) as recording:
        recording.write(shown(DARK, at(0), shows(AU12=1, AU04=4.5), change(AU12=2, AU04=1)))
        recording.write(shown(DARK, at(0.04), shows(AU12=1.5)))
        recording.write(shown(DARK, at(0.09)))
        recording.finish(at(0.09))
    rows, times = rows_of(tmp_path / "out.csv"), picture_times(path)
    assert [row["frame"] for row in rows] == ["1", "2", "3"]
    moments = [float(moment) for moment in times]
    assert [float(row["timestamp"]) for row in rows] == pytest.approx(moments, abs=1e-6)
    assert [row["success"] for row in rows] == ["1", "1", "0"]
    assert (rows[0]["AU12_r"], rows[0]["AU12_asked"]) == ("1.00", "3.00")
    assert (rows[0]["AU04_r"], rows[0]["AU04_asked"]) == ("4.50", "5.00"), "no more than there is"
    assert (rows[1]["AU12_r"], rows[1]["AU12_asked"]) == ("1.50", "1.50")


def test_what_openface_has_stands_in_the_table_as_before() -> None:
    with_asked, without = columns(asked=True), columns()
    assert with_asked[: len(without)] == without
    assert with_asked[len(without) :] == [f"{code}_asked" for code in OPENFACE_CODES]


@pytest.mark.parametrize("ending", [".mp4", ".mov", ".mkv"])
def test_the_sound_is_as_long_as_the_picture_and_in_step_with_it(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"out{ending}"
    with new_recording(path, shown(DARK, at(0)), sound=True) as recording:
        for index in range(90):
            recording.write(shown(BRIGHT if index % 30 == 15 else DARK, at(index / 30)))
            for piece in range(3):
                moment_s = index / 30 + piece / 90
                recording.write_sound(tone_at(moment_s, RATE // 90, [0.5, 1.5, 2.5]))
        recording.finish(at(3))
    flashes, bursts = starts(path)
    assert flashes == pytest.approx([0.5, 1.5, 2.5], abs=0.001)
    # Matroska holds whole milliseconds and no edit lists; FFmpeg still recorder the run-in away.
    assert bursts == pytest.approx([0.5, 1.5, 2.5], abs=0.003)
    assert len(decoded_sound(path)) / RATE == pytest.approx(3, abs=0.05)


def tone_at(moment_s: float, count: int, bursts_s: list[float]) -> Sound:
    """Sound heard at this time: silence but for 50 ms of tone from each of `bursts_s` on."""
    times = moment_s + np.arange(count) / RATE
    wave = 0.5 * np.sin(2 * np.pi * 1000 * times)
    loud = np.any([(times >= burst) & (times < burst + 0.05) for burst in bursts_s], axis=0)
    return Sound(np.tile((wave * loud).astype(np.float32), (2, 1)), at(moment_s))


def test_sound_from_before_the_first_picture_is_not_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    with new_recording(path, shown(DARK, at(0)), sound=True) as recording:
        for tenth in range(-10, 10):
            recording.write_sound(tone_at(tenth / 10, RATE // 10, [-0.5, 0.5]))
        write(recording, 0, 0.5)
        recording.finish(at(1))
    assert starts(path)[1] == pytest.approx([0.5], abs=0.002)


def test_where_no_sound_comes_there_is_silence_and_it_goes_on_in_its_place(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    with new_recording(path, shown(DARK, at(0)), sound=True) as recording:
        for tenth in range(60):
            write(recording, tenth / 10)
            if not 10 <= tenth < 40:
                recording.write_sound(tone_at(tenth / 10, RATE // 10, [0.5, 4.5]))
            recording.advance(at(tenth / 10))
        recording.finish(at(6))
    assert starts(path)[1] == pytest.approx([0.5, 4.5], abs=0.002)
    assert len(decoded_sound(path)) / RATE == pytest.approx(6, abs=0.05)


@pytest.mark.parametrize("ending", [".mp4", ".mkv"])
def test_until_it_is_done_the_file_can_be_read_under_a_name_that_says_so(tmp_path: Path, ending: str) -> None:
    with new_recording(tmp_path / f"out{ending}", shown(DARK, at(0)), sound=True) as recording:
        for index in range(150):
            recording.write(shown(gradient(index, SIZE), at(index / 30)))
            recording.write_sound(tone_at(index / 30, RATE // 30, []))
        partial = tmp_path / f"out.partial{ending}"
        assert len(picture_times(partial)) > 60
        assert len(rows_of(tmp_path / "out.partial.csv")) == 150
        recording.finish(at(5))
    assert sorted(file.name for file in tmp_path.iterdir()) == ["out.csv", f"out{ending}"]


def test_a_recording_that_cannot_be_opened_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("reenact.run.recording.recording_file.add_picture", full)
    with pytest.raises(SinkError, match=r"out\.mp4 cannot be written: No space left"):
        Recording(tmp_path / "out.mp4", shown(DARK, at(0)))
    assert list(tmp_path.iterdir()) == []


# The recorder.


@contextmanager
def new_recorder(path: Path, **arguments: object) -> Iterator[Recorder]:
    with Recorder(path, RecordingFormat(Fraction(30), **arguments)) as recorder:
        yield recorder
    assert leaked() == []


def feed(recorder: Recorder, count: int) -> None:
    """So many pictures, as fast as the encoder takes them."""
    for index in range(count):
        recorder.write(shown(gradient(index, SIZE), time.perf_counter_ns()))
        recorder.idle()
        time.sleep(0.003)


def test_every_recording_has_a_file_of_its_own(tmp_path: Path) -> None:
    with new_recorder(tmp_path / "out.mp4") as recorder:
        for count in (3, 5, 7):
            recorder.start()
            assert recorder.recording
            feed(recorder, count)
            recorder.stop()
            assert not recorder.recording
            feed(recorder, 2)  # of which nothing is recorded
    assert [saved.path.name for saved in recorder.saved] == ["out.mp4", "out-2.mp4", "out-3.mp4"]
    for saved, count in zip(recorder.saved, (3, 5, 7), strict=True):
        # The last picture is there a second time, at the moment of the stop.
        assert len(picture_times(saved.path)) == saved.frames == count + 1
        assert len(rows_of(saved.path.with_suffix(".csv"))) == saved.frames


@pytest.mark.parametrize("there", ["out.mp4", "out.csv", "out.partial.mp4"])
def test_no_file_is_replaced(tmp_path: Path, there: str) -> None:
    (tmp_path / there).write_text("precious")
    with new_recorder(tmp_path / "out.mp4") as recorder:
        recorder.start()
        feed(recorder, 3)
    assert (tmp_path / there).read_text() == "precious"
    assert [saved.path.name for saved in recorder.saved] == ["out-2.mp4"]


def test_a_recording_without_a_picture_leaves_no_file(tmp_path: Path) -> None:
    with new_recorder(tmp_path / "out.mp4") as recorder:
        recorder.start()
        for _ in range(5):
            recorder.idle()
    assert recorder.saved == ()
    assert list(tmp_path.iterdir()) == []


def test_start_and_stop_may_come_twice(tmp_path: Path) -> None:
    with new_recorder(tmp_path / "out.mp4") as recorder:
        recorder.stop()
        recorder.start()
        recorder.start()
        feed(recorder, 3)
        recorder.stop()
        recorder.stop()
    assert len(recorder.saved) == 1


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("out.avi", "mp4"),
        ("out", "mp4"),
        ("out.webm", "a recording is written as .mp4"),
        ("nowhere/out.mp4", "does not exist"),
    ],
)
def test_names_under_which_nothing_can_be_recorded_are_refused_at_once(
    tmp_path: Path, name: str, words: str
) -> None:
    with pytest.raises(SinkError, match=words):
        Recorder(tmp_path / name)


def test_one_key_starts_and_stops_and_says_which(tmp_path: Path) -> None:
    with new_recorder(tmp_path / "out.mp4") as recorder:
        assert recorder.toggle() == "recording out.mp4"
        feed(recorder, 3)
        assert recorder.toggle() == "recorded out.mp4"
        feed(recorder, 3)
        assert recorder.toggle() == "recording out-2.mp4"
    assert len(recorder.saved) == 1, "of the second there was no picture"


def test_what_ends_the_run_does_not_lose_the_recording(tmp_path: Path) -> None:
    def run() -> None:
        with new_recorder(tmp_path / "out.mp4") as recorder:
            recorder.start()
            feed(recorder, 5)
            raise KeyboardInterrupt

    assert isinstance(within_limit(run), KeyboardInterrupt)
    assert len(picture_times(tmp_path / "out.mp4")) == 6
    assert leaked() == []


def test_the_live_picture_does_not_wait_for_a_slow_encoder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    released = threading.Event()
    really_write = Recording.write

    def held_up(recording: Recording, record: Finished) -> None:
        assert released.wait(LIMIT_S)
        really_write(recording, record)

    monkeypatch.setattr(Recording, "write", held_up)

    def run() -> None:
        with new_recorder(tmp_path / "out.mp4") as recorder:
            recorder.start()
            feed(recorder, 60)
            released.set()

    assert within_limit(run) is None
    recorded = len(picture_times(tmp_path / "out.mp4")) - 1
    assert 10 <= recorded < 30
    assert f"{60 - recorded} pictures were not recorded: the encoder was too slow" in caplog.messages


def test_a_disk_that_is_nearly_full_ends_the_recording_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    free = [10**12]
    monkeypatch.setattr(
        "reenact.run.recording.recorder.shutil.disk_usage", lambda folder: SimpleNamespace(free=free[0])
    )
    monkeypatch.setattr("reenact.run.recording.recorder.DISK_CHECK_S", 0.05)

    def until(condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + LIMIT_S
        while not condition():
            assert time.monotonic() < deadline
            feed(recorder, 1)

    with new_recorder(tmp_path / "out.mp4") as recorder:
        recorder.start()
        feed(recorder, 10)
        free[0] = 10**6
        until(lambda: not recorder.recording)
        feed(recorder, 10)
        free[0] = 10**12
        recorder.start()
        feed(recorder, 5)
    assert caplog.messages == [
        f"the recording {tmp_path / 'out.mp4'} has ended: the disk has only 50 MB left"
    ]
    assert [len(picture_times(saved.path)) for saved in recorder.saved] == [
        saved.frames for saved in recorder.saved
    ]
    assert [saved.path.name for saved in recorder.saved] == ["out.mp4", "out-2.mp4"]
    assert recorder.saved[0].frames >= 10


RECORD = """
import sys, time
from fractions import Fraction
from pathlib import Path
import numpy as np
from reenact.run.recording.recorder import Recorder, RecordingFormat
from reenact.records import Finished, Frame

dice = np.random.default_rng(0)
with Recorder(Path(sys.argv[1]), RecordingFormat(Fraction(30))) as recorder:
    recorder.start()
    began = time.perf_counter()
    while time.perf_counter() - began < float(sys.argv[2]):
        frame = Frame(dice.integers(0, 255, (96, 128, 3), np.uint8), captured_ns=time.perf_counter_ns())
        recorder.write(Finished(frame, (), output=frame))
        time.sleep(0.02)
        if not recorder.recording:
            print("the picture goes on", flush=True)
            break
"""
LIMITED = """
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, resource.RLIM_INFINITY))
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="needs POSIX limits")
@pytest.mark.parametrize("ending", [".mp4", ".mkv"])
def test_a_file_that_cannot_grow_any_more_plays_to_its_end(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"out{ending}"
    done = subprocess.run(
        [sys.executable, "-c", LIMITED + RECORD, str(path), "30"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "the picture goes on\n"
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"the recording {path} has ended: {path} cannot be written: ")
    assert len(picture_times(path)) > 20
    assert sorted(file.name for file in tmp_path.iterdir()) == ["out.csv", f"out{ending}"]


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="needs POSIX signals")
@pytest.mark.parametrize("ending", [".mp4", ".mkv"])
def test_what_was_recorded_until_the_program_was_killed_can_be_played(tmp_path: Path, ending: str) -> None:
    path, partial = tmp_path / f"out{ending}", tmp_path / f"out.partial{ending}"
    process = subprocess.Popen([sys.executable, "-c", RECORD, str(path), "60"])
    deadline = time.monotonic() + 60
    while not partial.exists() or partial.stat().st_size < 1_000_000:
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait(LIMIT_S)
    rows = rows_of(tmp_path / "out.partial.csv")
    assert not path.exists()
    played = len(picture_times(partial))
    # The last second may be missing, and what the encoder held.
    assert played >= len(rows) - 80 and played > 20


# Sound, with everything that runs at its own pace.


class Scene:
    """Flashes and tones at the same moments, seen by a camera and heard by a microphone in real time."""

    def __init__(self, period_s: float = 0.7) -> None:
        self._start_ns = time.perf_counter_ns()
        self._period_s = period_s
        self.unplugged = threading.Event()

    def _phase_s(self, moments_ns: np.ndarray | int) -> np.ndarray:
        return np.asarray((moments_ns - self._start_ns) / 1e9 % self._period_s)

    def picture(self, now_ns: int) -> np.ndarray:
        return BRIGHT if self._phase_s(now_ns) < 0.1 else DARK

    def hear(self) -> Generator[Sound | None, None, None]:
        heard_ns = time.perf_counter_ns()
        while not self.unplugged.is_set():
            time.sleep(0.004)
            count = (time.perf_counter_ns() - heard_ns) * RATE // 10**9
            if count < RATE // 100:
                yield None
                continue
            moments_ns = heard_ns + np.arange(count) * 10**9 // RATE
            loud = self._phase_s(moments_ns) < 0.1
            wave = 0.5 * np.sin(2 * np.pi * 1000 * moments_ns / 1e9) * loud
            yield Sound(np.tile(wave.astype(np.float32), (2, 1)), heard_ns)
            heard_ns += int(count) * 10**9 // RATE
        while True:
            time.sleep(0.004)
            yield None


def record_scene(
    path: Path, scene: Scene, duration_s: float, latencies_s: tuple[float, ...], sound_input: SoundInput
) -> None:
    """Pictures every 5 ms, so that a flash is seen as soon as it is there, each shown as late as is said."""
    with Recorder(path, RecordingFormat(Fraction(100), sound=True), sound_input) as recorder:
        recorder.start()
        began_s, index = time.perf_counter(), 0
        while time.perf_counter() - began_s < duration_s:
            captured_ns = time.perf_counter_ns()
            record = shown(scene.picture(captured_ns), captured_ns)
            time.sleep(latencies_s[index % len(latencies_s)])
            recorder.write(record)
            recorder.idle()
            index += 1
    assert leaked() == []


def apart_ms(path: Path) -> list[float]:
    """How much later than each flash the sound that belongs to it begins; a flash begins at some time between
    the last dark picture and the first bright one."""
    flashes, bursts = starts(path)
    assert len(flashes) >= 2
    times = [float(moment) for moment in picture_times(path)]
    found = []
    for flash in flashes:
        dark = max(moment for moment in times if moment < flash)
        burst = min(bursts, key=lambda burst, flash=flash: abs(burst - flash))
        found.append(1000 * (burst - float(np.clip(burst, dark, flash))))
    return found


def test_sound_and_picture_are_together_whatever_the_delay_of_the_picture(tmp_path: Path) -> None:
    scene = Scene()
    sound_input = SoundInput(scene.hear)
    record_scene(tmp_path / "out.mp4", scene, 3, (0.004, 0.006, 0.012), sound_input)
    assert np.abs(apart_ms(tmp_path / "out.mp4")).max() < 20


def test_a_given_delay_counts_from_the_picture_that_is_shown(tmp_path: Path) -> None:
    """300 ms with a picture that is 100 ms late itself: 200 ms more than it would take to be together."""
    scene = Scene()
    sound_input = SoundInput(scene.hear, delay_ms=300, latency_ms=lambda: 100)
    record_scene(tmp_path / "out.mp4", scene, 3, (0.005,), sound_input)
    assert np.median(apart_ms(tmp_path / "out.mp4")) == pytest.approx(200, abs=20)


def test_a_microphone_that_is_unplugged_leaves_silence_to_the_end(tmp_path: Path) -> None:
    scene, path = Scene(), tmp_path / "out.mp4"
    threading.Timer(1.5, scene.unplugged.set).start()
    record_scene(path, scene, 4, (0.005,), SoundInput(scene.hear))
    sound = decoded_sound(path)
    assert np.abs(sound[: RATE * 3 // 2]).max() > 0.3
    assert np.abs(sound[RATE * 2 :]).max() < 0.01
    assert len(sound) / RATE == pytest.approx(4, abs=0.2)
