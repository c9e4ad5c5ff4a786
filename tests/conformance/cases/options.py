"""What a connection says about itself, and options that must go on working."""

from __future__ import annotations

import socket
import struct

from tests.conformance.context import KINDS, LOOPBACK, Context
from tests.conformance.observing import Worker, outcome, read_exactly, read_on, show
from tests.conformance.raw import TCP_ULP
from tests.conformance.registry import Differs, Json, case, for_each
from tests.conformance.waiting import CLOSE, state, unacknowledged, until, until_acknowledged, until_state

TCP, SOCKET = socket.IPPROTO_TCP, socket.SOL_SOCKET


def _talk(one: socket.socket, other: socket.socket) -> Json:
    one.sendall(b"ping")
    seen: list[Json] = [outcome(other.recv, 10)]
    other.sendall(b"pong")
    return [*seen, outcome(one.recv, 10)]


@for_each(kind=KINDS)
@case(hops=2)
def names(ctx: Context, kind: str) -> Json:
    """getsockname, getpeername, SO_ERROR, SO_TYPE, SO_PROTOCOL, SO_ACCEPTCONN, before and after bytes."""
    client, server = ctx.pair(kind)
    seen: list[Json] = []
    for _ in range(2):
        for here, there in ((client, server), (server, client)):
            seen.append(here.getsockname()[0] == LOOPBACK[kind])
            seen.append(here.getsockname() == there.getpeername())
            seen += [here.getsockopt(SOCKET, name) for name in (socket.SO_ERROR, socket.SO_TYPE, 38, 30, 39)]
        seen.append(_talk(client, server))
    return seen


@case(hops=2)
def information(ctx: Context) -> Json:
    """TCP_INFO: the state, and nothing unacknowledged or lost."""
    client, server = ctx.pair()
    seen = _talk(client, server)
    until_acknowledged(client)
    info = client.getsockopt(TCP, socket.TCP_INFO, 104)
    return [seen, state(client), state(server), struct.unpack_from("5I", info, 24), unacknowledged(server)]


@case(hops=4)
def set_in_mid_stream(ctx: Context) -> Json:
    """Options set between messages read back, and disturb nothing."""
    client, server = ctx.pair()
    seen: list[Json] = [_talk(client, server)]
    for level, name, value in (
        (TCP, socket.TCP_NODELAY, 0),
        (TCP, socket.TCP_NODELAY, 1),
        (TCP, socket.TCP_QUICKACK, 0),
        (TCP, socket.TCP_KEEPIDLE, 7),
        (TCP, socket.TCP_KEEPINTVL, 3),
        (TCP, socket.TCP_KEEPCNT, 2),
        (TCP, socket.TCP_USER_TIMEOUT, 5000),
        (TCP, socket.TCP_NOTSENT_LOWAT, 16384),
        (TCP, socket.TCP_WINDOW_CLAMP, 100_000),
        (SOCKET, socket.SO_KEEPALIVE, 1),
        (SOCKET, socket.SO_PRIORITY, 5),
        (SOCKET, socket.SO_MARK, 17),
        (SOCKET, socket.SO_SNDBUF, 50_000),
        (SOCKET, socket.SO_RCVBUF, 50_000),
        (socket.IPPROTO_IP, socket.IP_TOS, 16),
    ):
        for sock in (client, server):
            sock.setsockopt(level, name, value)
        seen.append([level, name, client.getsockopt(level, name), _talk(client, server)])
    return seen


def _before_while_and_after_full(ctx: Context, names: tuple[int, ...]) -> Json:
    client, server = ctx.pair()
    seen: list[Json] = []
    for count in (0, 16 << 20, 1):
        sender = Worker(client.sendall, bytes(count))
        if count > 1:
            sender.until_asleep_in("sendto")
            seen.append([client.getsockopt(TCP, name) for name in names])
        read_exactly(server, count)
        seen.append(sender.outcome())
        seen.append([sock.getsockopt(TCP, name) for sock in (client, server) for name in names])
    return seen


@case(hops=2)
def left_as_they_were(ctx: Context) -> Json:
    """Options that nobody set are as they were after the connection has been full, and has drained."""
    return _before_while_and_after_full(ctx, (socket.TCP_USER_TIMEOUT, socket.TCP_NODELAY, socket.TCP_KEEPIDLE))


@case(
    hops=2,
    differs=Differs(
        "our own: hold_back() sets TCP_NOTSENT_LOWAT on a sender whose peer is full, until its next segment after",
        [None, [0, 0], [1], None, [1, 0], None, [1, 0]],
    ),
)
def low_water_mark_of_a_sender(ctx: Context) -> Json:
    return _before_while_and_after_full(ctx, (socket.TCP_NOTSENT_LOWAT,))


@case(hops=2)
def congestion_control(ctx: Context) -> Json:
    client, server = ctx.pair()
    seen: list[Json] = [_talk(client, server)]
    client.setsockopt(TCP, socket.TCP_CONGESTION, b"reno")
    return [*seen, show(client.getsockopt(TCP, socket.TCP_CONGESTION, 16)), _talk(client, server)]


@case(hops=2)
def upper_layer_protocol(ctx: Context) -> Json:
    """TCP_ULP "tls" in mid-stream (where the kernel has it), and an unknown one."""
    client, server = ctx.pair()
    seen: list[Json] = [_talk(client, server)]
    seen += [outcome(client.setsockopt, TCP, TCP_ULP, name) for name in (b"tls", b"nonsense")]
    return [*seen, _talk(client, server)]


@case(hops=2)
def kept_alive(ctx: Context) -> Json:
    """Keepalive probes of an idle hopped connection are answered: it lives on."""
    client, server = ctx.pair()
    seen: list[Json] = [_talk(client, server)]
    client.setsockopt(SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in ((socket.TCP_KEEPCNT, 1), (socket.TCP_KEEPINTVL, 1), (socket.TCP_KEEPIDLE, 1)):
        client.setsockopt(TCP, name, value)
    until(lambda: _idle(client) > 500, "half a second without a segment")
    until(lambda: _idle(client) < 500, "the answer to a probe")
    return [*seen, state(client), _talk(client, server)]


def _idle(sock: socket.socket) -> int:
    """Milliseconds since the last acknowledgment came (tcpi_last_ack_recv)."""
    (value,) = struct.unpack_from("I", sock.getsockopt(TCP, socket.TCP_INFO, 104), 56)
    return int(value)


@case(hops=1)
def user_timeout_with_a_slow_reader(ctx: Context) -> Json:
    """TCP_USER_TIMEOUT gives up on a peer that stays full, as TCP does: ETIMEDOUT."""
    client, server = ctx.pair()
    client.setsockopt(TCP, socket.TCP_USER_TIMEOUT, 600)
    client.setblocking(False)
    sent = 0
    try:
        while True:
            sent += client.send(bytes(1 << 16))
    except BlockingIOError:
        pass
    until_state(client, CLOSE)
    client.setblocking(True)
    got, end = read_on(server)
    return [outcome(client.send, b"x", socket.MSG_NOSIGNAL), len(got) < sent, end]
