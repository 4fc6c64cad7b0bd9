"""Bounded queues between threads."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator
from threading import Condition
from typing import Generic, TypeVar

T = TypeVar("T")


class Ended(Exception):
    """The writer has closed the channel, and all of its items have been read."""


class Cancelled(Exception):
    """The reader has cancelled the channel, so that no further item would be read."""


class NothingYet(Exception):
    """No item has come within the reader's timeout."""


class Channel(Generic[T]):
    """A bounded queue that ends, fails and can be cancelled.

    The writer puts items and then calls `close`, or `fail` with an error. Readers get the items in order and
    after the last one the end or the error, each time that they ask. A reader that wants no more items calls
    `cancel`, which wakes a writer that waits for room.
    """

    def __init__(self, capacity: int) -> None:
        """capacity: the largest number of items that wait to be read, 1 or more."""
        assert capacity > 0, capacity
        self._capacity = capacity
        self._items: deque[T] = deque()
        self._outcome: BaseException | None = None
        self._cancelled = False
        self._changed = Condition()

    def put(self, item: T) -> None:
        """Adds an item, after waiting for room. Raises Cancelled once the reader has cancelled."""
        with self._changed:
            assert self._outcome is None, "put after the end"
            self._make_room()
            self.check()
            self._items.append(item)
            self._changed.notify_all()

    def offer(self, item: T, spare: int = 0) -> bool:
        """Adds an item without waiting, if the channel is open and has room for it and `spare` more.

        Returns whether the item was added.
        """
        with self._changed:
            full = len(self._items) + spare >= self._capacity
            if full or self._cancelled or self._outcome is not None:
                return False
            self._items.append(item)
            self._changed.notify_all()
            return True

    def check(self) -> None:
        """Raises Cancelled once the reader has cancelled. A writer calls it while it has no item."""
        if self._cancelled:
            raise Cancelled

    def get(self, timeout_s: float | None = None) -> T:
        """The next item, after waiting for it.

        timeout_s: the longest wait in seconds. None: it has no limit. Raises Ended after the last item, the
        error with which the writer failed, or NothingYet after the timeout.
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
        """The items up to the end. Raises the error with which the writer failed."""
        while True:
            try:
                item = self.get()
            except Ended:
                return
            yield item

    def close(self) -> None:
        """Ends the channel. Items that wait can still be read."""
        self.fail(Ended())

    def fail(self, error: BaseException) -> None:
        """Ends the channel with an error, which readers get after the items that were put before it."""
        with self._changed:
            if self._outcome is None:
                self._outcome = error
                self._changed.notify_all()

    def cancel(self) -> None:
        """Discards the items that wait; the writer is not to put any more."""
        with self._changed:
            self._cancelled = True
            self._items.clear()
            self._changed.notify_all()

    def _make_room(self) -> None:
        self._changed.wait_for(lambda: self._cancelled or len(self._items) < self._capacity)


class Latest(Channel[T]):
    """A channel for live pictures that holds only the newest item: put never waits.

    Every item is read or counted in `dropped`, except for one that may wait when the reader cancels.
    """

    def __init__(self) -> None:
        super().__init__(capacity=1)
        self.dropped = 0
        """The number of items that were replaced before they were read."""

    def _make_room(self) -> None:
        if len(self._items) == self._capacity:
            self._items.clear()
            self.dropped += 1


class Handover(Channel[T]):
    """A channel in which no item waits for long: put returns when the item has been read."""

    def __init__(self) -> None:
        super().__init__(capacity=1)

    def put(self, item: T) -> None:
        """Adds an item and waits until it has been read. Raises Cancelled once the reader has cancelled."""
        with self._changed:
            super().put(item)
            self._changed.wait_for(lambda: self._cancelled or not self._items)
            self.check()
