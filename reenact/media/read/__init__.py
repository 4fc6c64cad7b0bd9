"""Reads frames from video files and cameras, and sound from microphones."""

from __future__ import annotations

from reenact.media.read.camera import Camera, CameraOptions, open_camera
from reenact.media.read.video_file import CaptureError, FileCapture, open_capture

__all__ = ["Camera", "CameraOptions", "CaptureError", "FileCapture", "open_camera", "open_capture"]
