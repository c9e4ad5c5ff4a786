"""Large transfers, checked by their bytes."""

from __future__ import annotations

import select
import socket
import struct

from tests.conformance.context import KINDS, Context, Options
from tests.conformance.observing import Worker, pattern, read_on, read_when_readable, show
from tests.conformance.registry import Json, case, for_each
from tests.waiting import PATIENCE

MEGABYTES = int(64 / PATIENCE)
"""Many times what all buffers hold; an emulated machine would not even make more in time."""
SOME = int(40 / PATIENCE**1.5)
"""Of the 216 messages of such a transfer at least so many hop: those that find the queue full do not.
Emulated, the transfer is shorter, and fewer of its messages find room."""
SIZES = (1, 1 << 20, 100, 65536, 3_000_000, 16384, 4095, 1 << 18)


def _send(sock: socket.socket, data: bytes) -> None:
    view, at, turn = memoryview(data), 0, 0
    while at < len(data):
        size = SIZES[turn % len(SIZES)]
        sock.sendall(view[at : at + size])
        at, turn = at + size, turn + 1
    sock.shutdown(socket.SHUT_WR)


def _both_ends(
    sender: socket.socket, receiver: socket.socket, megabytes: int, seed: int = 1
) -> tuple[Worker, Worker]:
    return Worker(_send, sender, pattern(megabytes << 20, seed)), Worker(read_when_readable, receiver, 1 << 18)


@case(hops=SOME)
def one_way(ctx: Context) -> Json:
    client, server = ctx.pair()
    return [worker.outcome() for worker in _both_ends(client, server, MEGABYTES)]


@case(hops=SOME)
def both_ways(ctx: Context) -> Json:
    client, server = ctx.pair()
    there = _both_ends(client, server, MEGABYTES)
    back = _both_ends(server, client, MEGABYTES, 2)
    return [worker.outcome() for worker in (*there, *back)]


@case(hops=2, options={"receive_buffer": 1 << 18})
def both_send_before_they_read(ctx: Context) -> Json:
    """Each counts on the send buffer, as megabytes do on TCP; in pieces, so that some hop."""
    data = {end: pattern(1 << 20, seed) for seed, end in enumerate(ctx.pair())}
    sent = [Worker(_send_pieces, end, data[end]) for end in data]
    done = [worker.outcome() for worker in sent]
    near, far = data
    return [*done, *(_all_of(end, data[other]) for end, other in ((near, far), (far, near)))]


def _send_pieces(sock: socket.socket, data: bytes) -> None:
    for at in range(0, len(data), 1 << 15):
        sock.sendall(data[at : at + (1 << 15)])


def _all_of(end: socket.socket, data: bytes) -> Json:
    end.setblocking(False)  # a blocking read after a send that has waited is a case of its own
    got = bytearray()
    while len(got) < len(data) and select.select([end], [], [], 5)[0]:
        got += end.recv(1 << 18)
    return bytes(got) == data


@for_each(kind=KINDS)
@case(hops=3)
def with_nagle(ctx: Context, kind: str) -> Json:
    client, server = ctx.pair(kind, client=(), server=())
    return [worker.outcome() for worker in _both_ends(server, client, 8)]


SMALL = struct.pack("i", 4096)
BUFFERS: dict[str, tuple[Options, Options]] = {
    "receive": ((), ((socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL),)),
    "send": (((socket.SOL_SOCKET, socket.SO_SNDBUF, SMALL),), ()),
    "both": (
        ((socket.SOL_SOCKET, socket.SO_SNDBUF, SMALL),),
        ((socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL),),
    ),
}


@for_each(small=tuple(BUFFERS))
@case(hops=0)
def small_buffers(ctx: Context, small: str) -> Json:
    """SO_SNDBUF and SO_RCVBUF at the least that the kernel gives."""
    client, server = ctx.pair(client=BUFFERS[small][0], server=BUFFERS[small][1])
    workers = Worker(_send, client, pattern(200_000)), Worker(read_on, server, 10_000)
    return [worker.outcome() for worker in workers]


@case(hops=2)
def read_with_a_tiny_buffer(ctx: Context) -> Json:
    client, server = ctx.pair()
    sender = Worker(_send, client, pattern(300_000))
    got, end = read_on(server, 37)
    return [sender.outcome(), show(got), end]
