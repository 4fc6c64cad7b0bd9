"""Run: the frame loops of `reenact video`, `image` and `webcam`, and what is shown while they run."""
