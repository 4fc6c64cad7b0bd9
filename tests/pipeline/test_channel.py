import random
import threading
import time
from collections.abc import Callable

import pytest

from reenact.pipeline.channel import Cancelled, Channel, Ended, Handover, Latest, NothingYet

LIMIT_S = 5


def in_thread(work: Callable[[], object]) -> Callable[[], object]:
    """Starts the work at once; the returned call waits for its result or raises its error."""
    outcome: list[object] = []

    def target() -> None:
        try:
            outcome.append(work())
        except BaseException as error:
            outcome.append(error)

    thread = threading.Thread(target=target, daemon=True)
    thread.start()

    def result() -> object:
        thread.join(LIMIT_S)
        assert not thread.is_alive(), "hangs"
        if isinstance(outcome[0], BaseException):
            raise outcome[0]
        return outcome[0]

    return result


def test_items_come_out_in_the_order_they_went_in():
    channel: Channel[int] = Channel(3)
    read = in_thread(lambda: list(channel))
    for number in range(1000):
        channel.put(number)
    channel.close()
    assert read() == list(range(1000))


def test_a_full_channel_makes_the_writer_wait_until_an_item_is_read():
    channel: Channel[str] = Channel(2)
    channel.put("a")
    channel.put("b")
    written = threading.Event()
    wrote = in_thread(lambda: (channel.put("c"), written.set()))
    assert not written.wait(0.05)
    assert channel.get() == "a"
    wrote()
    assert [channel.get(), channel.get()] == ["b", "c"]


def test_the_end_comes_after_what_was_put_and_reaches_every_reader():
    channel: Channel[int] = Channel(8)
    readers = [in_thread(lambda: list(channel)) for _ in range(4)]
    for number in range(100):
        channel.put(number)
    channel.close()
    read = [reader() for reader in readers]
    assert sorted(number for numbers in read for number in numbers) == list(range(100))
    with pytest.raises(Ended):
        channel.get()


def test_an_error_is_raised_at_every_reader_as_itself_after_the_items_before_it():
    channel: Channel[int] = Channel(2)
    broken = OSError("the camera is gone")
    channel.put(1)
    channel.fail(broken)
    assert channel.get() == 1
    for _ in range(2):
        with pytest.raises(OSError) as caught:
            channel.get()
        assert caught.value is broken


def test_only_the_first_outcome_counts():
    channel: Channel[int] = Channel(1)
    channel.fail(OSError("first"))
    channel.fail(OSError("second"))
    channel.close()
    with pytest.raises(OSError, match="first"):
        channel.get()


def test_a_reader_that_leaves_unblocks_the_writer():
    channel: Channel[int] = Channel(1)
    channel.put(1)
    wrote = in_thread(lambda: channel.put(2))
    time.sleep(0.02)
    channel.cancel()
    with pytest.raises(Cancelled):
        wrote()
    with pytest.raises(Ended):
        channel.get()


def test_closing_wakes_a_reader_that_waits():
    channel: Channel[int] = Channel(1)
    read = in_thread(lambda: list(channel))
    time.sleep(0.02)
    channel.close()
    assert read() == []


def test_the_newest_item_wins_in_a_mailbox_and_drops_are_counted():
    mailbox: Latest[int] = Latest()
    for number in range(5):
        mailbox.put(number)
    mailbox.close()
    assert list(mailbox) == [4]
    assert mailbox.dropped == 4


def test_a_mailbox_that_is_read_in_time_drops_nothing():
    mailbox: Latest[int] = Latest()
    for number in range(5):
        mailbox.put(number)
        assert mailbox.get() == number
    assert mailbox.dropped == 0


def test_a_mailbox_whose_reader_left_stops_the_writer():
    mailbox: Latest[int] = Latest()
    mailbox.cancel()
    with pytest.raises(Cancelled):
        mailbox.put(1)


def test_a_reader_who_gives_a_time_is_told_when_nothing_came_within_it():
    mailbox: Latest[int] = Latest()
    with pytest.raises(NothingYet):
        mailbox.get(timeout_s=0.001)
    mailbox.put(1)
    assert mailbox.get(timeout_s=0.001) == 1
    mailbox.close()
    with pytest.raises(Ended):
        mailbox.get(timeout_s=0.001)


def test_the_last_item_of_a_mailbox_is_read_before_the_error_that_came_after_it():
    mailbox: Latest[int] = Latest()
    broken = OSError("unplugged")
    mailbox.put(1)
    mailbox.fail(broken)
    assert mailbox.get() == 1
    with pytest.raises(OSError) as caught:
        mailbox.get()
    assert caught.value is broken


def test_a_writer_with_nothing_to_put_learns_that_the_reader_has_left():
    mailbox: Latest[int] = Latest()
    mailbox.check()
    mailbox.cancel()
    with pytest.raises(Cancelled):
        mailbox.check()


def test_a_handover_holds_the_writer_until_the_item_is_taken():
    handover: Handover[str] = Handover()
    given = threading.Event()
    wrote = in_thread(lambda: (handover.put("a"), given.set()))
    assert not given.wait(0.05)
    assert handover.get() == "a"
    wrote()


def test_a_handover_whose_reader_leaves_lets_the_writer_go():
    handover: Handover[str] = Handover()
    wrote = in_thread(lambda: handover.put("a"))
    time.sleep(0.02)
    handover.cancel()
    with pytest.raises(Cancelled):
        wrote()


def nap(dice: random.Random) -> None:
    """Mostly nothing, sometimes a turn for the other threads, now and then a moment."""
    fate = dice.random()
    if fate < 0.1:
        time.sleep(0.0005)
    elif fate < 0.4:
        time.sleep(0)


@pytest.mark.parametrize("seed", range(300))
def test_random_writers_and_readers_of_a_mailbox_never_hang_and_every_item_is_accounted_for(seed):
    dice = random.Random(seed)
    count = dice.randrange(0, 60)
    breaks_at = dice.choice([None, dice.randrange(60)])
    leaves_after = dice.choice([None, None, dice.randrange(60)])
    times = dice.choice([None, 0.0002])
    writing, reading = random.Random(seed + 1), random.Random(seed + 2)
    mailbox: Latest[int] = Latest()
    broken = OSError("unplugged")
    put: list[int] = []
    read: list[int] = []

    def write() -> str:
        for number in range(count):
            nap(writing)
            if number == breaks_at:
                mailbox.fail(broken)
                return "broke"
            try:
                mailbox.put(number)
            except Cancelled:
                return "cancelled"
            put.append(number)
        mailbox.close()
        return "closed"

    def look() -> list[BaseException]:
        while True:
            nap(reading)
            if leaves_after is not None and len(read) >= leaves_after:
                mailbox.cancel()
                return []
            try:
                read.append(mailbox.get(times))
            except NothingYet:
                continue
            except (Ended, OSError) as error:
                return [error]

    writer, reader = in_thread(write), in_thread(look)
    how, ending = writer(), reader()
    left = len(put) - len(read) - mailbox.dropped
    assert read == sorted(set(read)), "never again and never backwards"
    if not ending:
        assert left in (0, 1)
    else:
        assert left == 0
        assert read[-1:] == put[-1:], "the newest arrives"
        assert (ending == [broken]) == (how == "broke")


@pytest.mark.parametrize("seed", range(100))
def test_random_handovers_lose_nothing_and_never_hang(seed):
    dice = random.Random(seed)
    count, leaves_after = dice.randrange(0, 40), dice.choice([None, dice.randrange(40)])
    writing, reading = random.Random(seed + 1), random.Random(seed + 2)
    handover: Handover[int] = Handover()
    given: list[int] = []
    read: list[int] = []

    def write() -> None:
        try:
            for number in range(count):
                nap(writing)
                handover.put(number)
                given.append(number)
        except Cancelled:
            return
        handover.close()

    def look() -> None:
        for number in handover:
            nap(reading)
            read.append(number)
            if leaves_after is not None and len(read) > leaves_after:
                return handover.cancel()

    writer, reader = in_thread(write), in_thread(look)
    writer()
    reader()
    assert read == list(range(len(read)))
    assert len(read) - 1 <= len(given) <= len(read)
    if leaves_after is None:
        assert read == list(range(count))


def test_what_is_offered_is_taken_while_there_is_room_and_never_waits():
    channel = Channel(3)
    assert [channel.offer(item) for item in "abcd"] == [True, True, True, False]
    assert [channel.get() for _ in range(3)] == ["a", "b", "c"]


def test_room_can_be_kept_for_what_matters_more():
    channel = Channel(3)
    assert [channel.offer(item, spare=2) for item in "ab"] == [True, False]
    assert [channel.offer(item) for item in "cde"] == [True, True, False]


def test_nothing_can_be_offered_to_a_reader_who_has_left_or_after_the_end():
    left, ended = Channel(3), Channel(3)
    left.cancel()
    ended.close()
    assert not left.offer(1)
    assert not ended.offer(1)
