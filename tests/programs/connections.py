"""A connection between two processes, each an end.py in a network namespace."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from .namespaces import Place, inside

HERE = Path(__file__).parent
SILENCE = 0.3  # seconds; what the stack lets through arrives within a millisecond

Popen = Callable[..., "subprocess.Popen[str]"]


class End:
    """An end.py, and how many bytes have come in and gone out."""

    def __init__(self, popen: Popen, namespace: str, verb: str, address: str, port: int) -> None:
        argv = inside(namespace, [sys.executable, str(HERE / "end.py"), verb, address, str(port)])
        self.process = popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        self.sent = self.received = 0

    def answer(self) -> str:
        """The next line it prints."""
        assert self.process.stdout
        return self.process.stdout.readline().strip()

    def ask(self, command: str) -> str:
        """What it prints when told `command`."""
        assert self.process.stdin
        self.process.stdin.write(command + "\n")
        return self.answer()

    def send(self, size: int) -> None:
        """Offer the socket `size` bytes; it may take only some."""
        taken = self.ask(f"send {size}")
        assert taken.isdigit(), taken
        self.sent += int(taken)

    def receive(self, size: int, seconds: float) -> int:
        """How many of `size` bytes came in time, all of them as sent."""
        taken = self.ask(f"receive {size} {seconds}")
        assert taken.isdigit(), taken
        self.received += int(taken)
        return int(taken)

    def close(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.communicate()


@dataclass(frozen=True)
class Connection:
    """The two ends of one connection."""

    client: End
    server: End

    def direction(self, match: str) -> tuple[End, End]:
        """Sender and receiver of the packets that a rule's `match` is about."""
        return (self.client, self.server) if match == "dport" else (self.server, self.client)

    def exchange(self) -> int:
        """Send some bytes each way and wait for them, earlier ones included; how many were sent."""
        before = self.client.sent + self.server.sent
        for sender, receiver in (self.direction("dport"), self.direction("sport")):
            for size in (1, 100, 20_000, 100_000):
                sender.send(size)
                missing = sender.sent - receiver.received
                assert receiver.receive(missing, 20) == missing
        return self.client.sent + self.server.sent - before


def arrives(sender: End, receiver: End) -> bool:
    """Whether a new message, and all before it, gets through."""
    sender.send(100)
    missing = sender.sent - receiver.received
    return receiver.receive(missing, SILENCE) == missing


@contextmanager
def connection(popen: Popen, where: Place, port: int) -> Iterator[Connection]:
    """A connection between two processes started by `popen`."""
    with ExitStack() as ends:
        server = End(popen, where.server, "listen", where.address, port)
        ends.callback(server.close)
        assert server.answer() == "listening"
        client = End(popen, where.client, "connect", where.address, port)
        ends.callback(client.close)
        assert client.answer() == server.answer() == "connected"
        yield Connection(client, server)
