"""How many threads an inference runtime may use beside the tracker and the encoder."""

from __future__ import annotations

import os
import sys

MOST_THREADS = 4
"""A face's crop is too little work to be worth waking more threads than these."""


def thread_count() -> int:
    """As many as there are cores that this process may use, up to MOST_THREADS."""
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    return min(MOST_THREADS, cores)
