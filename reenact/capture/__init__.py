"""Where frames come from."""

from __future__ import annotations

from reenact.capture.camera import Camera, CameraOptions, open_camera
from reenact.capture.file import CaptureError, FileCapture, open_capture

__all__ = ["Camera", "CameraOptions", "CaptureError", "FileCapture", "open_camera", "open_capture"]
