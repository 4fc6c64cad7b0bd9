"""Writes frames to video files and virtual cameras, and action units to tables."""

from __future__ import annotations

from reenact.media.write.encoding import Encoding, SinkError
from reenact.media.write.video_file import FileSink

__all__ = ["Encoding", "FileSink", "SinkError"]
