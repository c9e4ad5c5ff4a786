"""Several threads on one socket."""

from __future__ import annotations

import socket
import struct

from tests.conformance.context import Context
from tests.conformance.observing import Worker, pattern, read_exactly, read_when_readable, show
from tests.conformance.registry import Json, case

HEADER = struct.Struct("!HHI")


@case(hops=100)
def many_senders(ctx: Context) -> Json:
    """Each send stays whole and each thread's sends stay in order."""
    client, server = ctx.pair()
    threads, each = 8, 100
    reader = Worker(_read_records, server, threads)
    senders = [Worker(_send_records, client, number, each) for number in range(threads)]
    seen = [sender.outcome() for sender in senders]
    client.shutdown(socket.SHUT_WR)
    return [*seen, reader.outcome()]


def _send_records(sock: socket.socket, thread: int, count: int) -> None:
    for number in range(count):
        body = pattern(number % 200, thread * 1000 + number)
        sock.sendall(HEADER.pack(thread, number, len(body)) + body)


def _read_records(sock: socket.socket, threads: int) -> Json:
    last = [0] * threads
    while header := read_exactly(sock, HEADER.size):
        thread, number, length = HEADER.unpack(header)
        if number != last[thread] or read_exactly(sock, length) != pattern(length, thread * 1000 + number):
            return ["broken", thread, number]
        last[thread] += 1
    return [*last]


@case(hops=100)
def both_ways_at_once(ctx: Context) -> Json:
    """Each end sends from one thread while another thread reads."""
    client, server = ctx.pair()
    workers = [
        *(Worker(_send_pieces, sock, seed) for seed, sock in enumerate((client, server))),
        *(Worker(read_when_readable, sock) for sock in (client, server)),
    ]
    return [worker.outcome() for worker in workers]


def _send_pieces(sock: socket.socket, seed: int) -> None:
    for number in range(500):
        sock.sendall(pattern(1 + number * 7 % 3000, seed * 1000 + number))
    sock.shutdown(socket.SHUT_WR)


@case(hops=200)
def many_connections_at_once(ctx: Context) -> Json:
    """Eight threads, each with its own connections, none mixed up."""
    return [worker.outcome() for worker in [Worker(_converse, ctx, seed) for seed in range(8)]]


def _converse(ctx: Context, seed: int) -> Json:
    seen: list[Json] = []
    for turn in range(5):
        client, server = ctx.pair()
        for number in range(10):
            client.sendall(b"%d.%d.%d" % (seed, turn, number))
            server.sendall(server.recv(100) + b"!")
            seen.append(show(client.recv(100)))
        client.close()
        server.close()
    return show([str(seen).encode()])
