"""Urgent data (MSG_OOB)."""

from __future__ import annotations

import array
import fcntl
import select
import socket

from tests.conformance.context import Context
from tests.conformance.observing import outcome, poll_now
from tests.conformance.raw import SIOCATMARK
from tests.conformance.registry import Differs, Json, case
from tests.conformance.waiting import until_acknowledged, until_unread

UNMARKED = "tcp_bpf_sendmsg() ignores MSG_OOB: tcp_mark_urg() never runs"
UNASKED = "tcp_bpf_recvmsg_parser() ignores MSG_OOB: tcp_recv_urg() never runs"


def _at_mark(sock: socket.socket) -> int:
    value = array.array("i", [0])
    fcntl.ioctl(sock, SIOCATMARK, value)
    return value[0]


@case(differs=Differs(UNMARKED, [["IN", "OUT"], "abc!def", "EAGAIN", 0, "EAGAIN"]))
def urgent_byte(ctx: Context) -> Json:
    """The urgent byte comes apart from the others, and can be asked for."""
    client, server = ctx.pair()
    client.sendall(b"abc")
    client.send(b"!", socket.MSG_OOB)
    client.sendall(b"def")
    until_acknowledged(client)
    seen = [poll_now(server), outcome(server.recv, 10, socket.MSG_OOB | socket.MSG_DONTWAIT)]
    seen += [outcome(server.recv, 100, socket.MSG_DONTWAIT), _at_mark(server)]
    return [*seen, outcome(server.recv, 100, socket.MSG_DONTWAIT)]


@case(differs=Differs(UNMARKED, ["abc!def", 0, "EAGAIN"]))
def urgent_byte_in_line(ctx: Context) -> Json:
    """SO_OOBINLINE: a read stops at the mark."""
    client, server = ctx.pair()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
    client.sendall(b"abc")
    client.send(b"!", socket.MSG_OOB)
    client.sendall(b"def")
    until_acknowledged(client)
    seen = [outcome(server.recv, 100, socket.MSG_DONTWAIT), _at_mark(server)]
    return [*seen, outcome(server.recv, 100, socket.MSG_DONTWAIT)]


@case(differs=Differs(UNASKED, [0, "abc", "EAGAIN"]))
def no_urgent_byte(ctx: Context) -> Json:
    """recv(MSG_OOB) with none sent: EINVAL, and poll does not say PRI."""
    client, server = ctx.pair()
    client.sendall(b"abc")
    until_unread(server, 3)
    poller = select.poll()
    poller.register(server, select.POLLPRI)
    seen = [len(poller.poll(0)), outcome(server.recv, 10, socket.MSG_OOB | socket.MSG_DONTWAIT)]
    return [*seen, outcome(server.recv, 10, socket.MSG_DONTWAIT)]
