"""Run: the frame loops of `reenact video`, `image` and `webcam`, with preview and recording."""
