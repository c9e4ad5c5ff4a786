"""Connections of the test's own process, made in a scope."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from sockhop.kernel import cgroups
from tests.conformance.waiting import asleep_in, until, until_unread

SECONDS = 10.0
_sizes = iter(range(1, 1 << 20))


class Connection:
    """Both ends of a connection."""

    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self.client, self.server = client, server
        for end in (client, server):
            end.settimeout(SECONDS)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> "Connection":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close both ends."""
        self.client.close()
        self.server.close()

    def talk(self, rounds: int = 1) -> None:
        """Pass a message each way, so many times; check each byte."""
        for _ in range(rounds):
            for sender, receiver in ((self.client, self.server), (self.server, self.client)):
                message = b"%d," % next(_sizes)
                sender.sendall(message)
                assert receive(receiver, len(message)) == message

    def leave_unread(self, message: bytes) -> None:
        """Send what the server does not read yet."""
        self.client.sendall(message)
        until_unread(self.server, len(message))


class Reader:
    """A thread that reads from a socket, asleep in a blocking ``recv``."""

    def __init__(self, end: socket.socket) -> None:
        self.received = b""
        end.settimeout(None)

        def read() -> None:
            self.received = end.recv(1 << 16)

        self._thread = threading.Thread(target=read, daemon=True)
        self._thread.start()
        until(lambda: asleep_in("recvfrom", self._thread.native_id or 0), "the reader asleep")

    def join(self) -> bytes:
        """Wait until it has read something; return that."""
        self._thread.join(SECONDS)
        assert not self._thread.is_alive()
        return self.received


@contextmanager
def visiting(cgroup: Path) -> Iterator[None]:
    """Be in the cgroup while the block lasts: what sockets are made there belong to it."""
    home = cgroups.own()
    cgroups.enter(cgroup)
    try:
        yield
    finally:
        cgroups.enter(home)


def receive(end: socket.socket, size: int) -> bytes:
    """Return ``size`` bytes, or fewer at the end of the stream."""
    received = b""
    while len(received) < size and (more := end.recv(size - len(received))):
        received += more
    return received


def connected(address: str = "127.0.0.1") -> Connection:
    """Connect two sockets; they are made in the cgroup that this process is in."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.create_server((address, 0), family=family) as listener:
        client = socket.create_connection(listener.getsockname()[:2], timeout=SECONDS)
        return Connection(client, listener.accept()[0])
