"""Bytes sent before accept(), with and without TCP_DEFER_ACCEPT, and with TCP Fast Open."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

from tests.conformance.context import NODELAY, Context, Options
from tests.conformance.namespaces import new_namespace, set_sysctl
from tests.conformance.observing import Worker, outcome, pattern, read_exactly, read_on, show
from tests.conformance.raw import TCP_FASTOPEN_CONNECT
from tests.conformance.registry import UNTRACKED, Json, case, for_each

DEFER: Options = (*NODELAY, (socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 5))
ACCEPT: dict[str, Options] = {"at_once": NODELAY, "deferred": DEFER}


@for_each(accept=tuple(ACCEPT))
@case(hops=20)
def twenty_sends_before_accept(ctx: Context, accept: str) -> Json:
    seen: list[Json] = []
    with ctx.listen(options=ACCEPT[accept]) as listener:
        for _ in range(20):
            client = ctx.connect(listener)
            for number in range(20):
                client.sendall(pattern(200, number))
            server, _ = listener.accept()
            seen.append(show(read_exactly(server, 4000)))
            client.sendall(b"after")
            seen.append(show(read_exactly(server, 5)))
            server.close()
            client.close()
    return seen


@for_each(accept=tuple(ACCEPT))
@case(hops=10)
def sends_while_the_server_reads(ctx: Context, accept: str) -> Json:
    """The reader catches up with early bytes while more of them come, and with the last before one more comes."""
    pieces = [pattern(300 + number, number) for number in range(50)]
    seen: list[Json] = []
    with ctx.listen(options=ACCEPT[accept]) as listener:
        for _ in range(10):
            client = ctx.connect(listener)
            caught_up = threading.Event()
            sender = Worker(_send_pieces, client, pieces, caught_up)
            server, _ = listener.accept()
            seen.append(show(read_exactly(server, sum(map(len, pieces)), 777)))
            caught_up.set()
            seen += [show(read_on(server)), sender.outcome()]
            client.close()
    return seen


def _send_pieces(client: socket.socket, pieces: list[bytes], caught_up: threading.Event) -> None:
    for piece in pieces:
        client.sendall(piece)
    caught_up.wait()
    client.sendall(b"one more")
    client.shutdown(socket.SHUT_WR)


@for_each(accept=tuple(ACCEPT))
@case(hops=0)
def sent_and_closed_before_accept(ctx: Context, accept: str) -> Json:
    with ctx.listen(options=ACCEPT[accept]) as listener:
        client = ctx.connect(listener)
        client.sendall(b"all ")
        client.sendall(b"there is")
        client.close()
        server, _ = listener.accept()
        return show(read_on(server))


@for_each(accept=tuple(ACCEPT))
@case(hops=0)  # who has half-closed gets the rest by the stack
def half_closed_before_accept(ctx: Context, accept: str) -> Json:
    with ctx.listen(options=ACCEPT[accept]) as listener:
        client = ctx.connect(listener)
        client.sendall(b"question")
        client.shutdown(socket.SHUT_WR)
        server, _ = listener.accept()
        asked = read_on(server)
        server.sendall(b"answer")
        server.close()
        return show([asked, read_on(client)])


@case(hops=1)
def large_send_before_accept(ctx: Context) -> Json:
    """More than fits anywhere: the sender blocks until the server has come."""
    with ctx.listen() as listener:
        client = ctx.connect(listener)
        sent = pattern(16 << 20)
        sender = Worker(client.sendall, sent).until_asleep_in("sendto")
        server, _ = listener.accept()
        got = read_exactly(server, len(sent))
        return [got == sent, sender.outcome()]


@case(hops=2)
def server_speaks_first(ctx: Context) -> Json:
    client, server = ctx.pair()
    server.sendall(b"220 ready")
    seen = [outcome(client.recv, 100)]
    client.sendall(b"HELO")
    return [*seen, outcome(server.recv, 100)]


@case(hops=1)
def bytes_wake_a_blocked_accept(ctx: Context) -> Json:
    """With TCP_DEFER_ACCEPT the first bytes complete the connection."""
    with ctx.listen(options=DEFER) as listener:
        accepting = Worker(lambda: listener.accept()[0].recv(100))
        client = ctx.connect(listener)
        client.sendall(b"first")
        seen = [accepting.outcome()]
    return [*seen, _one_more(ctx)]


def _one_more(ctx: Context) -> Json:
    client, server = ctx.pair()
    client.sendall(b"ordinary")
    return outcome(server.recv, 100)


@case(stays=UNTRACKED)
def syn_cookies(ctx: Context) -> Json:
    """The listener keeps no state between SYN and ACK, so there is nothing to pair by."""
    new_namespace()
    set_sysctl("net/ipv4/tcp_syncookies", "2")
    seen: list[Json] = []
    with ctx.listen() as listener:
        for number in range(5):
            client = ctx.connect(listener)
            client.sendall(b"early %d" % number)
            server, _ = listener.accept()
            seen.append(outcome(server.recv, 100))
            server.sendall(b"answer")
            client.sendall(b"more")
            seen += [outcome(client.recv, 100), outcome(server.recv, 100)]
    return seen


FAST_OPEN: Options = (*NODELAY, (socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 16))


@for_each(opening=("sendto", "connect"))
@case(hops=0)
def fast_open(ctx: Context, opening: str) -> Json:
    """Bytes in the SYN (TFO), the second time with a cookie: pairing may fail, bytes may not."""
    new_namespace()
    set_sysctl("net/ipv4/tcp_fastopen", "3")
    seen: list[Json] = []
    with ctx.listen(options=FAST_OPEN) as listener:
        for _ in range(3):
            client = socket.socket()
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if opening == "connect":
                client.setsockopt(socket.IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1)
                client.connect(listener.getsockname())
                client.sendall(b"in the SYN ")
            else:
                client.sendto(b"in the SYN ", socket.MSG_FASTOPEN, listener.getsockname())
            server, _ = listener.accept()
            client.sendall(b"and after")
            client.shutdown(socket.SHUT_WR)
            seen.append(show(read_on(server)))
            server.sendall(b"answer")
            server.sendall(b" in two")
            server.close()
            seen.append(show(read_on(client)))
    return [*seen, _syn_data_was_used()]


def _syn_data_was_used() -> bool:
    """TCPFastOpenPassive of this namespace is above zero."""
    table = Path("/proc/net/netstat").read_text().splitlines()
    names, values = [line.split() for line in table if line.startswith("TcpExt:")]
    return int(values[names.index("TCPFastOpenPassive")]) > 0
