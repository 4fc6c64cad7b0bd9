"""The live runner: the newest frame wins, drops are counted, and nothing hangs whatever breaks."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing

import numpy as np
import pytest

from reenact.pipeline import runner as pipeline
from reenact.pipeline.meter import Meter
from reenact.pipeline.runner import LeftThreads, LiveSink, Stage, closed_after_stages, live_records
from reenact.records import Frame, Signal, Tracked
from tests.pipeline.test_pipeline import LIMIT_S, Broken, leaked, within_limit

IMAGE = np.zeros((2, 2, 3), np.uint8)
LIVE = Signal("live")


def frame_at(index: int) -> Frame:
    return Frame(IMAGE, index=index, captured_ns=time.perf_counter_ns())


def frames(count: int, pause_s: float = 0.0) -> Iterator[Frame]:
    for index in range(count):
        time.sleep(pause_s)
        yield frame_at(index)


def track(frame: Frame) -> Tracked:
    return Tracked(frame, ())


TRACK = Stage("track", track)
TRACK_ON = Stage("track on", lambda tracked: tracked)


class Kept:
    """A sink that keeps the indices of what it gets, and counts the moments without."""

    def __init__(self, then: Callable[[int], None] = lambda index: None) -> None:
        self.indices: list[int] = []
        self.idled = 0
        self._then = then

    def write(self, record: Tracked) -> None:
        self.indices.append(record.frame.index)
        self._then(record.frame.index)

    def idle(self) -> None:
        self.idled += 1


def for_ever() -> bool:
    return True


def run_live(
    source: Iterable[Frame | None],
    groups: Sequence[Sequence[Stage]],
    sinks: Sequence[LiveSink],
    *,
    meter: Meter,
    going: Callable[[], bool],
) -> None:
    """As long as `going` says so."""
    with closing(live_records(source, groups, sinks, meter=meter)) as records:
        while going() and next(records, "end") != "end":
            pass


def slow_stage(duration_s: float) -> Stage:
    def work(frame: Frame) -> Tracked:
        time.sleep(duration_s)
        return track(frame)

    return Stage("slow", work)


def test_frames_that_come_slowly_all_arrive_in_order() -> None:
    kept, meter = Kept(), Meter()
    taken = threading.Semaphore(1)

    def source() -> Iterator[Frame]:
        for index in range(20):
            assert taken.acquire(timeout=LIMIT_S)
            yield frame_at(index)

    kept = Kept(lambda index: taken.release())
    run_live(source(), [[TRACK]], [kept], meter=meter, going=for_ever)
    assert kept.indices == list(range(20))
    assert meter.report().dropped == 0
    assert leaked() == []


def test_when_a_stage_is_slow_the_newest_frame_wins_and_every_frame_is_accounted_for() -> None:
    kept, meter = Kept(), Meter()
    run_live(frames(60, 0.002), [[slow_stage(0.01)]], [kept], meter=meter, going=for_ever)
    report = meter.report()
    assert report.dropped > 20
    assert len(kept.indices) + report.dropped == 60
    assert kept.indices == sorted(set(kept.indices))
    assert kept.indices[-1] == 59, "the last has nothing newer"
    assert report.frames == len(kept.indices)


def test_the_count_of_drops_is_up_to_date_while_the_run_goes_on() -> None:
    meter, given = Meter(), threading.Event()
    told: list[int] = []

    def source() -> Iterator[Frame]:
        for index in range(10):  # the first is in the stage, 1 to 8 give way
            yield frame_at(index)
            if index == 0:
                assert begun.wait(LIMIT_S)
        given.set()

    begun = threading.Event()

    def hold(frame: Frame) -> Tracked:
        begun.set()
        assert given.wait(LIMIT_S)
        return track(frame)

    class Watching(Kept):
        def write(self, record: Tracked) -> None:
            super().write(record)
            told.append(meter.live_status(LIVE).dropped)

    kept = Watching()
    run_live(source(), [[Stage("hold", hold)]], [kept], meter=meter, going=for_ever)
    assert kept.indices == [0, 9]
    assert told[-1] == 8


def test_a_slow_sink_makes_nothing_wait_in_line() -> None:
    begun: list[int] = []
    most_ahead = 0

    def note(frame: Frame) -> Tracked:
        begun.append(frame.index)
        return track(frame)

    def slow(index: int) -> None:
        nonlocal most_ahead
        time.sleep(0.01)
        most_ahead = max(most_ahead, sum(1 for other in begun if other > index))

    kept = Kept(slow)
    run_live(frames(100, 0.001), [[Stage("note", note)]], [kept], meter=Meter(), going=for_ever)
    assert most_ahead == 1, "one in the stage while one is written"
    assert kept.indices == begun


def test_groups_of_stages_work_at_the_same_time_with_one_frame_each() -> None:
    meet = threading.Barrier(2, timeout=LIMIT_S)

    def first(frame: Frame) -> Tracked:
        if frame.index == 5:
            meet.wait()
        return track(frame)

    def second(tracked: Tracked) -> Tracked:
        if tracked.frame.index == 4:
            meet.wait()
        return tracked

    kept, room = Kept(), threading.Semaphore(2)

    def source() -> Iterator[Frame]:
        for index in range(10):
            assert room.acquire(timeout=LIMIT_S)
            yield frame_at(index)

    def release(tracked: Tracked) -> Tracked:
        room.release()
        return second(tracked)

    # Each of the two threads has a frame of its own, so that none is dropped.
    groups = [[Stage("first", first)], [Stage("second", release)]]
    run_live(source(), groups, [kept], meter=Meter(), going=for_ever)
    assert kept.indices[-1] == 9
    assert {4, 5} <= set(kept.indices)


def test_sinks_are_called_in_the_callers_thread_and_hear_when_nothing_comes() -> None:
    threads: set[threading.Thread] = set()
    kept = Kept(lambda index: threads.add(threading.current_thread()))

    def source() -> Iterator[Frame | None]:
        yield frame_at(0)
        deadline = time.monotonic() + LIMIT_S
        while kept.idled < 5 and time.monotonic() < deadline:
            time.sleep(0.001)
            yield None

    run_live(source(), [[TRACK]], [kept], meter=Meter(), going=for_ever)
    assert kept.idled >= 5
    assert threads == {threading.current_thread()}


def test_a_run_ends_when_it_is_told_to_although_no_frame_comes() -> None:
    closed = []

    def source() -> Iterator[None]:
        try:
            while True:
                time.sleep(0.001)
                yield None
        finally:
            closed.append(True)

    end_s = time.monotonic() + 0.05
    raised = within_limit(
        lambda: run_live(source(), [[TRACK]], [Kept()], meter=Meter(), going=lambda: time.monotonic() < end_s)
    )
    assert raised is None
    assert closed == [True]
    assert leaked() == []


def test_a_camera_that_is_stuck_does_not_hold_up_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "LEAVE_S", 0.05)
    released = threading.Event()

    def source() -> Iterator[Frame]:
        yield frame_at(0)
        released.wait(LIMIT_S)
        yield frame_at(1)

    kept, started_s = Kept(), time.monotonic()
    run_live(source(), [[TRACK]], [kept], meter=Meter(), going=lambda: kept.idled < 3)
    assert time.monotonic() - started_s < 2
    assert kept.indices == [0]
    stuck = [thread for thread in threading.enumerate() if thread.name == "reenact camera"]
    assert len(stuck) == 1
    released.set()
    stuck[0].join(LIMIT_S)
    assert leaked() == []


def test_a_stage_that_is_stuck_does_not_hold_up_the_end(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(pipeline, "LEAVE_S", 0.05)
    released = threading.Event()

    def hang(frame: Frame) -> Tracked:
        if frame.index == 3:
            released.wait(LIMIT_S)
        return track(frame)

    kept, started_s = Kept(), time.monotonic()
    groups = [[Stage("hang", hang)], [Stage("after", lambda tracked: tracked)]]
    run_live(frames(5, 0.01), groups, [kept], meter=Meter(), going=lambda: kept.idled < 10)
    assert time.monotonic() - started_s < 2
    assert kept.indices == [0, 1, 2]
    assert caplog.messages == ["the hang does not answer and is no longer waited for"]
    (stuck,) = [thread for thread in threading.enumerate() if thread.name == "reenact hang"]
    released.set()
    stuck.join(LIMIT_S)
    assert leaked() == []


class Resource:
    """Something that stages use."""

    def __init__(self) -> None:
        self.closed = threading.Event()

    def __enter__(self) -> Resource:
        return self

    def __exit__(self, *_: object) -> None:
        self.closed.set()


def test_nothing_is_closed_under_a_stage_that_is_left_to_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "LEAVE_S", 0.05)
    released, left = threading.Event(), LeftThreads()
    seen_closed: list[bool] = []

    def hang(frame: Frame) -> Tracked:
        if frame.index == 3:
            released.wait(LIMIT_S)
            seen_closed.append(tracker.closed.is_set())
        return track(frame)

    def after(tracked: Tracked) -> Tracked:
        seen_closed.append(engine.closed.is_set())
        return tracked

    kept = Kept()
    with closed_after_stages(left) as used:
        tracker, engine = (used.enter_context(Resource()) for _ in range(2))
        stages = [Stage("hang", hang), Stage("after", after)]
        with closing(live_records(frames(5, 0.01), [stages], [kept], meter=Meter(), left=left)) as records:
            while kept.idled < 10:
                next(records)
    assert not tracker.closed.is_set() and not engine.closed.is_set()
    assert left.running == ("hang, after",)
    released.set()
    assert tracker.closed.wait(LIMIT_S) and engine.closed.wait(LIMIT_S)
    assert seen_closed == [False] * len(seen_closed) and len(seen_closed) == 5
    left.join()
    await_no_thread()


def test_what_stages_use_is_closed_with_the_run_where_none_is_stuck() -> None:
    left = LeftThreads()
    with pytest.raises(Broken), closed_after_stages(left) as used:
        tracker = used.enter_context(Resource())
        run_live(frames(3), [[TRACK]], [Kept()], meter=Meter(), going=for_ever)
        raise Broken
    assert tracker.closed.is_set() and left.running == ()


def await_no_thread() -> None:
    deadline = time.monotonic() + LIMIT_S
    while leaked() and time.monotonic() < deadline:
        time.sleep(0.001)
    assert leaked() == []


def test_latency_counts_from_the_camera_to_the_end_of_the_writing() -> None:
    def source() -> Iterator[Frame]:
        yield Frame(IMAGE, captured_ns=time.perf_counter_ns() - 50_000_000)

    meter = Meter()
    run_live(source(), [[TRACK]], [Kept(lambda index: time.sleep(0.02))], meter=meter, going=for_ever)
    latency = meter.report().latency
    assert latency is not None
    assert 70 <= latency.p50_ms < 2000
    stages = meter.report().stages
    assert set(stages) == {"read", "wait", "track", "hand over", "write"}
    assert stages["wait"].p50_ms >= 50
    parts = sum(times.p50_ms for name, times in stages.items() if name != "read")
    assert parts == pytest.approx(latency.p50_ms, abs=15), "the parts of the latency"


def test_records_are_yielded_once_written_and_none_where_there_is_none() -> None:
    kept = Kept()

    def source() -> Iterator[Frame]:
        yield frame_at(0)
        time.sleep(0.1)
        yield frame_at(1)

    yielded = []
    for record in live_records(source(), [[TRACK]], [kept], meter=Meter()):
        yielded.append(record)
        assert kept.indices == [one.frame.index for one in yielded if one is not None]
    assert kept.indices == [0, 1]
    assert None in yielded
    assert leaked() == []


def test_whoever_wants_no_more_records_leaves_no_thread() -> None:
    records = live_records(frames(1000, 0.001), [[TRACK], [TRACK_ON]], [Kept()], meter=Meter())
    assert next(record for record in records if record is not None).frame.index >= 0
    assert leaked() != []
    records.close()
    assert leaked() == []


def test_what_a_stage_leaves_for_later_is_done_when_its_frame_is_out() -> None:
    order: list[str] = []
    out = threading.Event()

    def later() -> None:
        assert out.wait(LIMIT_S), "the frame is not out"
        out.clear()
        order.append("later")

    def show(index: int) -> None:
        order.append(f"out {index}")
        out.set()

    def source() -> Iterator[Frame]:
        for index in range(3):
            yield frame_at(index)
            while len(order) < 2 * index + 2:
                time.sleep(0.001)

    meter = Meter()
    run_live(source(), [[Stage("track", track, later)]], [Kept(show)], meter=meter, going=for_ever)
    assert order == ["out 0", "later", "out 1", "later", "out 2", "later"]
    assert "track later" in meter.report().stages


@pytest.mark.parametrize("place", ["source", "first", "second", "sink"])
def test_an_error_reaches_the_caller_as_itself_and_ends_all_threads(place: str) -> None:
    error, closed = Broken(place), []

    def broken_at(here: str, record: object) -> object:
        index = record.frame.index if isinstance(record, Tracked) else record.index
        if place == here and index >= 10:
            raise error
        return record

    def source() -> Iterator[Frame]:
        try:
            for index in range(1000):
                time.sleep(0.001)
                yield broken_at("source", frame_at(index))
        finally:
            closed.append(True)

    class Breaking(Kept):
        def write(self, record: Tracked) -> None:
            super().write(broken_at("sink", record))

    groups = [
        [Stage("first", lambda frame: track(broken_at("first", frame)))],
        [Stage("second", lambda record: broken_at("second", record))],
    ]
    raised = within_limit(lambda: run_live(source(), groups, [Breaking()], meter=Meter(), going=for_ever))
    assert raised is error
    assert closed == [True]
    assert leaked() == []


@pytest.mark.parametrize("seed", range(200))
def test_random_live_runs_never_hang_leak_or_lose_count(seed: int) -> None:
    """Random shapes, speeds, gaps, errors and ends."""
    dice = random.Random(seed)
    count, groups_count = dice.randrange(0, 40), dice.randrange(0, 3)
    places = ["source", "sink", *(f"stage {n}" for n in range(groups_count))]
    breaks = {(dice.choice(places), dice.randrange(40)) for _ in range(dice.choice([0, 0, 1, 2]))}
    naps = {(dice.choice(places), dice.randrange(40)) for _ in range(20)}
    turns = dice.choice([None, dice.randrange(60)])
    captured: list[int] = []
    closed: list[int] = []
    meter, asked = Meter(), 0

    def visit(place: str, index: int) -> None:
        if (place, index) in naps:
            time.sleep(0.001)
        if (place, index) in breaks:
            raise Broken(f"{place} at {index}")

    def source() -> Iterator[Frame | Tracked | None]:
        try:
            for index in range(count):
                visit("source", index)
                if dice.random() < 0.2:
                    yield None
                yield Tracked(frame_at(index), ())
                captured.append(index)
        finally:
            closed.append(1)

    def stage(place: str) -> Stage:
        def work(record: Tracked) -> Tracked:
            visit(place, record.frame.index)
            return record

        return Stage(place, work)

    def going() -> bool:
        nonlocal asked
        asked += 1
        return turns is None or asked <= turns

    kept = Kept(lambda index: visit("sink", index))
    groups = [[stage(f"stage {n}")] for n in range(groups_count)]
    raised = within_limit(lambda: run_live(source(), groups, [kept], meter=meter, going=going))
    assert raised is None or str(raised) in {f"{place} at {index}" for place, index in breaks}
    assert kept.indices == sorted(set(kept.indices))
    assert closed == [1] or count == 0 or turns is not None
    assert leaked() == []
    if raised is None and turns is None:
        assert len(kept.indices) + meter.report().dropped == len(captured) == count
        assert kept.indices[-1:] == captured[-1:]
    if raised is None and turns is not None:
        unwritten = len(captured) - len(kept.indices) - meter.report().dropped
        # One in the mailbox, and for each stage one in its hands and one on its way out.
        assert unwritten <= 1 + 2 * groups_count
        assert len(kept.indices) + meter.report().dropped <= count
