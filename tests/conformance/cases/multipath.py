"""MPTCP: its subflows are TCP sockets, and must be left alone."""

from __future__ import annotations

import socket

from tests.conformance.context import Context
from tests.conformance.observing import outcome, pattern, read_exactly, show
from tests.conformance.registry import UNTRACKED, Json, case

IPPROTO_MPTCP = 262


def _listen(protocol: int) -> socket.socket:
    listener = socket.socket(proto=protocol)
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    return listener


def _talk(listener: socket.socket, protocol: int) -> Json:
    seen: list[Json] = []
    for size in (10, 100_000):
        client = socket.socket(proto=protocol)
        client.connect(listener.getsockname())
        server, _ = listener.accept()
        client.sendall(pattern(size))
        seen.append(show(read_exactly(server, size)))
        server.sendall(b"answer")
        server.close()
        seen += [outcome(client.recv, 100), outcome(client.recv, 100)]
    return seen


@case(stays=UNTRACKED)
def both_ends(_: Context) -> Json:
    return _talk(_listen(IPPROTO_MPTCP), IPPROTO_MPTCP)


@case(stays=UNTRACKED)
def client_falls_back(_: Context) -> Json:
    """An MPTCP client of an ordinary server: TCP from the first answer on."""
    return _talk(_listen(0), IPPROTO_MPTCP)


@case(stays=UNTRACKED)
def server_falls_back(_: Context) -> Json:
    """An ordinary client of an MPTCP server."""
    return _talk(_listen(IPPROTO_MPTCP), 0)
