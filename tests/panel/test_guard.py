"""Who may use the panel."""

from __future__ import annotations

import pytest

from reenact.panel.guard import BURST, RATE, Denied, Guard, Measure, bearer

GUARD = Guard(7870, token="secret")
HERE = {"Host": "127.0.0.1:7870"}


@pytest.mark.parametrize(
    "headers",
    [
        HERE,
        {"Host": "localhost:7870", "Origin": "http://localhost:7870", "Sec-Fetch-Site": "same-origin"},
        {**HERE, "Sec-Fetch-Site": "none"},
    ],
)
def test_the_panels_own_pages_and_programs_with_the_token_are_let_in(headers):
    GUARD.check(headers, "secret")


@pytest.mark.parametrize("given", [None, "", "Secret", "secre", "secretx", "sécret", "\udcff"])
def test_without_the_token_nobody_is_let_in(given):
    with pytest.raises(Denied) as refused:
        GUARD.check(HERE, given)
    assert refused.value.status == 403


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 421),
        ({"Host": "evil.example:7870"}, 421),
        ({"Host": "127.0.0.1:80"}, 421),
        ({"Host": "127.0.0.1"}, 421),
        ({**HERE, "Origin": "http://evil.example"}, 403),
        ({**HERE, "Origin": "https://127.0.0.1:7870"}, 403),
        ({**HERE, "Origin": "null"}, 403),
        ({**HERE, "Sec-Fetch-Site": "cross-site"}, 403),
        ({**HERE, "Sec-Fetch-Site": "same-site"}, 403),
    ],
)
def test_pages_of_other_sites_are_kept_out_even_with_the_token(headers, status):
    with pytest.raises(Denied) as refused:
        GUARD.check(headers, "secret")
    assert refused.value.status == status


def test_the_number_that_was_reached_may_be_named_and_no_other():
    headers = {"Host": "192.168.1.5:7870", "Origin": "http://192.168.1.5:7870"}
    GUARD.check(headers, "secret", "192.168.1.5")
    for reached in (None, "192.168.1.6"):
        with pytest.raises(Denied):
            GUARD.check(headers, "secret", reached)
    with pytest.raises(Denied):
        GUARD.check({"Host": "evil.example:7870"}, "secret", "192.168.1.5")


def test_each_guard_has_a_token_of_its_own_that_is_not_shown():
    first, second = Guard(1), Guard(1)
    assert first.token != second.token and len(first.token) >= 32
    assert first.token not in repr(first)


def test_the_token_of_a_header_is_found():
    assert bearer("Bearer abc") == bearer("bearer  abc ") == "abc"
    assert bearer(None) is None and bearer("Basic abc") is None


def test_a_burst_passes_and_a_flood_does_not():
    now_s = 0.0
    measure = Measure(lambda: now_s)
    assert sum(measure() for _ in range(10_000)) == BURST
    now_s = 1.0
    assert sum(measure() for _ in range(10_000)) == RATE
