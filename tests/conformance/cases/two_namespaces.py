"""Network namespaces: nothing crosses that TCP does not join, and what it joins hops."""

from __future__ import annotations

import socket

from tests.conformance.context import NODELAY, Context, Pair
from tests.conformance.namespaces import enter, new_namespace, nft, two_over_veth
from tests.conformance.observing import Worker, outcome, pattern, read_exactly, show
from tests.conformance.registry import Json, case
from tests.conformance.waiting import CLOSE, state, until

ADDRESS = ("127.0.0.1", 40001)
SERVICE = ("127.0.0.1", 40000)


def _connect(bind: tuple[str, int] | None, to: tuple[str, int]) -> socket.socket:
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    client.setsockopt(*NODELAY[0])
    if bind:
        client.bind(bind)
    client.connect(to)
    return client


def _listen(at: tuple[str, int]) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(*NODELAY[0])
    listener.bind(at)
    listener.listen()
    return listener


def _same_tuple() -> Pair:
    """A pair on the tuple that every namespace of this test uses."""
    with _listen(SERVICE) as listener:
        client = _connect(ADDRESS, SERVICE)
        server, _ = listener.accept()
    return client, server


@case(hops=8)
def same_tuple_in_two_namespaces(ctx: Context) -> Json:
    pairs = []
    for _ in range(2):
        new_namespace()
        pairs.append(_same_tuple())
    seen: list[Json] = []
    for turn in range(2):
        for number, (client, server) in enumerate(pairs):
            client.sendall(b"to server %d.%d" % (number, turn))
            server.sendall(b"to client %d.%d" % (number, turn))
        for client, server in pairs:
            seen += [outcome(server.recv, 100), outcome(client.recv, 100)]
    return seen


@case(hops=3)
def peer_gone_and_its_tuple_alive_elsewhere(ctx: Context) -> Json:
    """A's server end is gone. A's client must not reach the server of the same tuple in B."""
    first = new_namespace()
    client, server = _same_tuple()
    client.sendall(b"x")
    server.sendall(server.recv(1))
    client.recv(1)
    server.close()
    new_namespace()
    other_client, other_server = _same_tuple()
    seen = [outcome(client.send, b"to nobody", socket.MSG_NOSIGNAL)]
    other_client.sendall(b"mine")
    seen.append(outcome(other_server.recv, 100))
    other_server.setblocking(False)
    until(lambda: state(client) == CLOSE, "the reset")
    enter(first)
    seen += [outcome(other_server.recv, 100), outcome(client.send, b"again", socket.MSG_NOSIGNAL)]
    return seen


@case(hops=3)
def peer_reset_and_its_tuple_alive_elsewhere(ctx: Context) -> Json:
    """A's server end vanished without a word (its namespace drops packets): A's sends go nowhere."""
    new_namespace()
    client, server = _same_tuple()
    client.sendall(b"x")
    server.sendall(server.recv(1))
    client.recv(1)
    nft("table inet cut { chain incoming { type filter hook input priority 0; policy drop; }\n}")
    server.close()
    new_namespace()
    other_client, other_server = _same_tuple()
    seen = [outcome(client.send, b"to nobody", socket.MSG_NOSIGNAL)]
    other_client.sendall(b"mine")
    seen.append(outcome(other_server.recv, 100))
    other_server.setblocking(False)
    seen.append(outcome(other_server.recv, 100))
    return seen


@case(hops=4)
def across_a_veth(ctx: Context) -> Json:
    """Both namespaces are in scope: the connection between them hops."""
    _, second = two_over_veth()
    listener = _listen(("10.77.0.1", 5000))
    enter(second)
    client = _connect(None, ("10.77.0.1", 5000))
    server, _ = listener.accept()
    return _talk(client, server)


@case(hops=4)
def through_dnat(ctx: Context) -> Json:
    """The client connects to another port, which nft rewrites: the two ends know different tuples."""
    new_namespace()
    nft(
        "table ip nat { chain outgoing { type nat hook output priority -100;"
        " ip daddr 127.0.0.1 tcp dport 7000 dnat to 127.0.0.1:7001; }\n}"
    )
    listener = _listen(("127.0.0.1", 7001))
    client = _connect(None, ("127.0.0.1", 7000))
    server, _ = listener.accept()
    return [client.getpeername()[1], server.getsockname()[1], *_talk(client, server)]


@case(hops=4)
def through_snat(ctx: Context) -> Json:
    """Both addresses differ between the ends, over veth with masquerading."""
    _, second = two_over_veth()
    listener = _listen(("10.77.0.1", 5000))
    enter(second)
    nft(
        "table ip nat { chain leaving { type nat hook postrouting priority 100;"
        " ip daddr 10.77.0.1 tcp dport 5000 snat to 10.77.0.2:6000-6001; }\n}"
    )
    client = _connect(None, ("10.77.0.1", 5000))
    server, _ = listener.accept()
    return [server.getpeername()[1] in (6000, 6001), *_talk(client, server)]


@case(hops=2)
def many_namespaces_one_tuple(ctx: Context) -> Json:
    """Twenty namespaces talk on the same tuple at once, each to itself."""
    pairs = []
    for _ in range(20):
        new_namespace()
        pairs.append(_same_tuple())
    sizes = [1000 + number for number in range(len(pairs))]
    senders = [Worker(client.sendall, pattern(size, size)) for (client, _), size in zip(pairs, sizes, strict=True)]
    for sender in senders:
        sender.outcome()
    return [
        show(read_exactly(server, size)) == show(pattern(size, size))
        for (_, server), size in zip(pairs, sizes, strict=True)
    ]


def _talk(client: socket.socket, server: socket.socket) -> list[Json]:
    seen: list[Json] = []
    for size in (10, 100_000):
        sender = Worker(client.sendall, pattern(size))
        got = read_exactly(server, size)
        sender.outcome()
        sender = Worker(server.sendall, got[::-1])
        seen += [show(got), show(read_exactly(client, size)), sender.outcome()]
    return seen
