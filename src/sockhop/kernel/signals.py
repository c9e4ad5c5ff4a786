"""Signals, where being interrupted half-way would leave something behind."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

INTERRUPTIONS = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}


@contextmanager
def deferred() -> Iterator[None]:
    """Hold back Ctrl-C and its kin until the block is done; they arrive right after it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, INTERRUPTIONS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
