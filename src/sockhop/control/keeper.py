"""A process that outlives ``run`` if need be, and tidies up after it."""

import os
import select
import signal
from collections.abc import Callable
from contextlib import suppress


class Keeper:
    """Forked before ``run`` makes anything. If ``run`` goes without a word, it calls ``tidy``.

    It keeps no descriptor of ``run``'s but one end of a pipe, so that nobody waits for its output, nor its
    directory, and has a session of its own, so that a terminal's Ctrl-C does not reach it.
    """

    def __init__(self, tidy: Callable[[], None]) -> None:
        self._end, self._word = os.pipe2(os.O_CLOEXEC)
        self._pid = os.fork()
        if self._pid:
            os.close(self._end)
            return
        try:
            self._watch(tidy)
        finally:
            os._exit(0)

    def _watch(self, tidy: Callable[[], None]) -> None:
        os.setsid()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        os.chdir("/")
        # In this order: run may have been started with some of the standard ones closed, and the pipe be one.
        os.dup2(self._end, 3)
        null = os.open(os.devnull, os.O_RDWR)
        for standard in range(3):
            os.dup2(null, standard)
        os.closerange(4, os.sysconf("SC_OPEN_MAX"))
        select.select([3], [], [])
        if not os.read(3, 1):
            tidy()

    def dismiss(self) -> None:
        """Say that everything is tidy, and wait until the keeper is gone."""
        with suppress(BrokenPipeError):  # somebody killed it
            os.write(self._word, b".")
        os.close(self._word)
        os.waitpid(self._pid, 0)

    def take_over(self) -> None:
        """Let the keeper tidy up as if ``run`` had been killed."""
        os.close(self._word)
