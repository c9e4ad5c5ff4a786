"""The parent's side of the hopped arm: the accelerator, and what cases may ask of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import IO, Protocol

import sockhop
from sockhop.control import places
from sockhop.control.instance import Instance
from tests.conformance.context import Counters
from tests.conformance.registry import Json


class Scope(Protocol):
    """What tests/conftest.py makes: a cgroup with an accelerator over it that is up."""

    @property
    def cgroup(self) -> Path: ...
    @property
    def hops(self) -> sockhop.Accelerator: ...
    def enter(self) -> None: ...


class InThisProcess:
    """Owns the scope's accelerator, and takes it down and up again when a case asks."""

    def __init__(self, scope: Scope) -> None:
        self._hops = scope.hops
        self._up = True
        self._counted: list[Counters] = []
        self._closed: list[Instance] = []

    def control(self, action: str) -> Json:
        """Do what the case asks; "counters" answers, the others are silent."""
        match action:
            case "counters":
                return as_json(counters(self._hops.status())) if self._up else None
            case "close":
                self._counted.append(counters(self._hops.status()))
                assert self._hops._instance
                self._closed.append(self._hops._instance)
                self._up = False
                self._hops.__exit__(None, None, None)
            case "open":
                self._hops.__enter__()
                self._up = True
            case "pause":
                self._hops.pause()
            case "resume":
                self._hops.resume()
            case "recheck":
                self._hops.recheck()
            case _:
                raise ValueError(action)
        return None

    def all_counted(self) -> list[Counters]:
        """The counters of each accelerator that there was, oldest first."""
        return [*self._counted, *([counters(self._hops.status())] if self._up else [])]

    def end(self) -> None:
        """Finish what closing had to leave to its sockets, which are gone now.

        The accelerator is left up: whoever made it takes it down.
        """
        if not self._up:
            self.control("open")
        for instance in self._closed:
            if instance.directory.exists():
                if left := instance.drain(5):
                    raise AssertionError(f"{left} sockets are tracked after their processes have ended")
                with places.lock():
                    instance.unpin()


class InItsOwn:
    """Owns an accelerator in another process, which a case may kill."""

    def __init__(self, scope: Scope) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _HOLD_UP, str(scope.cgroup)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        if self._read().readline() != "up\n":
            raise AssertionError("the owner's process did not come up")
        (directory,) = places.root().glob(f"run-*-{self._process.pid}-*-*")
        self._instance = Instance(directory)
        self._last = counters(self._instance.status())
        self._here = InThisProcess(scope)
        self._here.control("close")

    def _read(self) -> IO[str]:
        assert self._process.stdout is not None
        return self._process.stdout

    def control(self, action: str) -> Json:
        """Counters, from the pins: they outlive the process. Kill: the process and all it started."""
        match action:
            case "counters":
                return as_json(self.all_counted()[0])
            case "kill":
                self.all_counted()  # afterwards any user of sockhop may clean up at once
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()
            case _:
                raise ValueError(action)
        return None

    def all_counted(self) -> list[Counters]:
        """The counters, from the pins; the last known when another user of sockhop has cleaned up already."""
        with suppress(FileNotFoundError):
            self._last = counters(self._instance.status())
        return [self._last]

    def end(self) -> None:
        """Clean up as the next user of sockhop does."""
        if self._process.poll() is None:
            self.control("kill")
        self._process.communicate()
        self._here.end()
        if self._instance.directory.exists():
            raise AssertionError(f"{self._instance.directory} was left behind by a killed owner")


_HOLD_UP = """
import sys, sockhop
with sockhop.Accelerator(sys.argv[1], mode="eager"):
    print("up", flush=True)
    sys.stdin.read()
"""


def counters(status: sockhop.Status) -> Counters:
    """What cases and the harness look at."""
    return {
        "hop": status.hop.messages,
        "stack": status.stack.messages,
        "tracked": status.sockets.tracked,
        "reasons": dict(status.stack.reasons),
        "refused": dict(status.sockets.refused),
    }


def as_json(counted: Counters) -> Json:
    """The same, as the channel carries it."""
    return {
        "hop": counted["hop"],
        "stack": counted["stack"],
        "tracked": counted["tracked"],
        "reasons": {**counted["reasons"]},
        "refused": {**counted["refused"]},
    }
