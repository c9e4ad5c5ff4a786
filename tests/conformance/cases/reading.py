"""recv() in its forms: peeking, throwing away, counting, waiting, and what one call returns."""

from __future__ import annotations

import os
import socket
import struct

from tests.conformance.context import KINDS, Context
from tests.conformance.observing import outcome, pattern, read_exactly, show
from tests.conformance.registry import Json, case, for_each
from tests.conformance.waiting import unread, until_unread

DONTWAIT = socket.MSG_DONTWAIT


@for_each(kind=KINDS)
@case(hops=4)
def request_and_response(ctx: Context, kind: str) -> Json:
    client, server = ctx.pair(kind)
    seen: list[Json] = []
    for number, size in enumerate((1, 1000, 16384, 100_000)):
        client.sendall(pattern(size, number))
        request = read_exactly(server, size)
        server.sendall(request[::-1])
        seen.append(show(read_exactly(client, size)))
    return seen


@case(hops=2)
def peek(ctx: Context) -> Json:
    client, server = ctx.pair()
    client.sendall(b"first")
    client.sendall(b"second")
    until_unread(server, 11)
    peeks = [server.recv(size, socket.MSG_PEEK) for size in (3, 8, 100, 100)]
    return show([*peeks, server.recv(7), server.recv(100, socket.MSG_PEEK), server.recv(100)])


@case()
def peek_waits_for_the_first_byte(ctx: Context) -> Json:
    client, server = ctx.pair()
    seen: list[Json] = [outcome(server.recv, 10, socket.MSG_PEEK | DONTWAIT)]
    client.sendall(b"now")
    seen.append(outcome(server.recv, 10, socket.MSG_PEEK))
    client.close()
    seen.append(outcome(server.recv, 10))
    seen.append(outcome(server.recv, 10, socket.MSG_PEEK))
    return seen


@case(hops=2)
def trunc_throws_away(ctx: Context) -> Json:
    """recv(MSG_TRUNC) on TCP discards instead of copying."""
    client, server = ctx.pair()
    client.sendall(b"discarded")
    client.sendall(b"kept")
    until_unread(server, 13)
    discarded = len(server.recv(9, socket.MSG_TRUNC))
    return [discarded, outcome(server.recv, 100)]


@case(hops=2)
def bytes_to_read_are_counted(ctx: Context) -> Json:
    """FIONREAD, which is SIOCINQ, after each of two sends and two reads."""
    client, server = ctx.pair()
    seen: list[Json] = []
    client.sendall(bytes(1000))
    until_unread(server, 1000)
    seen.append(unread(server))
    client.sendall(bytes(500))
    until_unread(server, 1500)
    seen.append(unread(server))
    for size in (300, 900, 1000):
        seen.append(len(server.recv(size)))
        seen.append(unread(server))
    return seen


@case()
def receive_timeout(ctx: Context) -> Json:
    """SO_RCVTIMEO: EAGAIN when nothing comes, the bytes when they do."""
    client, server = ctx.pair()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 0, 50_000))
    seen: list[Json] = [outcome(server.recv, 10)]
    client.sendall(b"come")
    seen += [outcome(server.recv, 10), outcome(server.recv, 10)]
    return seen


@case(hops=2)
def do_not_wait(ctx: Context) -> Json:
    """MSG_DONTWAIT: EAGAIN between messages, never an early end of file."""
    client, server = ctx.pair()
    seen: list[Json] = []
    for text in (b"one", b"two"):
        seen.append(outcome(server.recv, 10, DONTWAIT))
        client.sendall(text)
        until_unread(server, 3)
        seen.append(outcome(server.recv, 10, DONTWAIT))
    seen.append(outcome(server.recv, 10, DONTWAIT))
    return seen


@case(hops=3)
def one_read_crosses_messages(ctx: Context) -> Json:
    client, server = ctx.pair()
    for text in (b"ab", b"cdef", b"g"):
        client.sendall(text)
    until_unread(server, 7)
    return [outcome(server.recv, 3), outcome(server.recv, 100)]


@case()
def many_reads_of_one_message(ctx: Context) -> Json:
    client, server = ctx.pair()
    sent = pattern(10_000)
    client.sendall(sent)
    until_unread(server, len(sent))
    parts = [server.recv(size) for size in (1, 4095, 1, 4096, 7, 10_000)]
    return [[len(part) for part in parts], b"".join(parts) == sent]


@case(hops=2)
def scattered(ctx: Context) -> Json:
    """recvmsg() and readv() into several buffers, across messages."""
    client, server = ctx.pair()
    client.sendall(pattern(3000))
    client.sendall(pattern(3000, 2))
    until_unread(server, 6000)
    first = [bytearray(size) for size in (1, 2000, 0, 1500)]
    count, ancillary, flags, address = server.recvmsg_into(first)
    second = [bytearray(1000), bytearray(5000)]
    return show([count, len(ancillary), flags, address, *first, os.readv(server.fileno(), second), *second])


@case(hops=2)
def plain_read_and_write(ctx: Context) -> Json:
    """read(2) and write(2), as programs that know nothing of sockets call them."""
    client, server = ctx.pair()
    written = os.write(client.fileno(), b"ping")
    got = os.read(server.fileno(), 10)
    return show([written, got, os.write(server.fileno(), got * 2), os.read(client.fileno(), 100)])


@case()
def sender_address_is_not_told(ctx: Context) -> Json:
    """recvfrom() on TCP leaves the address alone."""
    client, server = ctx.pair()
    client.sendall(b"x")
    return show(server.recvfrom(10))


@case()
def error_queue_is_empty(ctx: Context) -> Json:
    client, server = ctx.pair()
    client.sendall(b"x")
    until_unread(server, 1)
    seen = [outcome(sock.recv, 10, socket.MSG_ERRQUEUE) for sock in (client, server)]
    return [*seen, outcome(server.recv, 10)]
