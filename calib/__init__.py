"""OpenFace action units: their table, how faces move with them, and how to read them. numpy and cv2 only."""

import logging

logging.getLogger(__name__).addHandler(logging.NullHandler())  # who uses the package decides what is shown
