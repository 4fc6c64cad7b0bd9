"""A library's start-up: what it says, and signals that come meanwhile."""

from __future__ import annotations

import signal
from contextlib import suppress
from threading import Thread

import pytest

from reenact.process.signals import signals_answered_afterwards


class Asked(Exception):
    pass


@pytest.fixture
def asking():
    def answer(number, frame):
        raise Asked

    before = signal.signal(signal.SIGTERM, answer)
    yield
    signal.signal(signal.SIGTERM, before)


def test_a_signal_is_not_lost_in_code_that_swallows_everything(asking):
    reached = []
    with pytest.raises(Asked), signals_answered_afterwards():
        with suppress(BaseException):
            signal.raise_signal(signal.SIGTERM)
        reached.append("the end")
    assert reached == ["the end"]


def test_signals_are_answered_at_once_again_afterwards(asking):
    with signals_answered_afterwards():
        pass
    with pytest.raises(Asked):
        signal.raise_signal(signal.SIGTERM)


def test_a_signal_that_is_ignored_stays_ignored():
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        with signals_answered_afterwards():
            signal.raise_signal(signal.SIGTERM)
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, before)


def test_in_other_threads_nothing_is_changed(asking):
    answers = []

    def elsewhere():
        before = signal.getsignal(signal.SIGTERM)
        with signals_answered_afterwards():
            answers.append(signal.getsignal(signal.SIGTERM) is before)

    thread = Thread(target=elsewhere)
    thread.start()
    thread.join(10)
    assert answers == [True]
