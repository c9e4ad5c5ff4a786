"""Signals, where being interrupted half-way would leave something behind, or something else is waited for too."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

INTERRUPTIONS = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}


class Interrupted(KeyboardInterrupt):
    """What Ctrl-C's kin raise under :func:`interrupting`: ``number`` is the signal that came."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def _interrupt(number: int, _frame: object) -> None:
    raise Interrupted(number)


@contextmanager
def deferred() -> Iterator[None]:
    """Hold back Ctrl-C and its kin until the block is done; they arrive right after it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, INTERRUPTIONS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def noted() -> Iterator[None]:
    """As :func:`deferred`, for a block that starts processes, which would inherit blocked signals.

    Only what has a handler is put off, as Ctrl-C has, and its kin under :func:`interrupting`. For the main thread.
    """
    came: list[int] = []
    handlers = {number: signal.getsignal(number) for number in INTERRUPTIONS}
    handlers = {number: handler for number, handler in handlers.items() if callable(handler)}
    try:
        for number in handlers:
            signal.signal(number, lambda number, _frame: came.append(number))
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        if came:
            signal.raise_signal(came[0])


@contextmanager
def interrupting() -> Iterator[None]:
    """Let what asks the process to end interrupt it as Ctrl-C does, unless it is ignored. For the main thread."""
    deadly = [number for number in INTERRUPTIONS if signal.getsignal(number) is signal.SIG_DFL]
    try:
        for number in deadly:
            signal.signal(number, _interrupt)
        yield
    finally:
        for number in deadly:
            signal.signal(number, signal.SIG_DFL)


@contextmanager
def readable(numbers: set[signal.Signals]) -> Iterator[int]:
    """Yield a descriptor that becomes readable when one of these signals comes, and does nothing else then.

    For the main thread.
    """
    reading, writing = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    before = {number: signal.signal(number, lambda *_signal: None) for number in numbers}
    wakeup = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    try:
        yield reading
    finally:
        signal.set_wakeup_fd(wakeup)
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(reading)
        os.close(writing)
