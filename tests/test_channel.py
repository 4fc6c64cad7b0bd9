import threading
import time
from collections.abc import Callable

import pytest

from reenact.channel import Cancelled, Channel, Ended, Latest

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
