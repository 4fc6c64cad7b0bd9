"""Write facial action units: change a face's expression in a video or a live camera picture."""

__version__ = "0.1.0"
