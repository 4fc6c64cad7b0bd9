"""Where frames come from."""

from __future__ import annotations

from reenact.capture.file import CaptureError, FileCapture, open_capture

__all__ = ["CaptureError", "FileCapture", "open_capture"]
