"""Which sockets leave the map at once, and which only when they are quiet."""

import socket
import struct
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from sockhop.control import walking
from sockhop.control.instance import Instance
from tests.conformance.observing import fill, read_exactly, read_on
from tests.conftest import NEVER, Scope
from tests.waiting import until

pytestmark = pytest.mark.bpf

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def instance(scope: Scope) -> Instance:
    """A data plane with this process in its scope."""
    scope.enter()
    return scope.hops._up()


@pytest.fixture
def pair(instance: Instance) -> Iterator[Pair]:
    """A client and its server, which block."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        client = stack.enter_context(socket.create_connection(listener.getsockname()))
        server = stack.enter_context(listener.accept()[0])
        for end in (client, server):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield client, server


def pass_on(sender: socket.socket, receiver: socket.socket) -> None:
    sender.sendall(b"message")
    assert read_exactly(receiver, 7) == b"message"


def hop(scope: Scope, sender: socket.socket, receiver: socket.socket) -> None:
    before = scope.hops.status().hop.messages
    pass_on(sender, receiver)
    assert scope.hops.status().hop.messages == before + 1


def left_after_a_walk(instance: Instance) -> int:
    """How many of two sockets are still in the map, when all that may leave as for `down` has left."""
    instance.configure(lambda config: setattr(config, "closed", 1))
    walking.everywhere(instance, "drain")
    instance.configure(lambda config: setattr(config, "closed", 0))
    return instance.left()


def since_a_segment(sock: socket.socket) -> int:
    """For how many milliseconds TCP has sent and received nothing (tcpi_last_data_sent and the three after it)."""
    info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 60)
    sent, _, received, acknowledged = struct.unpack_from("4I", info, 44)
    return int(min(sent, received, acknowledged))


def until_all_have_left(instance: Instance) -> None:
    until(lambda: left_after_a_walk(instance) == 0, "both are out")


def test_at_once_where_nobody_blocks(scope: Scope, instance: Instance, pair: Pair) -> None:
    for end in pair:
        end.settimeout(5)  # and so O_NONBLOCK
    hop(scope, *pair)
    assert left_after_a_walk(instance) == 0
    pass_on(*pair)


def test_blocking_ends_when_they_are_quiet(scope: Scope, instance: Instance, pair: Pair) -> None:
    """Who reads again and again could take its reference at the moment at which its socket is taken out.

    A hop is not seen by TCP, for which both have been quiet for long.
    """
    client, server = pair
    until(lambda: min(map(since_a_segment, pair)) > 1000, "a quiet second")
    hop(scope, server, client)
    assert left_after_a_walk(instance) == 2
    for _ in range(10):
        hop(scope, client, server)
        hop(scope, server, client)
        assert left_after_a_walk(instance) == 2
    until_all_have_left(instance)
    pass_on(client, server)


def test_blocking_ends_at_once_by_a_rule(scope: Scope, instance: Instance, pair: Pair) -> None:
    """As where a class has shown a hazard, which would go on in the map."""
    hop(scope, *pair)
    instance.set_rules([NEVER])
    walking.everywhere(instance, "drain")
    assert instance.left() == 0
    pass_on(*pair)


def test_after_a_fin_when_they_are_quiet(scope: Scope, instance: Instance, pair: Pair) -> None:
    """It stays in the queue of who has received it, and that is freed without the socket's lock.

    A hop is not seen by TCP, for which the socket has been quiet for long.
    """
    client, server = pair
    for end in pair:
        end.settimeout(5)  # and so O_NONBLOCK
    client.shutdown(socket.SHUT_WR)
    assert server.recv(100) == b""
    until(lambda: since_a_segment(server) > 1000, "a quiet second")
    hop(scope, server, client)
    for _ in range(10):
        assert left_after_a_walk(instance) == 1
        pass_on(server, client)
    until_all_have_left(instance)
    pass_on(server, client)


def test_after_both_fins(instance: Instance, pair: Pair) -> None:
    """The application has ended its stream too, and its last bytes are still being sent (LAST_ACK)."""
    client, server = pair
    for end in pair:
        end.settimeout(5)  # and so O_NONBLOCK
    client.shutdown(socket.SHUT_WR)
    assert server.recv(100) == b""
    server.setblocking(False)
    sent = fill(server, 4096)
    server.shutdown(socket.SHUT_WR)
    assert left_after_a_walk(instance) == 2
    assert read_on(client) == (bytes(sent), "EOF")
    client.close()
    server.close()
    until_all_have_left(instance)
