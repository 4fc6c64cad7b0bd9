"""Where the panel is served and OSC is sent; no server is imported, so that other commands start quickly."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias, get_args

from reenact.panel.guard import Guard
from reenact.panel.token_file import new_token

USUAL_PORT = 7870
"""The port that is tried first; the next ones follow."""


class PanelError(RuntimeError):
    """The panel cannot be opened; the message is one line."""


@dataclass(frozen=True)
class PanelOptions:
    """Where the panel is served."""

    host: str = "127.0.0.1"
    """The address to listen on; any other than this one lets other machines in."""
    port: int | None = None
    """The port. None: USUAL_PORT, or the first free one after it."""
    token: str = field(default_factory=new_token, repr=False)
    """The secret that the panel's address holds."""


@dataclass(frozen=True)
class ServedPanel:
    """A panel that is served."""

    guard: Guard
    """Its port and its token."""
    host: str
    """The address that it listens on."""

    @property
    def url(self) -> str:
        """The address for the browser, with the token."""
        host = "127.0.0.1" if self.host in ("0.0.0.0", "") else self.host
        return f"http://{host}:{self.guard.port}/?token={self.guard.token}"


OscContent: TypeAlias = Literal["aus", "arkit", "vmc"]
"""What is sent by OSC; see reenact.panel.osc."""
OSC_CONTENTS: tuple[OscContent, ...] = get_args(OscContent)


@dataclass(frozen=True)
class Address:
    """The address of a UDP port."""

    host: str
    """The name or number of the machine."""
    port: int
    """The port."""

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def parse_address(text: str) -> Address:
    """The address in text such as 127.0.0.1:39539. Raises PanelError."""
    host, colon, port = text.strip().rpartition(":")
    if not (colon and host and port.isascii() and port.isdigit() and 1 <= int(port[:6]) <= 65535):
        raise PanelError(f"{text.strip()!r:.60} is no address; write HOST:PORT, 127.0.0.1:39539")
    return Address(host, int(port))
