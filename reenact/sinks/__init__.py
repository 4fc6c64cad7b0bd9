"""Where frames go."""

from __future__ import annotations

from reenact.sinks.file import Encoding, FileSink, SinkError

__all__ = ["Encoding", "FileSink", "SinkError"]
