"""send() in its forms: many buffers, held back, empty, from files and pipes."""

from __future__ import annotations

import os
import signal
import socket
import struct

from tests.conformance.context import Context, Options
from tests.conformance.observing import Worker, outcome, pattern, read_exactly, read_on, show
from tests.conformance.raw import splice
from tests.conformance.registry import Json, case
from tests.conformance.waiting import until_unread

NAGLE: Options = ()


@case()
def many_buffers(ctx: Context) -> Json:
    """sendmsg() with as many buffers as the kernel takes, empty ones among them."""
    client, server = ctx.pair()
    buffers = [pattern(number % 700, number) for number in range(1024)]
    total = sum(map(len, buffers))
    sender = Worker(client.sendmsg, buffers)
    got = read_exactly(server, total)
    return [sender.outcome(), got == b"".join(buffers)]


@case(hops=2)
def written_in_pieces(ctx: Context) -> Json:
    """writev(), and sends whose sizes straddle a page."""
    client, server = ctx.pair()
    seen: list[Json] = [os.writev(client.fileno(), [b"a" * 4095, b"bc", b"", b"d" * 4097])]
    for size in (4095, 4096, 4097, 1, 65537):
        client.sendall(pattern(size, size))
    client.close()
    return [*seen, show(read_on(server))]


@case(hops=0)
def held_back_with_more(ctx: Context) -> Json:
    """MSG_MORE: what is held back arrives in its place."""
    client, server = ctx.pair(client=NAGLE)
    for number in range(20):
        client.send(b"%02d " % number, socket.MSG_MORE)
    client.send(b"end")
    seen = [show(read_exactly(server, 63))]
    client.send(b"held", socket.MSG_MORE)
    client.close()
    return [*seen, show(read_on(server))]


@case(hops=0)
def corked(ctx: Context) -> Json:
    """TCP_CORK around header and body, as HTTP servers do."""
    client, server = ctx.pair(client=NAGLE)
    seen: list[Json] = []
    for number in range(5):
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
        client.send(b"header %d " % number)
        client.send(pattern(20_000, number))
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 0)
        seen.append(show(read_exactly(server, 20_009)))
        server.sendall(b"ok")
        seen.append(show(client.recv(2)))
    return seen


@case(hops=2)
def empty_sends(ctx: Context) -> Json:
    """A send of nothing is nothing: no wake-up, no end."""
    client, server = ctx.pair()
    seen: list[Json] = [
        outcome(client.send, b""),
        outcome(client.sendmsg, []),
        outcome(os.write, client.fileno(), b""),
    ]
    seen.append(outcome(server.recv, 10, socket.MSG_DONTWAIT))
    client.send(b"a")
    seen += [outcome(client.send, b""), outcome(client.sendmsg, [b"", b""])]
    client.send(b"b")
    until_unread(server, 2)
    return [*seen, outcome(server.recv, 10), outcome(server.recv, 10, socket.MSG_DONTWAIT)]


@case(hops=2)
def harmless_flags(ctx: Context) -> Json:
    """MSG_EOR, MSG_DONTROUTE, MSG_CONFIRM, and an address that TCP ignores."""
    client, server = ctx.pair()
    seen: list[Json] = [
        outcome(client.send, b"x", flag) for flag in (socket.MSG_EOR, socket.MSG_DONTROUTE, socket.MSG_CONFIRM)
    ]
    seen.append(outcome(client.sendto, b"y", ("127.0.0.9", 9)))
    client.shutdown(socket.SHUT_WR)
    return [*seen, show(read_on(server))]


@case()
def sendfile(ctx: Context) -> Json:
    """sendfile() of small and large files, from the middle too, between ordinary sends."""
    client, server = ctx.pair()
    file = os.memfd_create("body")
    body = pattern(3 << 20)
    os.write(file, body)
    sender = Worker(_send_from, client, file, (0, 10), (4096, 4096), (100, 3_000_000))
    got, end = read_on(server)
    expected = b"<" + body[:10] + b"<" + body[4096:8192] + b"<" + body[100:3_000_100]
    return [sender.outcome(), end, got == expected]


def _send_from(client: socket.socket, file: int, *ranges: tuple[int, int]) -> None:
    for start, count in ranges:
        client.sendall(b"<")
        moved = 0
        while moved < count:
            moved += os.sendfile(client.fileno(), file, start + moved, count - moved)
    client.shutdown(socket.SHUT_WR)


@case()
def splice_into(ctx: Context) -> Json:
    """splice() from a pipe into the socket."""
    client, server = ctx.pair()
    take, give = os.pipe()
    os.write(give, pattern(50_000))
    client.sendall(b"before ")
    moved = 0
    while moved < 50_000:
        moved += splice(take, client.fileno(), 50_000 - moved)
    client.sendall(b" after")
    client.shutdown(socket.SHUT_WR)
    return [moved, show(read_on(server))]


@case()
def broken_pipe_signal(ctx: Context) -> Json:
    """SIGPIPE comes unless MSG_NOSIGNAL is given."""
    client, _server = ctx.pair()
    got: list[Json] = []
    signal.signal(signal.SIGPIPE, lambda number, _frame: got.append(signal.Signals(number).name))
    client.sendall(b"x")
    client.shutdown(socket.SHUT_WR)
    seen: list[Json] = []
    for flags in (socket.MSG_NOSIGNAL, 0):
        seen.append(outcome(client.send, b"y", flags))
        seen.append(list(got))
    return seen


@case(hops=0)
def nagle_stays_in_order(ctx: Context) -> Json:
    """Many small writes on a socket with Nagle's algorithm, with answers now and then."""
    client, server = ctx.pair(client=NAGLE, server=NAGLE)
    seen: list[Json] = []
    for turn in range(5):
        sent = b"".join(b"%d:%d;" % (turn, number) for number in range(200))
        for number in range(200):
            client.send(b"%d:%d;" % (turn, number))
        got = read_exactly(server, len(sent))
        server.send(b"ok")
        seen += [got == sent, outcome(client.recv, 10)]
    return seen


@case(hops=1)
def send_timeout(ctx: Context) -> Json:
    """SO_SNDTIMEO: a send into a full connection gives up with EAGAIN."""
    client, server = ctx.pair()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", 0, 100_000))
    sent = client.send(bytes(64 << 20))
    seen: list[Json] = [0 < sent < 64 << 20]
    while isinstance(more := outcome(client.send, bytes(1 << 20)), int):
        sent += more
    seen += [more, len(read_exactly(server, sent)) == sent]
    return [*seen, outcome(client.send, b"y"), outcome(server.recv, 10)]
