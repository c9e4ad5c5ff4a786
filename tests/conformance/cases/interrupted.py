"""A blocking recv() that is woken by something else than bytes."""

from __future__ import annotations

import signal
import socket

from tests.conformance.cases.closing import RESET_ON_CLOSE
from tests.conformance.context import Context
from tests.conformance.namespaces import new_namespace, nft
from tests.conformance.observing import STUCK, Worker, outcome, read_exactly
from tests.conformance.raw import recv
from tests.conformance.registry import Differs, Json, case
from tests.conformance.waiting import FIN_WAIT2, until, until_state

# Nothing loops around tcp_msg_wait_data(): sleeping on does.
WOKEN = "tcp_bpf_recvmsg_parser() says EAGAIN when tcp_msg_wait_data() was woken and there are no bytes"


def _first_a_hop(ctx: Context) -> tuple[socket.socket, socket.socket]:
    client, server = ctx.pair()
    client.sendall(b"x")
    server.recv(1)
    return client, server


@case(differs=Differs(WOKEN, "EAGAIN"))
def by_a_signal_that_restarts(ctx: Context) -> Json:
    """SA_RESTART: the call goes on, and the bytes come."""
    client, server = _first_a_hop(ctx)
    handled: list[int] = []
    signal.signal(signal.SIGUSR1, lambda number, _: handled.append(number))
    signal.siginterrupt(signal.SIGUSR1, False)
    reader = Worker(recv, server, 10).until_asleep_in("recvfrom")
    signal.pthread_kill(reader.ident, signal.SIGUSR1)
    until(lambda: handled, "the handler")
    client.sendall(b"bytes")
    return reader.outcome()


@case(differs=Differs(WOKEN, "EAGAIN"))
def by_a_signal_that_does_not(ctx: Context) -> Json:
    _client, server = _first_a_hop(ctx)
    signal.signal(signal.SIGUSR1, lambda *_: None)
    reader = Worker(recv, server, 10).until_asleep_in("recvfrom")
    signal.pthread_kill(reader.ident, signal.SIGUSR1)
    return reader.outcome()


@case(differs=Differs(WOKEN, "EAGAIN"))
def by_another_threads_shutdown(ctx: Context) -> Json:
    _client, server = _first_a_hop(ctx)
    reader = Worker(recv, server, 10).until_asleep_in("recvfrom")
    server.shutdown(socket.SHUT_RD)
    return reader.outcome()


@case(differs=Differs(WOKEN, "EAGAIN"))
def by_another_threads_full_shutdown(ctx: Context) -> Json:
    _client, server = _first_a_hop(ctx)
    reader = Worker(recv, server, 10).until_asleep_in("recvfrom")
    server.shutdown(socket.SHUT_RDWR)
    return reader.outcome()


@case(differs=Differs(WOKEN, ["EAGAIN", "ECONNRESET"]))
def by_a_reset(ctx: Context) -> Json:
    client, server = _first_a_hop(ctx)
    reader = Worker(recv, server, 10).until_asleep_in("recvfrom")
    client.setsockopt(*RESET_ON_CLOSE)
    client.close()
    return [reader.outcome(), outcome(recv, server, 10)]


@case(hops=2, differs=Differs(WOKEN, ["EAGAIN", "one"]))
def by_a_second_reader(ctx: Context) -> Json:
    """Two threads read: a message is for one of them, and the other goes on sleeping."""
    client, server = _first_a_hop(ctx)
    readers = [Worker(recv, server, 10).until_asleep_in("recvfrom") for _ in range(2)]
    client.sendall(b"one")
    until(lambda: any(reader.outcome(0) != STUCK for reader in readers), "one message read")
    for reader in readers:
        reader.until_settled_in("recvfrom")
    client.sendall(b"two")
    return sorted(str(reader.outcome()) for reader in readers)


@case()
def a_sender_by_a_signal(ctx: Context) -> Json:
    """A blocked send() returns what it has sent, and everything arrives."""
    client, server = ctx.pair()
    signal.signal(signal.SIGUSR1, lambda *_: None)
    client.sendall(b"x")
    server.recv(1)
    sender = Worker(client.send, bytes(64 << 20)).until_asleep_in("sendto")
    signal.pthread_kill(sender.ident, signal.SIGUSR1)
    sent = sender.outcome()
    assert isinstance(sent, int)
    left = sent
    while left:
        left -= len(server.recv(left))
    return [0 < sent < 64 << 20, outcome(server.recv, 1, socket.MSG_DONTWAIT)]


@case()
def by_the_acknowledgment_of_its_end(ctx: Context) -> Json:
    """send, shutdown(SHUT_WR), recv: the FIN is acknowledged while the reader sleeps (FIN_WAIT2).

    That would be EAGAIN (WOKEN), so a socket that only one thread can reach leaves the map with its FIN.
    """
    new_namespace()
    client, server = _first_a_hop(ctx)
    port = server.getsockname()[1]
    nft(f"table inet held {{ chain incoming {{ type filter hook input priority 0; tcp sport {port} drop; }}\n}}")
    client.shutdown(socket.SHUT_WR)
    reader = Worker(recv, client, 10).until_asleep_in("recvfrom")
    nft("delete table inet held")
    until_state(client, FIN_WAIT2)
    reader.until_settled_in("recvfrom")
    server.sendall(b"answer")
    return reader.outcome()


@case(differs=Differs(WOKEN, [None, "EAGAIN"]))
def by_room_to_send(ctx: Context) -> Json:
    """One thread receives while another sends more than fits: room for it wakes both."""
    client, server = _first_a_hop(ctx)
    reader = Worker(recv, server, 10).until_asleep_in("recvfrom")
    sender = Worker(server.sendall, bytes(16 << 20)).until_asleep_in("sendto")
    read_exactly(client, 16 << 20)
    seen = [sender.outcome()]
    reader.until_settled_in("recvfrom")
    client.sendall(b"at last")
    return [*seen, reader.outcome()]
