"""close() with bytes unread: TCP resets the other end, which must never stay blocked."""

from __future__ import annotations

import os
import select
import signal
import socket

from tests.conformance.context import Context
from tests.conformance.observing import Worker, event_names, fill, outcome, pattern, poll_now, show
from tests.conformance.registry import Differs, Json, case
from tests.conformance.waiting import CLOSE, CLOSE_WAIT, asleep_in, state, until, until_state, until_unread

FIN = "__tcp_close() looks for unread bytes only in sk_receive_queue, and sends FIN instead of RST"


@case(differs=Differs(FIN, ["", ""]))
def peer_is_idle(ctx: Context) -> Json:
    client, server = ctx.pair()
    client.sendall(b"unread")
    until_unread(server, 6)
    server.close()
    until(lambda: state(client) in (CLOSE, CLOSE_WAIT), "the close seen")
    return [outcome(client.recv, 10), outcome(client.recv, 10)]


@case(differs=Differs(FIN, ""))
def peer_is_reading(ctx: Context) -> Json:
    client, server = ctx.pair()
    client.sendall(b"unread")
    until_unread(server, 6)
    reader = Worker(client.recv, 10).until_asleep_in("recvfrom")
    server.close()
    return reader.outcome()


@case(differs=Differs(FIN, [[["IN", "RDHUP"]], ""]))
def peer_is_in_epoll(ctx: Context) -> Json:
    client, server = ctx.pair()
    client.sendall(b"unread")
    until_unread(server, 6)
    with select.epoll() as poller:
        poller.register(client, select.EPOLLIN | select.EPOLLRDHUP)
        waiter = Worker(lambda: [event_names(mask) for _, mask in poller.poll(5)]).until_asleep_in("epoll_wait")
        server.close()
        return [waiter.outcome(), outcome(client.recv, 10)]


@case(differs=Differs(FIN, ["EPIPE", "EPIPE"]))
def peer_is_blocked_sending(ctx: Context) -> Json:
    """Woken at once, with the error that TCP gives."""
    client, server = ctx.pair()
    sender = Worker(client.sendall, bytes(64 << 20)).until_asleep_in("sendto")
    server.close()
    return [sender.outcome(seconds=2), outcome(client.send, b"x", socket.MSG_NOSIGNAL)]


@case(differs=Differs(FIN, [True, "EPIPE"]))
def peer_waits_for_room(ctx: Context) -> Json:
    """The same with an event loop: EPOLLOUT must come, with the error."""
    client, server = ctx.pair()
    client.setblocking(False)
    fill(client, 65536)
    with select.epoll() as poller:
        poller.register(client, select.EPOLLOUT)
        server.close()
        woken = [event_names(mask) for _, mask in poller.poll(2)]
    until_state(client, CLOSE)
    return [woken != [], outcome(client.send, b"x", socket.MSG_NOSIGNAL)]


@case(hops=2, differs=Differs(FIN, ["delivered", ""]))
def closer_had_sent_something(ctx: Context) -> Json:
    """The closer's own bytes were delivered before the reset: they can still be read."""
    client, server = ctx.pair()
    server.sendall(b"delivered")
    until_unread(client, 9)
    client.sendall(b"unread")
    until_unread(server, 6)
    server.close()
    until(lambda: state(client) in (CLOSE, CLOSE_WAIT), "the close seen")
    return [outcome(client.recv, 100), outcome(client.recv, 10)]


@case(differs=Differs(FIN, [["IN", "OUT", "RDHUP"], 1, "EPIPE", ""]))
def then_sending(ctx: Context) -> Json:
    client, server = ctx.pair()
    client.sendall(b"unread")
    until_unread(server, 6)
    server.close()
    until(lambda: state(client) in (CLOSE, CLOSE_WAIT), "the close seen")
    poll = poll_now(client)
    seen = [outcome(client.send, b"x", socket.MSG_NOSIGNAL)]
    until_state(client, CLOSE)
    return [poll, *seen, outcome(client.send, b"y", socket.MSG_NOSIGNAL), outcome(client.recv, 10)]


@case(differs=Differs(FIN, ["EPIPE", "EPIPE"]))
def by_killing_the_reader(ctx: Context) -> Json:
    """SIGKILL of a process that has bytes unread while the other is blocked sending to it."""
    client, server = ctx.pair()
    reader = os.fork()
    if reader == 0:
        server.recv(1)
        signal.pause()
    server.close()
    sender = Worker(client.sendall, pattern(64 << 20)).until_asleep_in("sendto")
    until(lambda: not asleep_in("recvfrom", reader), "the reader has read its byte")
    os.kill(reader, signal.SIGKILL)
    os.waitpid(reader, 0)
    return show([sender.outcome(seconds=2), outcome(client.send, b"x", socket.MSG_NOSIGNAL)])
