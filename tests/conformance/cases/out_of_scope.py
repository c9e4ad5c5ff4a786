"""Connections of which one end, or both, are outside of the scope: untouched."""

from __future__ import annotations

import os
import socket

from tests.conformance.context import Context
from tests.conformance.observing import outcome, pattern, read_exactly, read_on, show
from tests.conformance.registry import UNTRACKED, Json, case


@case(stays=UNTRACKED)
def client_outside(ctx: Context) -> Json:
    with ctx.listen() as listener:
        client = os.fork()
        if client == 0:
            ctx.leave_scope()
            with ctx.connect(listener) as sock:
                sock.sendall(pattern(5000))
                sock.sendall(read_exactly(sock, 5)[::-1])
            os._exit(0)
        server, _ = listener.accept()
        server.sendall(b"hello")
        seen = show(read_on(server))
        os.waitpid(client, 0)
    return seen


@case(stays=UNTRACKED)
def server_outside(ctx: Context) -> Json:
    ours, theirs = socket.socketpair()
    server = os.fork()
    if server == 0:
        ctx.leave_scope()
        with ctx.listen() as listener:
            theirs.sendall(str(listener.getsockname()[1]).encode())
            sock, _ = listener.accept()
            sock.sendall(read_exactly(sock, 5000)[::-1])
        os._exit(0)
    client = socket.create_connection(("127.0.0.1", int(ours.recv(10))))
    client.sendall(pattern(5000))
    theirs.close()
    seen = show(read_on(client))
    os.waitpid(server, 0)
    return seen


@case(hops=2)
def process_moves_away(ctx: Context) -> Json:
    """A socket keeps the scope in which it was made, wherever its process goes."""
    client, server = ctx.pair()
    ctx.leave_scope()
    client.sendall(b"still")
    server.sendall(b"hops")
    seen = [outcome(server.recv, 10), outcome(client.recv, 10)]
    before = ctx.hop_messages()
    client, server = ctx.pair()
    client.sendall(b"does")
    server.sendall(b"not")
    seen += [outcome(server.recv, 10), outcome(client.recv, 10)]
    ctx.expect_no_hops(before)
    return seen
