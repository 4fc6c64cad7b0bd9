"""Where frames go."""

from __future__ import annotations

from reenact.sinks.encoding import Encoding, SinkError
from reenact.sinks.file import FileSink

__all__ = ["Encoding", "FileSink", "SinkError"]
