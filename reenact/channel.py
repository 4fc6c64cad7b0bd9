"""Bounded hand-over between threads."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from threading import Condition
from typing import Generic, TypeVar

T = TypeVar("T")


class Ended(Exception):
    """The writer has closed the channel and everything it put has been read."""


class Cancelled(Exception):
    """The reader has left: whatever the writer puts from now on would never be read."""


class Channel(Generic[T]):
    """A queue that ends, fails and can be cancelled.

    The writer puts items and then calls `close`, or `fail` with an error. Readers get the items in order and
    after the last one the end or the error; every reader gets it, however often it asks. A reader that wants
    no more calls `cancel`, which wakes a writer waiting for room.
    """

    def __init__(self, capacity: int) -> None:
        assert capacity > 0, capacity
        self._capacity = capacity
        self._items: deque[T] = deque()
        self._outcome: BaseException | None = None
        self._cancelled = False
        self._changed = Condition()

    def put(self, item: T) -> None:
        """Waits for room; raises Cancelled once the reader has left."""
        with self._changed:
            assert self._outcome is None, "put after the end"
            self._make_room()
            if self._cancelled:
                raise Cancelled
            self._items.append(item)
            self._changed.notify_all()

    def get(self) -> T:
        """The next item, waited for; raises Ended after the last one, or the error that the writer met."""
        with self._changed:
            self._changed.wait_for(lambda: self._items or self._outcome or self._cancelled)
            if self._items:
                item = self._items.popleft()
                self._changed.notify_all()
                return item
            raise self._outcome or Ended

    def __iter__(self) -> Iterator[T]:
        """The items to the end; raises the error that the writer met."""
        while True:
            try:
                item = self.get()
            except Ended:
                return
            yield item

    def close(self) -> None:
        """No more items will come. What is in the channel can still be read."""
        self.fail(Ended())

    def fail(self, error: BaseException) -> None:
        """No more items will come because of this error, which readers meet after the items put before it."""
        with self._changed:
            if self._outcome is None:
                self._outcome = error
                self._changed.notify_all()

    def cancel(self) -> None:
        """Nothing will be read any more. Items that wait are let go of."""
        with self._changed:
            self._cancelled = True
            self._items.clear()
            self._changed.notify_all()

    def _make_room(self) -> None:
        self._changed.wait_for(lambda: self._cancelled or len(self._items) < self._capacity)


class Latest(Channel[T]):
    """A mailbox of one item for live pictures: put never waits, the newest item wins."""

    def __init__(self) -> None:
        super().__init__(capacity=1)
        self.dropped = 0
        """How many items were replaced before anybody read them."""

    def _make_room(self) -> None:
        if len(self._items) == self._capacity:
            self._items.clear()
            self.dropped += 1
