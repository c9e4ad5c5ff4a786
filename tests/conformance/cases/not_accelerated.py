"""What the kernel does not do for a socket in a sockmap. Each difference is asserted, to notice its end."""

from __future__ import annotations

import os
import select
import socket
import struct

from tests.conformance.context import Context
from tests.conformance.observing import STUCK, Worker, event_names, outcome, poll_now, read_exactly, show
from tests.conformance.raw import (
    MSG_ZEROCOPY,
    SO_PEEK_OFF,
    SO_TIMESTAMPING,
    SO_TIMESTAMPNS,
    SO_ZEROCOPY,
    SPLICE_F_NONBLOCK,
    TCP_CM_INQ,
    TCP_INQ,
    TCP_ZEROCOPY_RECEIVE,
    getsockopt,
    recv,
    recv_nowhere,
    splice,
)
from tests.conformance.registry import Differs, Json, case
from tests.conformance.waiting import until_acknowledged, until_unread

DONTWAIT = socket.MSG_DONTWAIT
NO_CONTROL_MESSAGES = "tcp_bpf_recvmsg_parser() does not call tcp_recv_timestamp() or tcp_inq_hint()"
NEVER_SENT = "tcp_bpf_sendmsg() gives the bytes to the peer's psock: tcp_sendmsg() never sees them"


@case(
    differs=Differs("tcp_bpf_recvmsg_parser() returns what one sk_msg_recvmsg() finds", [True, "first"]),
    hops=2,
)
def wait_for_all(ctx: Context) -> Json:
    """MSG_WAITALL returns when everything asked for has come."""
    client, server = ctx.pair()
    client.sendall(b"first")
    until_unread(server, 5)
    reader = Worker(server.recv, 11, socket.MSG_WAITALL)
    seen = [reader.outcome(seconds=0.05) in (STUCK, "first")]
    client.sendall(b"second")
    return [*seen, reader.outcome()]


@case(differs=Differs("sk_psock_queue_empty() decides, not sk_rcvlowat (tcp_bpf_sock_is_readable)", ["IN", "OUT"]))
def low_water_mark_raised_over_queued_bytes(ctx: Context) -> Json:
    """SO_RCVLOWAT set when fewer bytes are there already: not readable."""
    client, server = ctx.pair()
    client.sendall(b"five5")
    until_unread(server, 5)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 10)
    return poll_now(server)


@case(
    stays="reasons.rcvlowat",
    differs=Differs("sk_psock_verdict_data_ready() moves bytes only at the mark (tcp_data_ready)", "EAGAIN"),
)
def less_than_the_low_water_mark(ctx: Context) -> Json:
    """SO_RCVLOWAT: a read that does not wait gets what there is."""
    client, server = ctx.pair()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 10)
    client.sendall(b"five5")
    until_acknowledged(client)
    return outcome(server.recv, 100, DONTWAIT)


@case(
    differs=Differs("tcp_splice_read() looks only at sk_receive_queue", [STUCK, None]),
)
def splice_out(ctx: Context) -> Json:
    """splice() from the socket into a pipe."""
    client, server = ctx.pair()
    take, give = os.pipe()
    client.sendall(b"spliced")
    until_unread(server, 7)
    spliced = Worker(splice, server.fileno(), give, 100).outcome(seconds=0.3)
    return [spliced, None if spliced == STUCK else outcome(os.read, take, 100)]


@case(
    differs=Differs("tcp_splice_read() looks only at sk_receive_queue", [["IN", "OUT"], "EAGAIN"]),
)
def splice_out_without_waiting(ctx: Context) -> Json:
    client, server = ctx.pair()
    _take, give = os.pipe()
    server.setblocking(False)
    client.sendall(b"spliced")
    until_unread(server, 7)
    return [poll_now(server), outcome(splice, server.fileno(), give, 100, SPLICE_F_NONBLOCK)]


@case(differs=Differs(NEVER_SENT, ["30000 bytes 782d84e91a8999d5", []]))
def zero_copy_send(ctx: Context) -> Json:
    """MSG_ZEROCOPY: each send is reported on the error queue when its pages are free again."""
    client, server = ctx.pair()
    client.setsockopt(socket.SOL_SOCKET, SO_ZEROCOPY, 1)
    client.send(b"z" * 30_000, MSG_ZEROCOPY)
    got = read_exactly(server, 30_000)
    until_acknowledged(client)
    return [show(got), _error_queue(client)]


@case(differs=Differs(NEVER_SENT, []))
def departure_times(ctx: Context) -> Json:
    """SO_TIMESTAMPING: the error queue says when the bytes were handed to the device."""
    software_and_ids = 1 << 1 | 1 << 4 | 1 << 7  # SOF_TIMESTAMPING_TX_SOFTWARE, _SOFTWARE, _OPT_ID
    client, server = ctx.pair()
    client.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPING, software_and_ids)
    client.sendall(b"x")
    server.recv(1)
    return _error_queue(client)


def _error_queue(sock: socket.socket) -> Json:
    """What poll() says within 0.3 s: ERR when the error queue has something."""
    poller = select.poll()
    poller.register(sock, 0)
    return [event_names(mask) for _, mask in poller.poll(300)]


@case(differs=Differs(NO_CONTROL_MESSAGES, ["0123", []]))
def bytes_left_are_told(ctx: Context) -> Json:
    """TCP_INQ: recvmsg() says how much more there is."""
    client, server = ctx.pair()
    server.setsockopt(socket.IPPROTO_TCP, TCP_INQ, 1)
    client.sendall(b"0123456789")
    until_unread(server, 10)
    data, ancillary, _, _ = server.recvmsg(4, 100)
    return [show(data), [struct.unpack("i", value)[0] for _, kind, value in ancillary if kind == TCP_CM_INQ]]


@case(differs=Differs(NO_CONTROL_MESSAGES, []))
def arrival_times(ctx: Context) -> Json:
    """SO_TIMESTAMPNS: recvmsg() says when the bytes came, from soon after the option was set."""
    client, server = ctx.pair()
    server.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    kinds: set[int] = set()
    for _ in range(1000):
        client.sendall(b"x")
        _, ancillary, _, _ = server.recvmsg(4, 100)
        kinds |= {kind for _, kind, _ in ancillary}
        if kinds:
            break
    return sorted(kinds)


@case(differs=Differs("tcp_zerocopy_receive() looks only at sk_receive_queue", [0, 0]))
def mapped_receive(ctx: Context) -> Json:
    """TCP_ZEROCOPY_RECEIVE says how many bytes must be copied instead (recv_skip_hint)."""
    client, server = ctx.pair()
    client.sendall(b"x" * 100)
    until_unread(server, 100)
    asked = struct.pack("QIIIiQiIQQII", 0, 1 << 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
    answer = getsockopt(server, socket.IPPROTO_TCP, TCP_ZEROCOPY_RECEIVE, asked)
    return list(struct.unpack_from("II", answer, 8))


@case(differs=Differs(f"{NEVER_SENT}, so tcpi_bytes_acked and tcpi_bytes_received stay", [1, 0]))
def byte_counters(ctx: Context) -> Json:
    """TCP_INFO: tcpi_bytes_acked (with the SYN) and tcpi_bytes_received."""
    client, server = ctx.pair()
    client.sendall(bytes(1000))
    read_exactly(server, 1000)
    until_acknowledged(client)
    return [_counter(client, 120), _counter(server, 128)]


def _counter(sock: socket.socket, offset: int) -> int:
    info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
    (value,) = struct.unpack_from("Q", info, offset)
    return int(value)


@case(
    differs=Differs(
        "sk_msg_recvmsg() peeks from the first byte, whatever sk_peek_off says",
        [None, "012", "012", "012", "0123", "456"],
    )
)
def peek_offset(ctx: Context) -> Json:
    """SO_PEEK_OFF moves on with each peek (TCP knows it since 6.9)."""
    client, server = ctx.pair()
    seen = [outcome(server.setsockopt, socket.SOL_SOCKET, SO_PEEK_OFF, 2)]
    client.sendall(b"0123456789")
    until_unread(server, 10)
    seen += [outcome(server.recv, 3, socket.MSG_PEEK | DONTWAIT) for _ in range(3)]
    return [*seen, outcome(server.recv, 4, DONTWAIT), outcome(server.recv, 3, socket.MSG_PEEK | DONTWAIT)]


@case(
    differs=Differs("sk_msg_recvmsg() copies in spite of MSG_TRUNC", ["EFAULT", "discardedkept"]),
)
def trunc_without_a_buffer(ctx: Context) -> Json:
    """recv(fd, NULL, n, MSG_TRUNC): the usual way to throw bytes away."""
    client, server = ctx.pair()
    client.sendall(b"discardedkept")
    until_unread(server, 13)
    return [outcome(recv_nowhere, server, 9, socket.MSG_TRUNC | DONTWAIT), outcome(server.recv, 100, DONTWAIT)]


@case(differs=Differs("tcp_bpf_recvmsg_parser() returns at once for no length", ["", "", "x"]))
def zero_bytes_asked_for(ctx: Context) -> Json:
    """recv() of nothing: at once with bytes queued, EAGAIN with none."""
    client, server = ctx.pair()
    seen = [outcome(recv, server, 0, DONTWAIT)]
    client.sendall(b"x")
    until_unread(server, 1)
    return [*seen, outcome(recv, server, 0, DONTWAIT), outcome(recv, server, 1, DONTWAIT)]


@case(differs=Differs("tcp_bpf_sendmsg() ignores MSG_FASTOPEN", [1, "xy"]))
def fast_open_when_connected(ctx: Context) -> Json:
    """MSG_FASTOPEN on a connected socket."""
    client, server = ctx.pair()
    client.sendall(b"x")
    seen = [outcome(client.sendto, b"y", socket.MSG_FASTOPEN, server.getsockname())]
    client.close()
    return [*seen, show(read_exactly(server, 10))]


@case(differs=Differs("tcp_bpf_sendmsg() does not call sock_cmsg_send()", [1, "xy"]))
def bad_control_message(ctx: Context) -> Json:
    """An unknown control message at SOL_SOCKET is refused, and nothing is sent."""
    client, server = ctx.pair()
    client.sendall(b"x")
    seen = [outcome(client.sendmsg, [b"y"], [(socket.SOL_SOCKET, 999, b"\0\0\0\0")])]
    client.close()
    return [*seen, show(read_exactly(server, 10))]
