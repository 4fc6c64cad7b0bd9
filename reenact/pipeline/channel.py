"""Bounded hand-over between threads."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator
from threading import Condition
from typing import Generic, TypeVar

T = TypeVar("T")


class Ended(Exception):
    """The writer has closed the channel and everything it put has been read."""


class Cancelled(Exception):
    """The reader has left: whatever the writer puts from now on would never be read."""


class NothingYet(Exception):
    """No item has come within the time that the reader gave."""


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
            self.check()
            self._items.append(item)
            self._changed.notify_all()

    def offer(self, item: T, spare: int = 0) -> bool:
        """Puts the item if there is a reader, and room for it and `spare` more; says whether. Never waits."""
        with self._changed:
            full = len(self._items) + spare >= self._capacity
            if full or self._cancelled or self._outcome is not None:
                return False
            self._items.append(item)
            self._changed.notify_all()
            return True

    def check(self) -> None:
        """Raises Cancelled once the reader has left: for a writer that has nothing to put."""
        if self._cancelled:
            raise Cancelled

    def get(self, timeout_s: float | None = None) -> T:
        """The next item, waited for; raises Ended after the last one, or the error that the writer met.

        Raises NothingYet if there is neither within `timeout_s`; None waits for ever.
        """
        with self._changed:
            came = self._changed.wait_for(
                lambda: self._items or self._outcome is not None or self._cancelled, timeout_s
            )
            if not came:
                raise NothingYet
            if self._items:
                item = self._items.popleft()
                self._changed.notify_all()
                return item
            raise self._outcome or Ended

    def __iter__(self) -> Generator[T, None, None]:
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
    """A mailbox of one item for live pictures: put never waits, the newest item wins.

    Every item put is read, dropped, or, at most one, let go of when the reader left.
    """

    def __init__(self) -> None:
        super().__init__(capacity=1)
        self.dropped = 0
        """How many items were replaced before anybody read them."""

    def _make_room(self) -> None:
        if len(self._items) == self._capacity:
            self._items.clear()
            self.dropped += 1


class Handover(Channel[T]):
    """From hand to hand: put returns when the item has been taken, so that none grows old in between."""

    def __init__(self) -> None:
        super().__init__(capacity=1)

    def put(self, item: T) -> None:
        """Waits until the item has been taken; raises Cancelled once the reader has left."""
        with self._changed:
            super().put(item)
            self._changed.wait_for(lambda: self._cancelled or not self._items)
            self.check()
