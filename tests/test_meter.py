import subprocess
import sys
import threading

import numpy as np
import pytest

from reenact.meter import KEPT, Meter, peak_rss_mb
from reenact.types import Frame, Tracked


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
from reenact.meter import peak_rss_mb
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
    monkeypatch.setattr("reenact.meter.Path", lambda _: tmp_path / "missing")
    told = peak_rss_mb()
    assert told is not None and 20 < told < 100_000
