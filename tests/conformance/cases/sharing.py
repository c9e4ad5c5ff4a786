"""One socket in several processes and under several descriptors."""

from __future__ import annotations

import os
import signal
import socket

from tests.conformance.context import Context
from tests.conformance.observing import outcome, pattern, poll_now, read_exactly, read_on, read_when_readable, show
from tests.conformance.registry import Json, case
from tests.conformance.waiting import CLOSE, CLOSE_WAIT, until_state, until_unread


@case(hops=3)
def passed_to_another_process(ctx: Context) -> Json:
    """SCM_RIGHTS, with bytes unread: the other process reads them, and those that come later."""
    client, server = ctx.pair()
    ours, theirs = socket.socketpair()
    worker = os.fork()
    if worker == 0:
        _, (handle,), _, _ = socket.recv_fds(theirs, 10, 1)
        with socket.socket(fileno=handle) as passed:
            passed.sendall(read_exactly(passed, 10)[::-1])
            passed.sendall(read_on(passed)[0])
        os._exit(0)
    client.sendall(b"01234")
    until_unread(server, 5)
    socket.send_fds(ours, [b"take"], [server.fileno()])
    server.close()
    client.sendall(b"56789")
    seen = [show(read_exactly(client, 10))]
    client.sendall(b"more")
    client.shutdown(socket.SHUT_WR)
    seen.append(show(read_when_readable(client)))
    os.waitpid(worker, 0)
    return seen


@case(hops=2)
def forked(ctx: Context) -> Json:
    """Parent and child send on one socket; it ends when both have closed it."""
    client, server = ctx.pair()
    client.sendall(b"parent ")
    worker = os.fork()
    if worker == 0:
        client.sendall(b"child")
        signal.pause()
    client.close()
    seen = [show(read_exactly(server, 12)), poll_now(server)]
    os.kill(worker, signal.SIGKILL)
    os.waitpid(worker, 0)
    return [*seen, show(read_on(server))]


@case(hops=3)
def duplicated(ctx: Context) -> Json:
    client, server = ctx.pair()
    copy = client.dup()
    client.sendall(b"one ")
    client.close()
    copy.sendall(b"two ")
    copy.sendall(b"three")
    seen = [show(read_exactly(server, 13)), poll_now(server)]
    copy.close()
    return [*seen, show(read_on(server))]


@case(hops=1)
def killed_with_everything_read(ctx: Context) -> Json:
    """SIGKILL of one end's process is an orderly end for the other."""
    client, server = ctx.pair()
    worker = os.fork()
    if worker == 0:
        server.close()
        client.sendall(pattern(3000))
        client.recv(1)
        os.kill(os.getpid(), signal.SIGSTOP)
    client.close()
    server.sendall(b"!")
    os.waitpid(worker, os.WUNTRACED)
    os.kill(worker, signal.SIGKILL)
    os.waitpid(worker, 0)
    until_state(server, CLOSE_WAIT)
    return show(read_on(server))


@case(hops=2)
def killed_with_bytes_in_flight(ctx: Context) -> Json:
    """What the killed process had sent arrives."""
    client, server = ctx.pair()
    worker = os.fork()
    if worker == 0:
        server.close()
        for number in range(100):
            client.sendall(pattern(1000, number))
        os.kill(os.getpid(), signal.SIGKILL)
    client.close()
    os.waitpid(worker, 0)
    return show(read_on(server))


@case(hops=20)
def accepted_by_workers(ctx: Context) -> Json:
    """Worker processes accept from one inherited listener, with early bytes waiting."""
    seen: list[Json] = []
    with ctx.listen() as listener:
        workers = [_start_worker(listener) for _ in range(2)]
        for number in range(10):
            client = ctx.connect(listener)
            client.sendall(b"early %d, " % number)
            client.sendall(b"later")
            client.shutdown(socket.SHUT_WR)
            seen.append(show(read_when_readable(client)))
            client.close()
    for worker in workers:
        os.kill(worker, signal.SIGKILL)
        os.waitpid(worker, 0)
    return seen


def _start_worker(listener: socket.socket) -> int:
    worker = os.fork()
    while worker == 0:
        server, _ = listener.accept()
        server.sendall(read_on(server)[0].upper())
        server.close()
    return worker


@case(hops=1)
def exit_without_close(ctx: Context) -> Json:
    client, server = ctx.pair()
    worker = os.fork()
    if worker == 0:
        server.close()
        client.sendall(b"done")
        os._exit(0)
    client.close()
    os.waitpid(worker, 0)
    seen = show(read_on(server))
    server.sendall(b"too late")
    until_state(server, CLOSE)
    return [seen, outcome(server.send, b"x", socket.MSG_NOSIGNAL)]
