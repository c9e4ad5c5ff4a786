"""What a case is given: connected pairs, and a channel to the process that owns the accelerator."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from typing import TypedDict

from tests.conformance.registry import Json

KINDS = ("IPv4", "IPv6", "mapped")
"""mapped: both ends are IPv6 sockets that speak IPv4 (::ffff:127.0.0.1)."""

Pair = tuple[socket.socket, socket.socket]

_FAMILY = {"IPv4": socket.AF_INET, "IPv6": socket.AF_INET6, "mapped": socket.AF_INET6}
LOOPBACK = {"IPv4": "127.0.0.1", "IPv6": "::1", "mapped": "::ffff:127.0.0.1"}
Options = tuple[tuple[int, int, int | bytes], ...]
NODELAY: Options = ((socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),)


class Counters(TypedDict):
    """The counters that a case may look at while it runs."""

    hop: int
    stack: int
    tracked: int
    reasons: dict[str, int]
    refused: dict[str, int]


class Context:
    """One arm's view. The same code runs in both arms; `control` does nothing in the plain one."""

    def __init__(self, channel: socket.socket, hopped: bool, outside: Path) -> None:
        self.hopped = hopped
        self.measured: dict[str, float] = {}
        self._outside = outside
        self._channel = channel
        self._answers = channel.makefile("r")

    # -- sockets ------------------------------------------------------------------------------------

    def listen(
        self, kind: str = "IPv4", host: str | None = None, options: Options = NODELAY, backlog: int = 16
    ) -> socket.socket:
        """A listener on a free port. Its options are inherited by what it accepts."""
        listener = socket.socket(_FAMILY[kind], socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        _set(listener, options)
        listener.bind((host or LOOPBACK[kind], 0))
        listener.listen(backlog)
        return listener

    def connect(self, listener: socket.socket, options: Options = NODELAY) -> socket.socket:
        """A client of that listener."""
        client = socket.socket(listener.family, socket.SOCK_STREAM)
        _set(client, options)
        client.connect(listener.getsockname())
        return client

    def pair(self, kind: str = "IPv4", client: Options = NODELAY, server: Options = NODELAY) -> Pair:
        """Two ends of one new connection: (client, server)."""
        with self.listen(kind, options=server) as listener:
            near = self.connect(listener, client)
            far, _ = listener.accept()
        return near, far

    # -- the accelerator's owner --------------------------------------------------------------------

    def control(self, action: str) -> None:
        """Have the owner do it (pause, resume, recheck, close, open, kill) and wait until it is done."""
        self.begin(action)
        self.finish()

    def begin(self, action: str) -> None:
        """Have the owner start it; `finish` waits."""
        self._channel.sendall(json.dumps({"do": action}).encode() + b"\n")

    def finish(self) -> None:
        """Wait for the end of what was begun.

        Raises:
            RuntimeError: the owner failed.
        """
        self._ask()

    def leave_scope(self) -> None:
        """Move this process out of the scope. What it has open stays in."""
        (self._outside / "cgroup.procs").write_text(str(os.getpid()))

    def counters(self) -> Counters | None:
        """The accelerator's counters now; None in the plain arm."""
        self.begin("counters")
        answer = self._ask()
        return answer if answer is None else _counters(answer)

    def hop_messages(self) -> int:
        """Messages hopped until now (0 in the plain arm)."""
        now = self.counters()
        return now["hop"] if now else 0

    def expect_hops(self, since: int, at_least: int = 1) -> None:
        """In the hopped arm, fail unless messages have hopped since `hop_messages()` gave `since`."""
        now = self.hop_messages()
        if self.hopped and now - since < at_least:
            raise AssertionError(f"expected {at_least} more hops, counted {now - since}: {self.counters()}")

    def expect_no_hops(self, since: int) -> None:
        """In the hopped arm, fail if a message has hopped since `hop_messages()` gave `since`."""
        now = self.hop_messages()
        if now != since:
            raise AssertionError(f"expected no hops, counted {now - since}")

    def measure(self, name: str, amount: float) -> None:
        """An amount that the harness compares between the arms (`bounds`), not by equality."""
        self.measured[name] = amount

    def _ask(self) -> Json:
        answer = json.loads(self._answers.readline())
        if "failed" in answer:
            raise RuntimeError(answer["failed"])
        value: Json = answer["done"]
        return value


def _counters(answer: Json) -> Counters:
    assert isinstance(answer, dict)
    return answer  # type: ignore[return-value]  # the harness wrote it


def _set(sock: socket.socket, options: Options) -> None:
    for level, name, value in options:
        sock.setsockopt(level, name, value)
