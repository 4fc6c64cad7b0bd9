"""Training of the networks. The only package that imports torch."""

import logging

logging.getLogger(__name__).addHandler(logging.NullHandler())  # who uses the package decides what is shown
