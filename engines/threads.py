"""How many threads an inference runtime may use beside the tracker and the encoder."""

from __future__ import annotations

import os
import sys

MOST_THREADS = 4
"""A face's crop is too little work to be worth waking more threads than these."""


def thread_count(busy: int = 0) -> int:
    """As many as there are cores that this process may use, up to MOST_THREADS.

    busy: how many threads of the caller work all the time meanwhile, and keep a core each; one is left to the
    runtime. Beside them more threads than cores only wait for one another, spinning.
    """
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    return max(1, min(MOST_THREADS, cores - busy))
