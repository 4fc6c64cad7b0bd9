"""Who may use the panel: only those who know its token, from its own pages, and not without measure."""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from reenact.panel.token_file import new_token

RATE = 200.0
"""The number of commands per second that one client may send in the long run."""
BURST = 400.0
"""The number of commands that one client may send at once."""


class Denied(Exception):
    """A request is refused; the message is one line for the client."""

    def __init__(self, status: int, reason: str) -> None:
        """status: the HTTP status."""
        super().__init__(reason)
        self.status = status


@dataclass(frozen=True)
class Guard:
    """Checks the requests to a server at one address.

    A page of another site that the user's browser shows may send requests to this address, but cannot know
    the token. It may also let its own name resolve to this address (DNS rebinding), which the Host header
    tells.
    """

    port: int
    """The port of the server."""
    hosts: frozenset[str] = frozenset({"127.0.0.1", "localhost"})
    """The names under which the server may be reached."""
    token: str = field(default_factory=new_token, repr=False)
    """The secret in the address that the user is given."""

    def check(self, headers: Mapping[str, str], given: str | None, reached: str | None = None) -> None:
        """Raises Denied unless the request may be served.

        given: the token in the request, if it has one. reached: the number of this machine to which the
        client has connected. It may be named like the hosts: a name that resolves here is no number.
        """
        self.check_place(headers, reached)
        # A header may hold bytes that are no text.
        text = None if given is None else given.encode(errors="surrogateescape")
        if text is None or not hmac.compare_digest(text, self.token.encode()):
            raise Denied(403, "the address of the panel ends in ?token=..., which is printed at its start")

    def check_place(self, headers: Mapping[str, str], reached: str | None = None) -> None:
        """Raises Denied unless the request names this server and comes from no page of another site."""
        known = {f"{host}:{self.port}" for host in (*self.hosts, *([reached] if reached else []))}
        if headers.get("Host", "") not in known:
            raise Denied(421, "this server is not known by that name; use the address that it prints")
        origin = headers.get("Origin")
        if origin is not None and origin.removeprefix("http://") not in known:
            raise Denied(403, "pages of other sites may not use the panel")
        if headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
            raise Denied(403, "pages of other sites may not use the panel")


def bearer(authorization: str | None) -> str | None:
    """The token in an Authorization header. None: there is none."""
    scheme, _, token = (authorization or "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


class Measure:
    """Counts the commands of one client against a rate (a token bucket)."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """clock: a monotonic clock in seconds."""
        self._clock = clock
        self._left = BURST
        self._last_s = clock()

    def __call__(self) -> bool:
        """Whether one command more is within the measure."""
        now_s = self._clock()
        self._left = min(BURST, self._left + RATE * (now_s - self._last_s))
        self._last_s = now_s
        if self._left < 1:
            return False
        self._left -= 1
        return True
