"""poll, select, epoll and signals: when a socket says that it can be read or written."""

from __future__ import annotations

import fcntl
import os
import select
import signal
import socket
from collections.abc import Iterator

from tests.conformance.context import Context
from tests.conformance.observing import Worker, event_names, fill, outcome, pattern, poll_now, show
from tests.conformance.registry import Json, case
from tests.conformance.waiting import CLOSE_WAIT, until, until_acknowledged, until_state, until_unread

EDGE = select.EPOLLIN | select.EPOLLRDHUP | select.EPOLLET


@case(hops=2)
def poll_levels(ctx: Context) -> Json:
    client, server = ctx.pair()
    seen = [poll_now(server)]
    client.sendall(b"12")
    until_unread(server, 2)
    seen.append(poll_now(server))
    server.recv(1)
    seen.append(poll_now(server))
    server.recv(1)
    seen.append(poll_now(server))
    client.sendall(b"3")
    until_unread(server, 1)
    client.shutdown(socket.SHUT_WR)
    until_state(server, CLOSE_WAIT)
    seen.append(poll_now(server))
    server.recv(10)
    return [*seen, poll_now(server), poll_now(client)]


@case()
def select_levels(ctx: Context) -> Json:
    client, server = ctx.pair()
    seen = [_select(server)]
    client.sendall(b"x")
    until_unread(server, 1)
    seen.append(_select(server))
    server.recv(10)
    seen.append(_select(server))
    return [*seen]


def _select(sock: socket.socket) -> Json:
    return [len(ready) for ready in select.select([sock], [sock], [sock], 0)]


@case(stays="reasons.rcvlowat")
def low_water_mark(ctx: Context) -> Json:
    """SO_RCVLOWAT: not readable until so many bytes are there, or the end."""
    client, server = ctx.pair()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 10)
    seen: list[Json] = []
    for part in (b"five5", b"fives", b"three"):
        client.sendall(part)
        until_acknowledged(client)
        seen.append(poll_now(server))
    seen.append(outcome(server.recv, 100))
    client.sendall(b"rest")
    client.shutdown(socket.SHUT_WR)
    until_state(server, CLOSE_WAIT)
    return [*seen, poll_now(server), outcome(server.recv, 100), outcome(server.recv, 100)]


@case(hops=2)
def poll_wakes(ctx: Context) -> Json:
    """A thread asleep in poll() is woken by a message, and not by its removal."""
    client, server = ctx.pair()
    seen: list[Json] = []
    poller = select.poll()
    poller.register(server, select.POLLIN)
    for _ in range(2):
        waiter = Worker(lambda: [event_names(mask) for _, mask in poller.poll(5000)]).until_asleep_in("poll")
        client.sendall(b"x")
        seen += [waiter.outcome(), outcome(server.recv, 10)]
    return [*seen, len(poller.poll(0))]


@case(hops=3)
def an_edge_for_each_message(ctx: Context) -> Json:
    """EPOLLET: a new edge when more comes, none when nothing did."""
    client, server = ctx.pair()
    seen: list[Json] = []
    with select.epoll() as poller:
        poller.register(server, EDGE)
        for size in (10, 20, 30):
            client.sendall(bytes(size))
            until_unread(server, 10)
            seen.append([event_names(mask) for _, mask in poller.poll(2)])
            seen.append(len(poller.poll(0)))
            seen.append(len(server.recv(10)))
            seen.append(len(poller.poll(0)))
    return seen


@case(hops=1)
def an_edge_at_the_end(ctx: Context) -> Json:
    """EPOLLET and EPOLLRDHUP: the FIN is an edge of its own."""
    client, server = ctx.pair()
    with select.epoll() as poller:
        poller.register(server, EDGE)
        client.sendall(b"bye")
        until_unread(server, 3)
        seen: list[Json] = [[event_names(mask) for _, mask in poller.poll(2)]]
        client.shutdown(socket.SHUT_WR)
        until_state(server, CLOSE_WAIT)
        seen.append([event_names(mask) for _, mask in poller.poll(2)])
    return [*seen, outcome(server.recv, 10), outcome(server.recv, 10)]


@case()
def one_shot(ctx: Context) -> Json:
    client, server = ctx.pair()
    with select.epoll() as poller:
        poller.register(server, select.EPOLLIN | select.EPOLLONESHOT)
        client.sendall(b"12")
        until_unread(server, 2)
        seen: list[Json] = [len(poller.poll(2)), len(poller.poll(0))]
        poller.modify(server, select.EPOLLIN | select.EPOLLONESHOT)
        seen.append(len(poller.poll(2)))
        server.recv(10)
        poller.modify(server, select.EPOLLIN | select.EPOLLONESHOT)
        return [*seen, len(poller.poll(0))]


@case()
def registered_when_already_readable(ctx: Context) -> Json:
    client, server = ctx.pair()
    client.sendall(b"x")
    until_unread(server, 1)
    with select.epoll() as poller:
        poller.register(server, EDGE)
        return [[event_names(mask) for _, mask in poller.poll(2)], len(poller.poll(0))]


@case(hops=1)
def reader_that_stops_at_a_short_read(ctx: Context) -> Json:
    """Edge-triggered, and a short read counts as drained (nginx, tokio, netty): 20 MB in odd pieces."""
    client, server = ctx.pair()
    server.setblocking(False)
    sent = pattern(20 << 20)
    sender = Worker(_send_in_odd_pieces, client, sent)
    got = b"".join(_short_reads(server, 16384))
    return [sender.outcome(), got == sent, show(got)]


@case(hops=1)
def short_reads_across_switches(ctx: Context) -> Json:
    """The same while the stack and hops take turns."""
    client, server = ctx.pair()
    server.setblocking(False)
    sent = pattern(4 << 20)
    sender = Worker(_send_in_turns, ctx, client, sent)
    got = b"".join(_short_reads(server, 4096))
    return [sender.outcome(), got == sent]


def _send_in_odd_pieces(sock: socket.socket, data: bytes) -> None:
    sizes = (1, 16384, 333, 65536, 16383, 100_000, 7)
    at = turn = 0
    while at < len(data):
        size = sizes[turn % len(sizes)]
        sock.sendall(data[at : at + size])
        at, turn = at + size, turn + 1
    sock.close()


def _send_in_turns(ctx: Context, sock: socket.socket, data: bytes) -> None:
    for turn in range(16):
        ctx.control("pause" if turn % 2 else "resume")
        part = data[turn * (len(data) // 16) : (turn + 1) * (len(data) // 16)]
        for at in range(0, len(part), 5000):
            sock.sendall(part[at : at + 5000])
    ctx.control("resume")
    sock.close()


def _short_reads(sock: socket.socket, size: int) -> Iterator[bytes]:
    """Read as such programs do: after a short read, wait for the next edge.

    EPOLLRDHUP is kept: after the peer's end they read on until zero.
    """
    with select.epoll() as poller:
        poller.register(sock, EDGE)
        ended = False
        while True:
            events = poller.poll(5)
            if not events:
                raise TimeoutError("no edge: the reader hangs")
            ended = ended or bool(events[0][1] & select.EPOLLRDHUP)
            while True:
                try:
                    part = sock.recv(size)
                except BlockingIOError:
                    break
                if not part:
                    return
                yield part
                if len(part) < size and not ended:
                    break


@case(hops=1)
def room_again_is_an_edge(ctx: Context) -> Json:
    """EPOLLOUT with EPOLLET: after EAGAIN, an edge comes when the reader has drained."""
    client, server = ctx.pair()
    client.setblocking(False)
    sent = 0
    with select.epoll() as poller:
        poller.register(client, select.EPOLLOUT | select.EPOLLET)
        seen: list[Json] = [[event_names(mask) for _, mask in poller.poll(2)]]
        for _ in range(3):
            filled = fill(client, 20_000)
            seen += [filled > 0, poll_now(client), len(poller.poll(0))]
            sent += filled
            while sent:
                sent -= len(server.recv(min(sent, 1 << 20)))
            seen.append([event_names(mask) for _, mask in poller.poll(2)])
    return seen


@case()
def signal_driven(ctx: Context) -> Json:
    """O_ASYNC: a message raises the signal that was asked for."""
    client, server = ctx.pair()
    got: list[int] = []
    signal.signal(signal.SIGUSR2, lambda number, _: got.append(number))
    fcntl.fcntl(server, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(server, 10, signal.SIGUSR2)  # F_SETSIG
    fcntl.fcntl(server, fcntl.F_SETFL, os.O_ASYNC | os.O_NONBLOCK)
    seen: list[Json] = [len(got)]
    client.sendall(b"x")
    until(lambda: got, "the signal")
    return [*seen, outcome(server.recv, 10)]


@case()
def two_pollers(ctx: Context) -> Json:
    """Two epoll instances on one socket both see the message."""
    client, server = ctx.pair()
    with select.epoll() as one, select.epoll() as two:
        for poller in (one, two):
            poller.register(server, EDGE)
        client.sendall(b"x")
        return [[event_names(mask) for _, mask in poller.poll(2)] for poller in (one, two)]
