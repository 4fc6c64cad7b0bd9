import _thread
import ctypes
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext

import pytest
from threadpoolctl import threadpool_info

from reenact.pipeline.meter import Meter
from reenact.pipeline.runner import LeftThreads, Stage, closed_after_stages, in_background, run

LIMIT_S = 10
COUNT = 30


class Broken(Exception):
    """Raised on purpose."""


def add_one(number: int) -> int:
    return number + 1


def double(number: int) -> int:
    return number * 2


GROUPS = [[Stage("add", add_one)], [Stage("double", double), Stage("add again", add_one)]]


def within_limit(work: Callable[[], None]) -> BaseException | None:
    """Runs the work in a thread that may not take longer than LIMIT_S; what it raised."""
    raised: list[BaseException] = []

    def target() -> None:
        try:
            work()
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=target, daemon=True)
    thread.start()
    thread.join(LIMIT_S)
    assert not thread.is_alive(), "hangs"
    return raised[0] if raised else None


def leaked() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("reenact")]


@pytest.mark.parametrize("threaded", [True, False])
def test_every_record_arrives_in_order_after_all_stages(threaded):
    written: list[int] = []
    run(range(500), GROUPS, written.append, meter=Meter(), threaded=threaded)
    assert written == [(number + 1) * 2 + 1 for number in range(500)]
    assert leaked() == []


@pytest.mark.parametrize("threaded", [True, False])
def test_an_empty_source_writes_nothing(threaded):
    written: list[int] = []
    run([], GROUPS, written.append, meter=Meter(), threaded=threaded)
    assert written == []


@pytest.mark.parametrize("threaded", [True, False])
def test_no_stages_hand_the_records_straight_through(threaded):
    written: list[int] = []
    run(range(5), [], written.append, meter=Meter(), threaded=threaded)
    assert written == [0, 1, 2, 3, 4]


def test_a_slow_sink_holds_the_source_back():
    read = 0
    most_ahead = 0

    def source() -> Iterator[int]:
        nonlocal read
        for number in range(60):
            read += 1
            yield number

    def sink(number: int) -> None:
        nonlocal most_ahead
        time.sleep(0.001)
        most_ahead = max(most_ahead, read - number)

    run(
        source(), [[Stage("add", lambda n: n)], [Stage("same", lambda n: n)]], sink, meter=Meter(), capacity=2
    )
    # Three channels of two, and one record in the hands of each of the four workers.
    assert 3 <= most_ahead <= 3 * 2 + 4


def test_stages_of_different_groups_work_at_the_same_time():
    meet = threading.Barrier(2, timeout=LIMIT_S)

    def wait_for_the_other(number: int) -> int:
        if number in (4, 5):  # record 5 in the first group while record 4 is in the second
            meet.wait()
        return number

    first = Stage("first", lambda number: wait_for_the_other(number) if number == 5 else number)
    second = Stage("second", lambda number: wait_for_the_other(number) if number == 4 else number)
    written: list[int] = []
    run(range(8), [[first], [second]], written.append, meter=Meter())
    assert written == list(range(8))


def test_the_sink_is_called_in_the_callers_thread():
    threads = set()
    run(range(3), GROUPS, lambda _: threads.add(threading.current_thread()), meter=Meter())
    assert threads == {threading.current_thread()}


def test_the_meter_knows_every_stage_and_counts_what_was_written():
    meter = Meter()
    run(range(7), GROUPS, lambda _: None, meter=meter)
    report = meter.report()
    assert report.frames == 7
    assert set(report.stages) == {"read", "add", "double", "add again", "write"}


@pytest.mark.parametrize("threaded", [True, False])
@pytest.mark.parametrize("place", ["source", "first", "last", "sink"])
def test_an_error_reaches_the_caller_after_the_records_before_it(place, threaded):
    error = Broken(place)

    def broken_at(here: str, number: int) -> int:
        if place == here and number == 20:
            raise error
        return number

    source = (broken_at("source", number) for number in range(COUNT))
    groups = [
        [Stage("first", lambda n: broken_at("first", n))],
        [Stage("last", lambda n: broken_at("last", n))],
    ]
    written: list[int] = []

    def sink(number: int) -> None:
        written.append(broken_at("sink", number))

    raised = within_limit(lambda: run(source, groups, sink, meter=Meter(), threaded=threaded))
    assert raised is error
    assert written == list(range(20))
    assert leaked() == []


@pytest.mark.parametrize("threaded", [True, False])
@pytest.mark.parametrize("breaks", [True, False])
def test_the_generator_of_the_source_is_closed_whatever_happens(threaded, breaks):
    closed = []

    def source() -> Iterator[int]:
        try:
            yield from range(COUNT)
        finally:
            closed.append(True)

    def sink(number: int) -> None:
        if breaks and number == 3:
            raise Broken

    raised = within_limit(lambda: run(source(), [], sink, meter=Meter(), threaded=threaded))
    assert isinstance(raised, Broken) == breaks
    assert closed == [True]


@pytest.mark.parametrize("threaded", [True, False])
def test_an_interrupt_in_a_stage_reaches_the_caller(threaded):
    def interrupted(number: int) -> int:
        if number == 5:
            raise KeyboardInterrupt
        return number

    raised = within_limit(
        lambda: run(
            range(COUNT), [[Stage("stop", interrupted)]], lambda _: None, meter=Meter(), threaded=threaded
        )
    )
    assert isinstance(raised, KeyboardInterrupt)
    assert leaked() == []


@pytest.mark.parametrize("delay_s", [0.0, 0.001, 0.003, 0.007, 0.02])
def test_an_interrupt_from_the_keyboard_ends_all_threads(delay_s):
    def endless() -> Iterator[int]:
        number = 0
        while True:
            yield number
            number += 1

    timer = threading.Timer(delay_s, _thread.interrupt_main)
    # A shell starts its background jobs with the signal ignored, and then nothing would end the run.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            timer.start()
            run(endless(), GROUPS, lambda _: time.sleep(0.0005), meter=Meter())
    finally:
        signal.signal(signal.SIGINT, before)
    assert leaked() == []


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="needs signals")
def test_nothing_is_closed_under_a_stage_when_a_second_interrupt_ends_the_waiting():
    left, began, released, closed = LeftThreads(), threading.Event(), threading.Event(), threading.Event()

    def hang(number: int) -> int:
        began.set()
        assert released.wait(LIMIT_S)
        assert not closed.is_set()
        return number

    def interrupt_twice() -> None:
        assert began.wait(LIMIT_S)
        for _ in range(2):
            time.sleep(0.1)
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    interrupter = threading.Thread(target=interrupt_twice)
    try:
        with pytest.raises(KeyboardInterrupt), closed_after_stages(left) as used:
            used.callback(closed.set)
            interrupter.start()
            run(range(3), [[Stage("hang", hang)]], print, meter=Meter(), left=left)
        interrupter.join(LIMIT_S)
    finally:
        signal.signal(signal.SIGINT, before)
    assert not closed.is_set() and "hang" in left.running
    released.set()
    assert closed.wait(LIMIT_S)
    deadline = time.monotonic() + LIMIT_S
    while leaked() and time.monotonic() < deadline:
        time.sleep(0.001)
    assert leaked() == [] and left.running == ()


def test_an_interrupt_while_threads_are_being_limited_is_not_lost(monkeypatch):
    """threadpoolctl finds libraries by a callback from C, out of which nothing can be raised."""

    def look_for_libraries() -> None:
        signal.raise_signal(signal.SIGINT)
        sum(range(100))

    def limit(**_):
        ctypes.CFUNCTYPE(None)(look_for_libraries)()
        return nullcontext()

    monkeypatch.setattr("reenact.pipeline.runner.threadpool_limits", limit)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            run(iter([1]), GROUPS, lambda _: None, meter=Meter())
    finally:
        signal.signal(signal.SIGINT, before)
    assert leaked() == []


def test_a_stage_that_raises_stop_iteration_does_not_look_like_the_end():
    def stop(_: int) -> int:
        raise StopIteration

    for threaded in (True, False):
        with pytest.raises(RuntimeError):
            run(range(3), [[Stage("stop", stop)]], lambda _: None, meter=Meter(), threaded=threaded)


@pytest.mark.parametrize("seed", range(400))
def test_random_runs_never_hang_leak_or_lose_a_record(seed):
    """Random shapes, speeds and errors: the threaded run does what the serial run does."""
    dice = random.Random(seed)
    count = dice.randrange(1, 40)
    sizes = [dice.randrange(0, 3) for _ in range(dice.randrange(0, 4))]
    places = ["source", "sink", *(f"{g}.{s}" for g, size in enumerate(sizes) for s in range(size))]
    breaks = {(dice.choice(places), dice.randrange(count)) for _ in range(dice.randrange(0, 4))}
    naps = {(dice.choice(places), dice.randrange(count)) for _ in range(6)}

    def attempt(threaded: bool) -> tuple[list[int], str, list[int]]:
        written: list[int] = []
        closed: list[int] = []

        def visit(place: str, number: int) -> int:
            if (place, number) in naps:
                time.sleep(0.001)
            if (place, number) in breaks:
                raise Broken(f"{place} at {number}")
            return number

        def source() -> Iterator[int]:
            try:
                for number in range(count):
                    yield visit("source", number)
            finally:
                closed.append(1)

        def stage(place: str) -> Stage:
            return Stage(place, lambda number: visit(place, number))

        groups = [[stage(f"{g}.{s}") for s in range(size)] for g, size in enumerate(sizes)]
        raised = within_limit(
            lambda: run(
                source(),
                groups,
                lambda number: written.append(visit("sink", number)),
                meter=Meter(),
                threaded=threaded,
                capacity=dice.randrange(1, 4),
            )
        )
        return written, str(raised), closed

    threaded, serial = attempt(threaded=True), attempt(threaded=False)
    assert threaded == serial
    assert threaded[2] == [1]
    assert leaked() == []


def test_blas_keeps_to_one_thread_while_the_loop_runs_and_is_let_go_after_it():
    def blas_threads() -> set[int]:
        return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}

    before, seen = blas_threads(), []
    stage = Stage("look", lambda record: seen.append(blas_threads()) or record)
    run([1, 2], [[stage]], lambda record: None, meter=Meter())
    assert seen == [{1}, {1}]
    assert blas_threads() == before


def test_records_made_in_the_background_come_in_order_and_none_is_no_record():
    with in_background(iter_of([1, None, 2, None, 3]), "counter", capacity=2) as channel:
        assert list(channel) == [1, 2, 3]
    assert leaked() == []


def test_what_is_made_in_the_background_ends_with_the_block_whether_it_was_read_or_not():
    closed = []

    def endless() -> Iterator[int | None]:
        try:
            while True:
                time.sleep(0.001)
                yield 1
                yield None
        finally:
            closed.append(True)

    def work() -> None:
        with in_background(endless(), "counter", capacity=2) as channel:
            assert channel.get() == 1

    assert within_limit(work) is None
    assert closed == [True]
    assert leaked() == []


def test_an_error_in_the_background_reaches_the_reader():
    def broken() -> Iterator[int]:
        yield 1
        raise Broken

    with in_background(broken(), "counter", capacity=2) as channel:
        assert channel.get() == 1
        with pytest.raises(Broken):
            channel.get()
    assert leaked() == []


def iter_of(items: list[int | None]) -> Iterator[int | None]:
    yield from items
