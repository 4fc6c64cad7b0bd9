import json
import subprocess
import sys
import threading

import numpy as np
import pytest

from reenact.pipeline.meter import KEPT, LiveStatus, Meter, StageTimes, peak_rss_mb
from reenact.records import Frame, Signal, Tracked


class Clock:
    """Time that stands still until it is told to go on."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def timed(meter: Meter, clock: Clock, stage: str, duration_s: float) -> None:
    with meter.time(stage):
        clock.now += duration_s


def tracked(*faces: object) -> Tracked:
    return Tracked(Frame(np.zeros((2, 2, 3), np.uint8)), faces)  # type: ignore[arg-type]


def test_percentiles_are_those_of_the_durations_in_milliseconds():
    clock = Clock()
    meter = Meter(clock)
    for duration_ms in range(1, 101):
        timed(meter, clock, "track", duration_ms / 1000)
    told = meter.report().stages["track"]
    assert [told.p50_ms, told.p95_ms, told.p99_ms] == pytest.approx([50.5, 95.05, 99.01])


def test_stages_are_reported_in_the_order_in_which_they_ran():
    clock = Clock()
    meter = Meter(clock)
    for stage in ("read", "track", "paste", "write", "track"):
        timed(meter, clock, stage, 0.001)
    assert list(meter.report().stages) == ["read", "track", "paste", "write"]


def test_frame_rate_counts_from_the_first_read_to_the_last_write():
    clock = Clock()
    meter = Meter(clock)
    clock.now += 3.0  # models load
    for _ in range(10):
        timed(meter, clock, "read", 0.05)
        meter.count_frame()
    clock.now += 7.0  # the file is closed
    report = meter.report()
    assert report.frames == 10
    assert report.elapsed_s == pytest.approx(0.5)
    assert report.fps == pytest.approx(20)
    assert report.first_frame_s == pytest.approx(3.05)


def test_nothing_run_gives_an_empty_report():
    report = Meter().report()
    assert (report.frames, report.fps, report.elapsed_s, report.first_frame_s) == (0, 0.0, 0.0, None)
    assert report.stages == {}


def test_only_frames_that_show_a_face_count_as_such_and_the_record_goes_on_untouched():
    meter = Meter()
    records = [tracked(), tracked("one"), tracked("one", "two")]
    assert [meter.count_faces(record) for record in records] == records
    assert meter.report().frames_with_face == 2


def test_memory_stays_bounded_and_old_durations_give_way_to_new_ones():
    clock = Clock()
    meter = Meter(clock)
    for duration_s in [5.0] * 10 + [0.001] * KEPT:
        timed(meter, clock, "track", duration_s)
    assert meter.report().stages["track"].p99_ms == pytest.approx(1)


def test_a_stage_that_raises_is_not_timed_and_the_error_goes_through():
    meter = Meter()
    with pytest.raises(ValueError, match="no"), meter.time("track"):
        raise ValueError("no")
    assert meter.report().stages == {}


def test_threads_may_count_at_the_same_time():
    meter = Meter()

    def work() -> None:
        for _ in range(2000):
            with meter.time("track"):
                meter.count_frame()
            meter.count_faces(tracked("one"))
            if meter.report().frames < 0:
                raise AssertionError

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    report = meter.report()
    assert (report.frames, report.frames_with_face) == (4000, 4000)


def test_the_report_becomes_plain_json():
    clock = Clock()
    meter = Meter(clock)
    timed(meter, clock, "read", 0.0123456)
    meter.count_frame()
    told = meter.report().to_json()
    assert told["frames"] == 1
    assert told["fps"] == 81.001  # 1 / 12.3456 ms
    assert told["stages"] == {"read": {"p50_ms": 12.346, "p95_ms": 12.346, "p99_ms": 12.346}}


def test_peak_memory_is_that_of_this_process_alone_and_grows_with_what_it_holds():
    program = """
import numpy as np
from reenact.pipeline.meter import peak_rss_mb
small = peak_rss_mb()
held = np.ones(200_000_000, np.uint8)
print(small, peak_rss_mb())
"""
    held = np.ones(400_000_000, np.uint8)  # the parent's memory must not show in the child's figure
    printed = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout
    small, large = map(float, printed.split())
    assert 5 < small < held.nbytes / 1e6
    assert large - small == pytest.approx(200, abs=20)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not say")
def test_peak_memory_is_known_where_proc_does_not_tell_it(tmp_path, monkeypatch):
    monkeypatch.setattr("reenact.pipeline.meter.Path", lambda *_: tmp_path / "missing")
    told = peak_rss_mb()
    assert told is not None and 20 < told < 100_000


def written(meter: Meter, clock: Clock, latency_s: float) -> None:
    meter.count_frame(captured_ns=round((clock.now - latency_s) * 1e9))


def test_a_live_status_is_of_the_last_seconds_and_counts_from_the_start():
    clock = Clock()
    meter = Meter(clock)
    for _ in range(100):  # 10 s at 10 fps, slow
        timed(meter, clock, "generate", 0.1)
        written(meter, clock, 0.2)
    for _ in range(100):  # 5 s at 20 fps, quick
        timed(meter, clock, "generate", 0.03)
        timed(meter, clock, "paste", 0.02)
        written(meter, clock, 0.02)
    meter.note_dropped(7)
    status = meter.live_status(Signal("live"))
    assert (status.frames, status.dropped) == (200, 7)
    assert status.fps == pytest.approx(20, abs=0.5)
    assert status.latency is not None
    assert [status.latency.p50_ms, status.latency.p95_ms] == pytest.approx([20, 20])
    assert (status.slowest, status.slowest_ms) == ("generate", pytest.approx(30))
    report = meter.report()
    assert report.dropped == 7
    assert report.latency is not None and report.latency.p95_ms == pytest.approx(200), "of the whole run"


def test_waiting_for_the_camera_is_not_the_slowest_stage():
    clock = Clock()
    meter = Meter(clock)
    timed(meter, clock, "read", 0.03)
    timed(meter, clock, "track", 0.005)
    written(meter, clock, 0.006)
    assert meter.live_status(Signal("live")).slowest == "track"


def test_a_run_that_has_come_to_a_stop_shows_that():
    clock = Clock()
    meter = Meter(clock)
    for _ in range(100):
        timed(meter, clock, "track", 0.01)
        written(meter, clock, 0.01)
    clock.now += 10
    status = meter.live_status(Signal("stalled", 10))
    assert (status.fps, status.latency, status.slowest) == (0.0, None, None)
    assert str(status) == "0.0 fps, 0 dropped, the camera has sent nothing for 10 s"


def test_a_live_status_is_one_line_and_plain_json():
    latency = StageTimes(17.6, 24.4, 30.0)
    status = LiveStatus(90, 3, 29.96, latency, "generate", 9.24, Signal("live", 0.01))
    assert str(status) == "30.0 fps, latency 18 ms (p95 24), 3 dropped, slowest: generate 9.2 ms"
    lost = LiveStatus(signal=Signal("lost", 12.0, "camera 0 is gone"))
    assert str(lost) == "0.0 fps, 0 dropped, camera 0 is gone; trying again, 12 s so far"
    assert json.loads(json.dumps(status.to_json()))["latency"]["p95_ms"] == 24.4
    assert status.to_json()["signal"]["state"] == "live"


def test_frames_of_no_camera_have_no_latency():
    clock = Clock()
    meter = Meter(clock)
    timed(meter, clock, "read", 0.1)
    meter.count_frame()
    assert meter.report().latency is None
    assert meter.report().to_json()["latency"] is None
