"""A rule that would stop a TCP connection stops a hopping one too, and lets it go on when it is removed.

Each test holds two connections in the same namespaces under the same rule: one hops, one is plain TCP.
"""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import pytest

from tests.conftest import Scope

from .counters import hopped
from .namespaces import Place, Rule, inside, place
from .servers import HERE

HOPPING, PLAIN = 5000, 5001  # the servers' ports
PORTS = (HOPPING, PLAIN)
SILENCE = 0.3  # seconds; what the stack lets through arrives within a millisecond

RULES = [
    Rule("veth", "nft", "server", "input", "dport", "drop"),
    Rule("veth", "nft", "client", "input", "sport", "drop"),
    Rule("veth", "nft", "client", "output", "dport", "reject"),
    Rule("lo6", "nft", "server", "output", "sport", "drop"),
    Rule("veth", "iptables", "server", "input", "dport", "DROP"),
    Rule("veth", "iptables", "server", "output", "sport", "DROP"),
    Rule("lo4", "iptables", "client", "output", "dport", "REJECT"),
    Rule("lo6", "iptables", "client", "input", "sport", "DROP"),
]

Popen = Callable[..., "subprocess.Popen[str]"]
MakeScope = Callable[..., Scope]


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


@contextmanager
def both_arms(scope: Scope, where: Place) -> Iterator[tuple[Connection, Connection]]:
    """A connection that hops and one that does not."""
    with (
        connection(scope.popen, where, HOPPING) as hopping,
        connection(scope.tcp_popen, where, PLAIN) as plain,
    ):
        plain.exchange()
        hopping.exchange()
        with hopped(scope) as moved:
            moved.payload += hopping.exchange()
        yield hopping, plain


def check_it_goes_on(scope: Scope, hopping: Connection, plain: Connection) -> None:
    """Both connections deliver what the rule held up, and the one in scope hops again."""
    plain.exchange()
    hopping.exchange()
    with hopped(scope) as moved:
        moved.payload += hopping.exchange()


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_recheck_stops_it_at_once(make_scope: MakeScope, rule: Rule) -> None:
    """The first message after recheck() is stopped in both arms; the other direction is not."""
    scope = make_scope(recheck_seconds=3600)
    with place(rule.layout) as where, both_arms(scope, where) as arms:
        other = "sport" if rule.match == "dport" else "dport"
        with rule(where, PORTS):
            scope.hops.recheck()
            for arm in arms:
                assert not arrives(*arm.direction(rule.match))
                assert arrives(*arm.direction(other))
                arm.direction(rule.match)[0].send(200_000)
                assert not arrives(*arm.direction(rule.match))
        check_it_goes_on(scope, *arms)


@pytest.mark.parametrize("rule", RULES[:2] + RULES[-2:], ids=str)
def test_interval_stops_it(make_scope: MakeScope, rule: Rule) -> None:
    """Plain TCP is stopped at once, the hopping connection within the recheck interval."""
    scope = make_scope(recheck_seconds=1)
    with place(rule.layout) as where, both_arms(scope, where) as arms:
        hopping, plain = arms
        with rule(where, PORTS):
            added = time.monotonic()
            assert not arrives(*plain.direction(rule.match))
            while arrives(*hopping.direction(rule.match)):
                assert time.monotonic() - added < 1.5, "still hopping past a rule of 1.5 s ago"
        check_it_goes_on(scope, *arms)


def test_reset_by_a_rule(make_scope: MakeScope) -> None:
    """`reject with tcp reset`: the sender gets ECONNRESET, and its peer too when it next sends."""
    scope = make_scope(recheck_seconds=3600)
    rule = Rule("veth", "nft", "server", "input", "dport", "reject with tcp reset")
    with place(rule.layout) as where, both_arms(scope, where) as arms:
        with rule(where, PORTS):
            scope.hops.recheck()
            for arm in arms:
                arm.client.send(100)
                assert arm.client.ask("receive 1 10") == "ECONNRESET"
        for arm in arms:
            arm.server.send(100)
            assert arm.server.ask("receive 1 10") == "ECONNRESET"
