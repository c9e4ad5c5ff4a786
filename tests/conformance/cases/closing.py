"""The end of a connection: close, half-close, reset, and what each leaves for the other end to see."""

from __future__ import annotations

import select
import socket
import struct

from tests.conformance.context import KINDS, Context
from tests.conformance.observing import Worker, event_names, outcome, pattern, poll_now, read_on, show
from tests.conformance.registry import Json, case, for_each
from tests.conformance.waiting import (
    CLOSE,
    CLOSE_WAIT,
    FIN_WAIT2,
    state,
    until_acknowledged,
    until_state,
    until_unread,
)

RESET_ON_CLOSE = (socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@for_each(kind=KINDS)
@case(hops=50)
def send_then_close(ctx: Context, kind: str) -> Json:
    """Everything sent before close() arrives, then the end."""
    client, server = ctx.pair(kind)
    for number in range(50):
        client.sendall(pattern(100 + number, number))
    client.close()
    return show(read_on(server))


@case(hops=1)
def half_close_by_the_client(ctx: Context) -> Json:
    client, server = ctx.pair()
    client.sendall(b"question")
    client.shutdown(socket.SHUT_WR)
    asked = read_on(server)
    server.sendall(b"answer")
    server.close()
    return show([asked, read_on(client)])


@case(hops=1)
def half_close_by_the_server(ctx: Context) -> Json:
    client, server = ctx.pair()
    server.sendall(b"banner")
    server.shutdown(socket.SHUT_WR)
    banner = read_on(client)
    for text in (b"still ", b"talking"):
        client.sendall(text)
    client.close()
    return show([banner, read_on(server)])


@case(hops=2)
def half_close_with_bytes_unread_both_ways(ctx: Context) -> Json:
    client, server = ctx.pair()
    client.sendall(pattern(5000))
    server.sendall(pattern(7000, 2))
    client.shutdown(socket.SHUT_WR)
    server.shutdown(socket.SHUT_WR)
    return show([read_on(server), read_on(client)])


@case(hops=2)
def reading_shut(ctx: Context) -> Json:
    """shutdown(SHUT_RD): what is queued can be read, what comes later too, then zero."""
    client, server = ctx.pair()
    client.sendall(b"queued")
    until_unread(server, 6)
    server.shutdown(socket.SHUT_RD)
    seen: list[Json] = [outcome(server.recv, 3), outcome(client.send, b"later")]
    until_unread(server, 8)
    seen += [outcome(server.recv, 100), outcome(server.recv, 100), poll_now(server)]
    server.sendall(b"I can speak")
    return [*seen, outcome(client.recv, 100)]


@case()
def shut_both_ways_by_oneself(ctx: Context) -> Json:
    client, server = ctx.pair()
    client.sendall(b"x")
    until_unread(server, 1)
    client.shutdown(socket.SHUT_RDWR)
    seen = [outcome(client.recv, 10), outcome(client.send, b"y", socket.MSG_NOSIGNAL), poll_now(client)]
    return [*seen, show(read_on(server)), poll_now(server)]


@case(hops=2)
def both_close_at_once(ctx: Context) -> Json:
    client, server = ctx.pair()
    client.sendall(b"to the server")
    server.sendall(b"to the client")
    client.shutdown(socket.SHUT_WR)
    server.shutdown(socket.SHUT_WR)
    seen = show([read_on(client), read_on(server)])
    until_state(client, CLOSE, FIN_WAIT2, 6, 11)
    return seen


@case()
def the_end_wakes_a_blocked_reader(ctx: Context) -> Json:
    client, server = ctx.pair()
    client.sendall(b"x")
    seen = [outcome(server.recv, 10)]
    reader = Worker(server.recv, 10).until_asleep_in("recvfrom")
    client.close()
    return [*seen, reader.outcome()]


@case()
def the_end_wakes_epoll(ctx: Context) -> Json:
    client, server = ctx.pair()
    client.sendall(b"x")
    seen = [outcome(server.recv, 10)]
    with select.epoll() as poller:
        poller.register(server, select.EPOLLIN | select.EPOLLRDHUP)
        waiter = Worker(lambda: [event_names(mask) for _, mask in poller.poll(5)]).until_asleep_in("epoll_wait")
        client.close()
        return [*seen, waiter.outcome(), outcome(server.recv, 10)]


@case()
def reset_with_bytes_unread(ctx: Context) -> Json:
    """The other end resets while its bytes are unread here: they can be read, then ECONNRESET."""
    client, server = ctx.pair()
    client.sendall(b"last words")
    until_unread(server, 10)
    client.setsockopt(*RESET_ON_CLOSE)
    client.close()
    until_state(server, CLOSE)
    return [poll_now(server), show(read_on(server)), outcome(server.recv, 1)]


@case(hops=2)
def reset_when_idle(ctx: Context) -> Json:
    client, server = ctx.pair()
    client.sendall(b"x")
    server.sendall(server.recv(1))
    client.recv(1)
    client.setsockopt(*RESET_ON_CLOSE)
    client.close()
    until_state(server, CLOSE)
    error = server.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    return [error, outcome(server.recv, 1), outcome(server.send, b"y", socket.MSG_NOSIGNAL)]


@case(hops=1)
def reset_is_an_error_once(ctx: Context) -> Json:
    client, server = ctx.pair()
    client.sendall(b"x")
    server.recv(1)
    client.setsockopt(*RESET_ON_CLOSE)
    client.close()
    until_state(server, CLOSE)
    return [outcome(server.recv, 1), outcome(server.recv, 1), outcome(server.send, b"y", socket.MSG_NOSIGNAL)]


@case(hops=2)
def reset_wakes_epoll(ctx: Context) -> Json:
    client, server = ctx.pair()
    client.sendall(b"x")
    server.sendall(server.recv(1))
    with select.epoll() as poller:
        poller.register(server, select.EPOLLIN | select.EPOLLRDHUP)
        waiter = Worker(lambda: [event_names(mask) for _, mask in poller.poll(5)]).until_asleep_in("epoll_wait")
        client.recv(1)
        client.setsockopt(*RESET_ON_CLOSE)
        client.close()
        return [waiter.outcome(), outcome(server.recv, 1)]


@case()
def send_after_shutdown(ctx: Context) -> Json:
    client, server = ctx.pair()
    client.sendall(b"x")
    client.shutdown(socket.SHUT_WR)
    seen = [
        outcome(client.send, b"y", socket.MSG_NOSIGNAL),
        outcome(client.sendmsg, [b"y"], [], socket.MSG_NOSIGNAL),
    ]
    return [*seen, show(read_on(server))]


@case(hops=2)
def send_to_a_closed_peer(ctx: Context) -> Json:
    """The first send is taken, its reset makes the next one EPIPE."""
    client, server = ctx.pair()
    client.sendall(b"x")
    server.sendall(server.recv(1))
    client.recv(1)
    server.close()
    until_state(client, CLOSE_WAIT)
    seen = [outcome(client.send, b"one")]
    until_state(client, CLOSE)
    seen += [poll_now(client), outcome(client.send, b"two", socket.MSG_NOSIGNAL)]
    return [*seen, outcome(client.recv, 10)]


@case(hops=2)
def linger_waits_for_nobody_in_a_healthy_connection(ctx: Context) -> Json:
    """SO_LINGER with a time: close() returns and everything arrives."""
    client, server = ctx.pair()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 5))
    client.sendall(b"a")
    client.sendall(pattern(50_000))
    client.close()
    return show(read_on(server))


@case()
def listener_closes_before_accept(ctx: Context) -> Json:
    """What sits in the accept queue is reset, with its early bytes."""
    listener = ctx.listen()
    client = ctx.connect(listener)
    client.sendall(b"never accepted")
    until_acknowledged(client)
    listener.close()
    until_state(client, CLOSE)
    return [outcome(client.recv, 10), outcome(client.send, b"x", socket.MSG_NOSIGNAL)]


@case(hops=20)
def many_short_connections(ctx: Context) -> Json:
    """Each is closed by the side that answered last, with nothing lost."""
    seen: list[Json] = []
    with ctx.listen() as listener:
        for number in range(10):
            client = ctx.connect(listener)
            server, _ = listener.accept()
            client.sendall(b"GET %d" % number)
            server.sendall(server.recv(100) * 100)
            server.close()
            seen.append(show(read_on(client)))
            client.close()
    return seen


@case()
def state_after_each_end_closes(ctx: Context) -> Json:
    client, server = ctx.pair()
    client.sendall(b"x")
    server.recv(1)
    seen: list[Json] = [state(client), state(server)]
    client.shutdown(socket.SHUT_WR)
    until_state(server, CLOSE_WAIT)
    until_state(client, FIN_WAIT2)
    seen += [state(client), state(server)]
    server.shutdown(socket.SHUT_WR)
    until_state(server, CLOSE)
    return [*seen, state(server)]
