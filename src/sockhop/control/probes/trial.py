"""A connection that a data plane is tried on."""

import select
import socket
import struct
import time
from dataclasses import dataclass

from sockhop.control.instance import Instance
from sockhop.control.probes.answers import Missing
from sockhop.kernel.abi import Outcome

SECONDS = 2.0  # after which what ought to happen at once is taken not to happen
_SO_LINGER_RESET = struct.pack("ii", 1, 0)


@dataclass(frozen=True)
class Trial:
    """Both ends of a connection in scope of ``instance``, which hops whatever it can.

    ``spare`` is a new socket beside them.
    """

    instance: Instance
    client: socket.socket
    server: socket.socket
    spare: socket.socket

    def __post_init__(self) -> None:
        for end in (self.client, self.server):
            end.settimeout(SECONDS)

    def hop(self, data: bytes) -> None:
        """Send from the client. Raises :class:`Missing` unless it is a hop."""
        before = self.messages(Outcome.HOP)
        self.client.sendall(data)
        if self.messages(Outcome.HOP) == before:
            taken = [reason.name.lower() for reason in Outcome if self.messages(reason)]
            raise Missing(
                f"a message between two sockets did not hop (all so far: {', '.join(taken) or 'not seen'})",
                "if TCP's memory is short, try again later; else report it: sockhop does not know such a kernel",
            )

    def stack(self, data: bytes) -> None:
        """Send from the client through the stack."""
        self.instance.pause()
        self.client.sendall(data)
        self.instance.resume()

    def receive(self, count: int) -> bytes:
        """Return so many bytes, or fewer if they do not come."""
        received = bytearray()
        try:
            while len(received) < count and (data := self.server.recv(count - len(received))):
                received += data
        except TimeoutError:
            pass
        return bytes(received)

    def peek(self, count: int) -> bytes:
        """Return what one ``recv`` would, as soon as that is so many bytes."""
        deadline = time.monotonic() + SECONDS
        while len(data := self.server.recv(count, socket.MSG_PEEK)) < count and time.monotonic() < deadline:
            select.select([], [], [], 0.001)
        return data

    def fill(self, most: int) -> bytes:
        """Send from the client until it would block; return what was taken, at most about ``most`` bytes.

        Each byte depends on its position.
        """
        # With Nagle's algorithm many writes in a row are TCP's.
        self.client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.client.setblocking(False)
        sent = bytearray()
        try:
            while len(sent) < most:
                block = struct.pack("=I", len(sent)) * (1 << 13)
                sent += block[: self.client.send(block)]
        except BlockingIOError:
            pass
        self.client.settimeout(SECONDS)
        return bytes(sent)

    def messages(self, outcome: Outcome) -> int:
        """Return how many messages of all connections went this way."""
        return sum(each.messages[outcome] for each in self.instance.traffic())

    def end(self) -> None:
        """Close both ends at once, whatever is unread."""
        for end in (self.client, self.server, self.spare):
            if end.fileno() >= 0:
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _SO_LINGER_RESET)
                end.close()
