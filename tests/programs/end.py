"""One end of a TCP connection, told on standard input what to do, and checking every byte it receives.

end.py listen HOST PORT | end.py connect HOST PORT   prints "listening", then "connected"

send N              offers N bytes without blocking; prints how many the socket took
receive N SECONDS   prints how many of N bytes came within SECONDS
Instead of a number both print the name of an error: of errno, or END at the end of the stream.
"""

import errno
import random
import select
import socket
import sys
import time

# Both ends know what is at each position of the stream; a prime length, so that no buffer size divides it.
PATTERN = random.Random(0).randbytes(65521)


def expected(position: int, size: int) -> bytes:
    """The `size` bytes at `position` of the stream."""
    start = position % len(PATTERN)
    return (PATTERN * (2 + size // len(PATTERN)))[start : start + size]


class End:
    """One end, and how far each of its two streams has come."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.connection.setblocking(False)
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sent = self.received = 0

    def send(self, size: int) -> str:
        """Offer `size` bytes."""
        taken = 0
        while taken < size:
            try:
                taken += self.connection.send(expected(self.sent + taken, min(size - taken, 1 << 16)))
            except BlockingIOError:
                break
        self.sent += taken
        return str(taken)

    def receive(self, size: int, seconds: float) -> str:
        """Take `size` bytes, or what comes in time."""
        deadline, taken = time.monotonic() + seconds, 0
        while taken < size and (left := deadline - time.monotonic()) > 0:
            if not select.select([self.connection], [], [], left)[0]:
                break
            block = self.connection.recv(size - taken)
            if not block:
                return "END"
            if block != expected(self.received, len(block)):
                return "CHANGED"
            taken += len(block)
            self.received += len(block)
        return str(taken)


def connected(verb: str, address: tuple[str, int]) -> socket.socket:
    """The connection, made or taken."""
    if verb == "connect":
        return socket.create_connection(address, timeout=10)
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    with socket.create_server(address, family=family) as listener:
        print("listening", flush=True)
        return listener.accept()[0]


def main() -> None:
    """Answer each command until standard input ends."""
    end = End(connected(sys.argv[1], (sys.argv[2], int(sys.argv[3]))))
    print("connected", flush=True)
    for command in sys.stdin:
        verb, size, *limit = command.split()
        try:
            answer = end.send(int(size)) if verb == "send" else end.receive(int(size), float(limit[0]))
        except OSError as error:
            answer = errno.errorcode[error.errno or 0]
        print(answer, flush=True)


if __name__ == "__main__":
    main()
