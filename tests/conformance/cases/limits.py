"""Readers that do not read: what may queue is bounded, writers wait, and nothing is lost."""

from __future__ import annotations

import hashlib
import socket
import struct
from pathlib import Path

from tests.conformance.context import Context, Options
from tests.conformance.observing import Worker, outcome, pattern, poll_now
from tests.conformance.raw import SO_MEMINFO
from tests.conformance.registry import Bound, Json, case
from tests.conformance.waiting import until_all_that_left_is_acknowledged

MB = 1 << 20
TWICE_TCP = 8 * MB
"""Twice what TCP takes once its send buffer has grown to tcp_wmem's default limit, which not every run sees."""
# Plain TCP then absorbs little, and hops up to their own bound.
SMALL_SENDER: Options = (
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
    (socket.SOL_SOCKET, socket.SO_SNDBUF, struct.pack("i", 65536)),
)


def _fill(sock: socket.socket, piece: bytes, most: int, settled: bool = False) -> tuple[int, str]:
    """Send without waiting until the kernel refuses, or `most` sends: bytes taken and a hash of them.

    :param settled: it refuses once more when what was on its way has made room for a little more.
    """
    digest, total = hashlib.sha256(), 0
    for _ in range(most):
        try:
            sent = sock.send(piece, socket.MSG_DONTWAIT)
        except BlockingIOError:
            if not settled:
                break
            settled = False
            until_all_that_left_is_acknowledged(sock)
            continue
        digest.update(piece[:sent])
        total += sent
    return total, digest.hexdigest()


def _drain(sock: socket.socket, total: int) -> str:
    digest, left = hashlib.sha256(), total
    while left and (part := sock.recv(min(left, MB))):
        digest.update(part)
        left -= len(part)
    return digest.hexdigest()


def _kernel_memory(*socks: socket.socket) -> int:
    """Bytes in slabs, where messages keep what no socket is charged for, and what the sockets are charged."""
    slab = next(line for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("Slab:"))
    charged = 0
    for sock in socks:
        info = struct.unpack("9I", sock.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, 36))
        charged += info[0] + info[5]  # SK_MEMINFO_RMEM_ALLOC, SK_MEMINFO_WMEM_QUEUED
    return int(slab.split()[1]) * 1024 + charged


@case(hops=1, bounds={"absorbed": Bound(2)})
def nobody_reads(ctx: Context) -> Json:
    """The writer gets EAGAIN; after the reader has read, everything is there and there is room again."""
    client, server = ctx.pair()
    total, sent = _fill(client, pattern(65536), 10_000, settled=True)
    ctx.measure("absorbed", total)
    seen: list[Json] = [outcome(client.send, b"x", socket.MSG_DONTWAIT), poll_now(client), poll_now(server)]
    return [*seen, _drain(server, total) == sent, poll_now(client)]


@case(hops=1)
def nobody_reads_and_the_writer_blocks(ctx: Context) -> Json:
    client, server = ctx.pair()
    data = pattern(24 * MB)
    sender = Worker(client.sendall, data).until_asleep_in("sendto")
    return [_drain(server, len(data)) == hashlib.sha256(data).hexdigest(), sender.outcome()]


def _memory_of_a_stall(ctx: Context, piece: bytes) -> int:
    """Kernel memory that sends into a reader that does not read take: the least of three, others use it too."""
    taken = []
    for _ in range(3):
        client, server = ctx.pair()
        before = _kernel_memory(client, server)
        _fill(client, piece, 50_000)
        taken.append(_kernel_memory(client, server) - before)
    return min(taken)


@case(hops=1, bounds={"memory": Bound(2, 8 * MB), "absorbed": Bound(2, 8 * MB)}, deadline=30)
def single_bytes(ctx: Context) -> Json:
    """1-byte sends: each costs the kernel far more than a byte."""
    ctx.measure("memory", _memory_of_a_stall(ctx, b"x"))
    client, server = ctx.pair(client=SMALL_SENDER)
    total, sent = _fill(client, b"x", 5_000_000)
    ctx.measure("absorbed", total)
    return [total < 5_000_000, _drain(server, total) == sent]


@case(hops=1, bounds={"memory": Bound(2, 8 * MB), "absorbed": Bound(2, TWICE_TCP)})
def odd_sizes_into_a_stalled_reader(ctx: Context) -> Json:
    """As many hops as there may be, each 1 KB larger for the kernel, and then as many bytes as TCP takes."""
    ctx.measure("memory", _memory_of_a_stall(ctx, pattern(777)))
    client, server = ctx.pair()
    total, sent = _fill(client, pattern(777), 500_000)
    ctx.measure("absorbed", total)
    return [_drain(server, total) == sent]


@case(hops=1, bounds={"absorbed": Bound(2)})
def reader_with_a_small_buffer(ctx: Context) -> Json:
    """SO_RCVBUF set by the application is a promise about memory."""
    small: Options = ((socket.SOL_SOCKET, socket.SO_RCVBUF, struct.pack("i", 32768)),)
    client, server = ctx.pair(client=SMALL_SENDER, server=small)
    total, sent = _fill(client, pattern(5000), 100_000)
    ctx.measure("absorbed", total)
    return [_drain(server, total) == sent]


@case(hops=10, bounds={"absorbed": Bound(2, 80 * MB)})
def many_stalled_readers(ctx: Context) -> Json:
    """Ten connections, each with its own bound, all complete at the end."""
    pairs = [ctx.pair(client=SMALL_SENDER) for _ in range(10)]
    filled = [_fill(client, pattern(3000, seed), 100_000) for seed, (client, _) in enumerate(pairs)]
    ctx.measure("absorbed", sum(total for total, _ in filled))
    return [_drain(server, total) == sent for (_, server), (total, sent) in zip(pairs, filled, strict=True)]


@case(hops=1)
def reads_a_little_now_and_then(ctx: Context) -> Json:
    """A reader that only ever takes a part, with the writer at its limit all the time."""
    client, server = ctx.pair()
    digest, taken = hashlib.sha256(), hashlib.sha256()
    total = left = 0
    for turn in range(50):
        piece = pattern(100_000, turn)
        try:
            while True:
                sent = client.send(piece, socket.MSG_DONTWAIT)
                digest.update(piece[:sent])
                total += sent
                left += sent
        except BlockingIOError:
            pass
        part = server.recv(300_000)
        taken.update(part)
        left -= len(part)
    while left and (part := server.recv(left)):
        taken.update(part)
        left -= len(part)
    return [total > 0, taken.digest() == digest.digest(), outcome(server.recv, 1, socket.MSG_DONTWAIT)]


@case(options={"capacity": 4}, hops=4)
def map_full(ctx: Context) -> Json:
    """Ten connections and room for two: the others are ordinary TCP, and all work."""
    pairs = [ctx.pair() for _ in range(10)]
    seen: list[Json] = []
    for number, (client, server) in enumerate(pairs):
        for _ in range(3):
            client.sendall(b"to %d" % number)
            server.sendall(server.recv(100) + b" and back")
            seen.append(outcome(client.recv, 100))
    counters = ctx.counters()
    if counters and (counters["refused"]["map_full"] == 0 or not 2 <= counters["tracked"] <= 4):
        raise AssertionError(f"a map of 4 took in ten pairs: {counters}")
    return seen
