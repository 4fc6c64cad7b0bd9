"""Where the panel is served; it imports no server, so that commands without a panel start quickly."""

from __future__ import annotations

from dataclasses import dataclass

from reenact.panel.guard import Guard

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
