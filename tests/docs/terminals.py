"""Terminals: shells that remember what they were told before, in one sandbox with a network of its own."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from sockhop.control.instance import Instance
from sockhop.kernel import cgroups
from tests.cli.sandbox import Sandbox
from tests.conformance.waiting import until
from tests.conftest import ROOT
from tests.docs.console import begins

SECONDS = 30.0  # more than any command takes

# Commands come by descriptor 9, so that none of them can read the next as its input.
_LOOP = """
cd "$1"
while IFS= read -r -u 9 command; do
    eval "$command"
    printf '\\n%s\\n' "$2"
done
"""


class Terminal:
    """A shell. What it and its commands print, standard error included, is one stream of lines."""

    def __init__(self, sandbox: Sandbox, mark: str, *enter: str) -> None:
        read, self._commands = os.pipe()
        with os.fdopen(read) as commands:
            self.process = sandbox.popen(
                *enter,
                *("bash", "-c", f"exec 9<&{commands.fileno()}\n{_LOOP}", "bash", ROOT, mark),
                stderr=subprocess.STDOUT,
                pass_fds=(commands.fileno(),),
            )
        self._mark = mark
        self._printed: list[str] = []
        self._ends = 0  # of commands, not looked at yet
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            with self._changed:
                if line.rstrip("\n") == self._mark:
                    self._ends += 1
                else:
                    self._printed.append(line.rstrip("\n"))
                self._changed.notify_all()

    def start(self, command: str) -> None:
        """Begin a command."""
        os.write(self._commands, f"{command}\n".encode())

    def run(self, command: str) -> list[str]:
        """Run a command to its end; return what it printed."""
        self.start(command)
        return self.ended()

    def ended(self) -> list[str]:
        """Wait until the command has ended; return what was printed since the last look."""
        self._wait(lambda: self._ends > 0, "the end of the command")
        with self._changed:
            self._ends -= 1
        return self._take()

    def showing(self, expected: list[str]) -> list[str]:
        """Wait until what was printed since the last look begins as expected; return that beginning.

        What comes after it is for the next look. If it does not come in time, return all there is.
        """
        with suppress(TimeoutError):
            self._wait(lambda: begins(expected, self._printed) is not None, "output")
        return self._take(begins(expected, self._printed))

    def _take(self, lines: int | None = None) -> list[str]:
        with self._changed:
            count = len(self._printed) if lines is None else lines
            taken, self._printed = self._printed[:count], self._printed[count:]
        return taken

    def _wait(self, ready: Callable[[], bool], what: str) -> None:
        with self._changed:
            if not self._changed.wait_for(ready, SECONDS):
                raise TimeoutError(f"waited {SECONDS:g} s for {what}; printed so far: {self._printed}")

    def interrupt(self) -> None:
        """Do what Ctrl-C does to the command that is running."""
        shell = self.process.pid
        for child in Path(f"/proc/{shell}/task/{shell}/children").read_text().split():
            os.kill(int(child), signal.SIGINT)

    def close(self) -> None:
        """Wait until nobody is left who could print. Whoever can must have been killed."""
        os.close(self._commands)
        self._reader.join()
        with self.process:  # closes its pipe, and waits
            pass


class Terminals:
    """The terminals of one page, opened when they are first asked for."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self._open: dict[int, Terminal] = {}

    def __getitem__(self, number: int) -> Terminal:
        if number not in self._open:
            first = next(iter(self._open.values()), None)
            enter = ("nsenter", f"--net=/proc/{first.process.pid}/ns/net") if first else ("unshare", "--net")
            self._open[number] = Terminal(self.sandbox, f"end-{os.urandom(8).hex()}", *enter)
            if not first:
                self._open[number].run("ip link set lo up")
        return self._open[number]

    def until_traced(self) -> None:
        """Wait until somebody has asked for events, which nothing printed tells."""

        def asked() -> bool:
            instance = Instance.open(self.sandbox.bpffs / "service")
            return instance is not None and instance.config().trace_until_ns > time.monotonic_ns()

        until(asked, "the lease of trace")

    def close(self) -> None:
        """End everything but the sandbox."""
        for pid in set(cgroups.pids(self.sandbox.root)) - {self.sandbox.holder.pid}:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for terminal in self._open.values():
            terminal.close()
