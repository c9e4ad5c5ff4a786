"""Addresses used again: by another connection, by the same socket, by a socket talking to itself."""

from __future__ import annotations

import socket

from tests.conformance.cases.closing import RESET_ON_CLOSE
from tests.conformance.context import NODELAY, Context
from tests.conformance.observing import fill, outcome, pattern, read_exactly, read_on, show
from tests.conformance.raw import disconnect
from tests.conformance.registry import UNTRACKED, Json, case
from tests.conformance.waiting import CLOSE, until_acknowledged, until_state, until_unread


def _client_from(port: int, listener: socket.socket) -> socket.socket:
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    client.setsockopt(*NODELAY[0])
    client.bind(("127.0.0.1", port))
    client.connect(listener.getsockname())
    return client


@case(hops=100)
def same_tuple_again_and_again(ctx: Context) -> Json:
    """Reset and reconnected at once from the same port, sometimes with bytes unread."""
    seen: list[Json] = []
    with ctx.listen() as listener:
        client = _client_from(0, listener)
        port = client.getsockname()[1]
        for number in range(50):
            server, _ = listener.accept()
            server.sendall(b"hello %d" % number)
            client.sendall(b"I am %d" % number)
            seen.append(outcome(client.recv, 100))
            if number % 3:
                seen.append(outcome(server.recv, 100))
            client.setsockopt(*RESET_ON_CLOSE)
            client.close()
            until_state(server, CLOSE)
            client = _client_from(port, listener)
            seen.append(show(read_on(server)))
            server.close()
    return seen


@case(hops=2)
def reconnected_with_bytes_unread(ctx: Context) -> Json:
    """connect(AF_UNSPEC), then connect() again: what was unread is gone, the new connection is clean."""
    seen: list[Json] = []
    with ctx.listen() as listener:
        client = ctx.connect(listener)
        for number in range(5):
            server, _ = listener.accept()
            client.sendall(b"I am %d" % number)
            seen.append(outcome(server.recv, 100))
            server.sendall(b"unread %d" % number)
            until_unread(client, 8)
            disconnect(client)
            until_state(server, CLOSE)
            seen += [show(read_on(server)), outcome(client.recv, 10)]
            server.close()
            client.connect(listener.getsockname())
            seen.append(outcome(client.recv, 100, socket.MSG_DONTWAIT))
        server, _ = listener.accept()
        server.sendall(b"fresh")
        client.sendall(b"too")
        return [*seen, outcome(client.recv, 100), outcome(server.recv, 100)]


@case(hops=2)
def reconnected_by_a_sender_that_waits(ctx: Context) -> Json:
    """It has waited for room, and the next connection knows nothing of that."""
    with ctx.listen() as listener:
        client = ctx.connect(listener)
        server, _ = listener.accept()
        fill(client, 65536)
        disconnect(client)
        until_state(server, CLOSE)
        server.close()
        client.connect(listener.getsockname())
        server, _ = listener.accept()
        client.sendall(b"fresh")
        return [outcome(server.recv, 10), client.getsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT)]


@case(hops=2)
def reconnected_when_all_is_read(ctx: Context) -> Json:
    seen: list[Json] = []
    with ctx.listen() as listener:
        client = ctx.connect(listener)
        for number in range(5):
            server, _ = listener.accept()
            client.sendall(b"I am %d" % number)
            server.sendall(server.recv(100))
            seen.append(outcome(client.recv, 100))
            disconnect(client)
            until_state(server, CLOSE)
            server.close()
            client.connect(listener.getsockname())
    return seen


@case(stays=UNTRACKED)
def talking_to_itself(ctx: Context) -> Json:
    """A socket connected to its own address (simultaneous open) reads what it sends."""
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    sock.connect(sock.getsockname())
    sock.sendall(pattern(5000))
    seen = show(read_exactly(sock, 5000))
    sock.shutdown(socket.SHUT_WR)
    return [seen, show(read_on(sock))]


@case(hops=2)
def nobody_listens_any_more(ctx: Context) -> Json:
    """The listener's end changes nothing for those connected; new ones are refused."""
    listener = ctx.listen()
    address = listener.getsockname()
    client = ctx.connect(listener)
    server, _ = listener.accept()
    listener.close()
    client.sendall(b"still")
    server.sendall(b"here")
    late = socket.socket()
    return [outcome(late.connect, address), outcome(server.recv, 10), outcome(client.recv, 10)]


@case(hops=3)
def bound_to_many_addresses(ctx: Context) -> Json:
    """A wildcard listener reached by three of its addresses."""
    seen: list[Json] = []
    with ctx.listen(host="0.0.0.0") as listener:
        for host in ("127.0.0.1", "127.1.2.3", "127.0.0.2"):
            client = socket.create_connection((host, listener.getsockname()[1]))
            server, _ = listener.accept()
            client.sendall(host.encode())
            seen += [outcome(server.recv, 100), server.getsockname()[0]]
            until_acknowledged(client)
    return seen


@case(hops=2)
def dual_stack_listener(ctx: Context) -> Json:
    """An IPv4 client of an IPv6 listener: the server's end is v4-mapped, the client's is not."""
    with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as listener:
        client = socket.create_connection(("127.0.0.1", listener.getsockname()[1]))
        server, _ = listener.accept()
        client.sendall(b"four")
        server.sendall(b"six")
        return [outcome(server.recv, 10), outcome(client.recv, 10), server.getpeername()[0]]
