"""Where frames go."""

from __future__ import annotations

from reenact.media.write.encoding import Encoding, SinkError
from reenact.media.write.video_file import FileSink

__all__ = ["Encoding", "FileSink", "SinkError"]
