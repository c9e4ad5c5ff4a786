"""What the operator does while connections live: pause, resume, recheck, down, up, and kill."""

from __future__ import annotations

import socket

from tests.conformance.context import Context
from tests.conformance.observing import Worker, outcome, pattern, read_exactly, read_on, read_when_readable, show
from tests.conformance.raw import recv
from tests.conformance.registry import UNTRACKED, Json, case
from tests.conformance.waiting import until, until_unread


def _talk(client: socket.socket, server: socket.socket, turns: int = 3) -> Json:
    """A conversation both ways, as a hash."""
    heard = b""
    for turn in range(turns):
        client.sendall(pattern(100 + turn, turn))
        request = read_exactly(server, 100 + turn)
        server.sendall(request[::-1])
        heard += request + read_exactly(client, 100 + turn)
    return show(heard)


@case(hops=8)
def pause_and_resume(ctx: Context) -> Json:
    client, server = ctx.pair()
    seen = []
    for _ in range(3):
        before = ctx.hop_messages()
        seen.append(_talk(client, server))
        ctx.expect_hops(before, 4)
        ctx.control("pause")
        before = ctx.hop_messages()
        seen.append(_talk(client, server))
        ctx.expect_no_hops(before)
        ctx.control("resume")
    return seen


@case(hops=2)
def pause_with_bytes_unread(ctx: Context) -> Json:
    """Hopped bytes unread, then stack bytes, then, once more, bytes that may hop: read as they were sent."""
    client, server = ctx.pair()
    for turn in range(6):
        client.sendall(b"%d on," % turn)
        ctx.control("pause")
        client.sendall(b"%d off," % turn)
        ctx.control("resume")
    client.shutdown(socket.SHUT_WR)
    return show(read_on(server))


@case(hops=6)
def recheck(ctx: Context) -> Json:
    """After a recheck each direction shows a message to the stack, and then hops again."""
    client, server = ctx.pair()
    seen = []
    for turn in range(1, 4):
        seen.append(_talk(client, server))
        ctx.control("recheck")
        before = ctx.hop_messages()
        seen.append(_talk(client, server))
        ctx.expect_hops(before)
        if (counters := ctx.counters()) and counters["reasons"]["recheck"] < 2 * turn:
            raise AssertionError(f"{turn} rechecks of two directions: {counters}")
    return seen


@case(hops=1)
def recheck_with_bytes_unread(ctx: Context) -> Json:
    client, server = ctx.pair()
    for turn in range(10):
        client.sendall(b"%d," % turn)
        if turn % 2:
            ctx.control("recheck")
    client.shutdown(socket.SHUT_WR)
    return show(read_on(server))


@case(hops=10)
def many_switches(ctx: Context) -> Json:
    """Both directions stream while hops go off and on and are rechecked."""
    client, server = ctx.pair()
    sizes = [1 + number * 997 % 20_000 for number in range(600)]
    workers = [
        *(Worker(_send_all, sock, sizes, seed) for seed, sock in enumerate((client, server))),
        *(Worker(read_when_readable, sock, 5000) for sock in (client, server)),
    ]
    for _ in range(25):
        for action in ("pause", "resume", "recheck"):
            ctx.control(action)
    return [worker.outcome() for worker in workers]


def _send_all(sock: socket.socket, sizes: list[int], seed: int) -> None:
    for number, size in enumerate(sizes):
        sock.sendall(pattern(size, seed * 10_000 + number))
    sock.shutdown(socket.SHUT_WR)


@case(hops=2)
def down_with_bytes_unread(ctx: Context) -> Json:
    """Nothing that waits to be read is lost, and the connection goes on."""
    client, server = ctx.pair()
    client.sendall(pattern(50_000))
    server.sendall(b"for the client")
    until_unread(server, 50_000)
    ctx.begin("close")
    client.sendall(b"while closing ")
    seen = [show(read_exactly(server, 50_000)), show(read_exactly(server, 14)), show(read_exactly(client, 14))]
    ctx.finish()
    return [*seen, _talk(client, server)]


@case(hops=1, deadline=20)
def down_and_never_read(ctx: Context) -> Json:
    """The removal gives up waiting, and what is unread can still be read afterwards."""
    client, server = ctx.pair()
    client.sendall(b"unread")
    until_unread(server, 6)
    ctx.control("close")
    seen = [outcome(server.recv, 3), _talk(server, client), outcome(server.recv, 10)]
    return [*seen, _talk(client, server)]


@case(hops=2, deadline=20)
def down_with_a_reader_asleep(ctx: Context) -> Json:
    """A recv() that slept through the removal gets its bytes, and so does the next one."""
    client, server = ctx.pair()
    seen = [_talk(client, server)]
    reader = Worker(recv, server, 100).until_asleep_in("recvfrom")
    ctx.control("close")
    client.sendall(b"for the sleeper")
    seen.append(reader.outcome())
    reader = Worker(recv, server, 100).until_asleep_in("recvfrom")
    client.sendall(b"for the next")
    return [*seen, reader.outcome(), _talk(client, server)]


@case(hops=2, deadline=20)
def down_under_load(ctx: Context) -> Json:
    """Two connections stream, one each way, with blocking readers, while everything is taken away."""
    (sender, reader), (other_reader, other_sender) = ctx.pair(), ctx.pair()
    sizes = [1 + number * 997 % 20_000 for number in range(1000)]
    workers = [
        *(Worker(_send_all, sock, sizes, seed) for seed, sock in enumerate((sender, other_sender))),
        *(Worker(read_on, sock, 5000) for sock in (reader, other_reader)),
    ]
    until(lambda: not ctx.hopped or ctx.hop_messages() > 10, "a few hops")
    ctx.control("close")
    return [worker.outcome() for worker in workers]


@case(hops=2, deadline=20)
def down_with_a_writer_asleep(ctx: Context) -> Json:
    client, server = ctx.pair()
    sent = pattern(16 << 20)
    sender = Worker(client.sendall, sent).until_asleep_in("sendto")
    ctx.begin("close")
    seen = [read_exactly(server, len(sent)) == sent, sender.outcome()]
    ctx.finish()
    return [*seen, _talk(client, server)]


@case(hops=0)
def down_and_up_again(ctx: Context) -> Json:
    """An old connection goes on, untouched by the new accelerator, and new ones hop."""
    client, server = ctx.pair()
    seen = [_talk(client, server)]
    ctx.control("close")
    ctx.control("open")
    before = ctx.hop_messages()
    seen.append(_talk(client, server))
    ctx.expect_no_hops(before)
    client, server = ctx.pair()
    seen.append(_talk(client, server))
    ctx.expect_hops(before, 4)
    return seen


@case(stays=UNTRACKED)
def connected_before(ctx: Context) -> Json:
    """Connections made before the accelerator was there are left alone."""
    ctx.control("close")
    client, server = ctx.pair()
    client.sendall(b"early")
    ctx.control("open")
    return [outcome(server.recv, 10), _talk(client, server)]


@case(hops=4)
def listening_before(ctx: Context) -> Json:
    """A listener that was there before takes in connections that hop."""
    ctx.control("close")
    with ctx.listen() as listener:
        ctx.control("open")
        client = ctx.connect(listener)
        server, _ = listener.accept()
        return _talk(client, server)


@case(stays=UNTRACKED)
def connected_while_it_came(ctx: Context) -> Json:
    """In the accept queue when the accelerator came."""
    ctx.control("close")
    with ctx.listen() as listener:
        client = ctx.connect(listener)
        ctx.control("open")
        server, _ = listener.accept()
        return _talk(client, server)


@case(own_process=True, hops=4)
def owner_killed(ctx: Context) -> Json:
    """SIGKILL of every sockhop process: nothing is lost, and hops go on."""
    client, server = ctx.pair()
    seen = [_talk(client, server)]
    client.sendall(b"unread, ")
    server.sendall(b"unread too, ")
    reader = Worker(read_exactly, client, 17)
    ctx.control("kill")
    server.sendall(b"later")
    client.sendall(b"later")
    seen += [show(read_exactly(server, 13)), reader.outcome(), _talk(client, server)]
    client, server = ctx.pair()
    return [*seen, _talk(client, server)]


@case(own_process=True, hops=2)
def owner_killed_under_load(ctx: Context) -> Json:
    client, server = ctx.pair()
    sizes = [1 + number * 997 % 20_000 for number in range(600)]
    workers = [
        *(Worker(_send_all, sock, sizes, seed) for seed, sock in enumerate((client, server))),
        *(Worker(read_when_readable, sock, 5000) for sock in (client, server)),
    ]
    until(lambda: not ctx.hopped or ctx.hop_messages() > 10, "a few hops")
    ctx.control("kill")
    return [worker.outcome() for worker in workers]
