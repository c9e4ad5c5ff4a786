"""A rule that would stop a TCP connection stops a hopping one too, and lets it go on when it is removed.

Each test holds two connections in the same namespaces under the same rule: one hops, one is plain TCP.
"""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.conftest import Scope

from .connections import Connection, arrives, connection
from .counters import hopped
from .namespaces import Place, Rule, place

HOPPING, PLAIN = 5000, 5001  # the servers' ports
PORTS = (HOPPING, PLAIN)

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

MakeScope = Callable[..., Scope]


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


def test_recheck_holds_nobody_up(make_scope: MakeScope) -> None:
    """With Nagle's algorithm a second message on the stack would wait 40 ms for the first to be acknowledged."""
    rounds, exchanges = 20, 50
    scope = make_scope(recheck_seconds=3600)
    scope.enter()
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()) as client,
    ):
        server, _ = listener.accept()
        with server:
            for _ in range(rounds):
                scope.hops.recheck()
                for _ in range(exchanges):
                    for sender, receiver in ((client, server), (server, client)):
                        sender.sendall(b"ten  bytes")
                        assert receiver.recv(100) == b"ten  bytes"
            status = scope.hops.status()
    assert status.stack.messages == status.stack.reasons["recheck"] == 2 * rounds
    assert status.hop.messages == 2 * rounds * (exchanges - 1)


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
