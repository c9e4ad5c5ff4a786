"""Connections of the test's own process, and what may be done with them."""

import os
import select
import socket
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import sockhop
from tests.conftest import Scope

PROMPT = 5.0  # seconds: anything that takes longer hangs


@dataclass
class Connection:
    """Two ends that do not block, and how many bytes went each way."""

    client: socket.socket
    server: socket.socket
    sent: dict[socket.socket, int] = field(default_factory=dict)

    def talk(self, rounds: int, size: int = 10) -> None:
        """Pass messages both ways, each byte of which depends on its position."""
        for _ in range(rounds):
            for sender, receiver in ((self.client, self.server), (self.server, self.client)):
                message = self.send(sender, size)
                assert receive(receiver, size) == message

    def send(self, sender: socket.socket, size: int) -> bytes:
        """Send the next bytes of this direction; return them."""
        start = self.sent.get(sender, 0)
        message = bytes((start + position) * 7 % 251 for position in range(size))
        assert sender.send(message) == size
        self.sent[sender] = start + size
        return message

    def close(self) -> None:
        """Close both ends."""
        self.client.close()
        self.server.close()


def receive(receiver: socket.socket, size: int) -> bytes:
    """Read so many bytes, and wait for each."""
    message = b""
    while len(message) < size:
        readable, _, _ = select.select([receiver], [], [], PROMPT)
        assert readable, f"nothing came after {len(message)} of {size} bytes"
        part = receiver.recv(size - len(message))
        assert part, "the end came too early"
        message += part
    return message


class Service:
    """A listener in the scope; connections to it are of one class for each role."""

    def __init__(self, scope: Scope, host: str = "127.0.0.1") -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.listener = socket.create_server((host, 0), family=family)
        weakref.finalize(self, self.listener.close)
        self.port: int = self.listener.getsockname()[1]
        self.scope = scope

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """Connect; close in the end."""
        client = socket.create_connection(self.listener.getsockname()[:2])
        connection = Connection(client, self.listener.accept()[0])
        for end in (connection.client, connection.server):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            end.setblocking(False)
        try:
            yield connection
        finally:
            connection.close()

    def learn(self) -> None:
        """Let both classes see enough to hop."""
        with self.connection() as connection:
            connection.talk(100)
        for role in ("client", "server"):
            assert self.known(role).state == "hopping", self.known(role)

    def known(self, role: str) -> "sockhop.Class":
        """What is known of the class in this role."""
        (found,) = (one for one in self.scope.hops.classes() if (one.port, one.role) == (self.port, role))
        return found


def spliced(receiver: socket.socket, size: int) -> bytes:
    """Take what is there out of a socket with splice(); raises BlockingIOError when it finds nothing."""
    reading, writing = os.pipe()
    try:
        count = os.splice(receiver.fileno(), writing, size, flags=os.SPLICE_F_NONBLOCK)
        return os.read(reading, count)
    finally:
        os.close(reading)
        os.close(writing)
