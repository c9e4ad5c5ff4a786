"""A class is watched first; then it hops, or not, by what its connections were worth."""

import functools
import socket
import struct
from collections.abc import Callable

import pytest

from tests.auto.talk import Service, receive
from tests.conformance.observing import fill
from tests.conftest import Scope
from tests.waiting import until

TCP_CLOSE = 7


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_nothing_is_touched_while_a_class_learns(scope: Scope, host: str) -> None:
    service = Service(scope, host)
    with service.connection() as connection:
        connection.talk(20)
        status = scope.hops.status()
        assert (status.sockets.tracked, status.hop.messages, status.stack.messages) == (0, 0, 0)
    for role in ("client", "server"):
        known = service.known(role)
        assert (known.state, known.reasons, known.connections) == ("learning", (), 1)
        assert (known.reads, known.read_bytes, known.writes, known.written_bytes) == (20, 200, 20, 200)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_connections_after_it_hop(scope: Scope, host: str) -> None:
    service = Service(scope, host)
    service.learn()
    with service.connection() as connection:
        connection.talk(50)
        assert scope.hops.status().hop.messages == 100


def test_three_connections_are_enough(scope: Scope) -> None:
    service = Service(scope)
    for _ in range(3):
        assert all(known.state == "learning" for known in scope.hops.classes())
        with service.connection() as connection:
            connection.talk(5)
    assert {known.state for known in scope.hops.classes()} == {"hopping"}


def test_connections_of_one_request_are_not_worth_it(scope: Scope) -> None:
    service = Service(scope)
    for _ in range(5):
        with service.connection() as connection:
            connection.talk(1)
    for role in ("client", "server"):
        assert (service.known(role).state, service.known(role).reasons) == ("stack", ("short_lived",))
    with service.connection() as connection:
        connection.talk(10)
    assert scope.hops.status().hop.messages == 0


def test_such_a_class_is_looked_at_again(make_scope: Callable[..., Scope]) -> None:
    scope = make_scope(mode="auto", review_seconds=0.001)
    scope.enter()
    service = Service(scope)
    for _ in range(3):
        with service.connection() as connection:
            connection.talk(1)
    assert service.known("server").reasons == ("short_lived",)

    def hops_after_all() -> bool:
        with service.connection() as connection:
            connection.talk(100)
        return service.known("client").state == service.known("server").state == "hopping"

    until(hops_after_all, "both classes hop")


def test_small_writes_one_way_are_left_to_nagle(make_scope: Callable[..., Scope]) -> None:
    """Which shows once they hop; the sender tells its class with each message that firewalls see."""
    scope = make_scope(mode="auto", recheck_seconds=0.001)
    scope.enter()
    service = Service(scope)
    service.learn()
    with service.connection() as connection:
        connection.client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 0)

        def is_known() -> bool:
            for _ in range(10):
                connection.send(connection.client, 100)
            receive(connection.server, 1_000)
            return service.known("client").reasons == ("small_writes",)

        until(is_known, "the bursts are known")
        assert scope.hops.status().stack.reasons["nagle_burst"] > 500
    assert service.known("server").state == "hopping"
    with service.connection() as connection:
        connection.talk(1)
        assert scope.hops.status().sockets.tracked == 0


def test_small_writes_that_fill_the_queue_are_left_to_the_stack(make_scope: Callable[..., Scope]) -> None:
    """Whose send buffer makes large segments of them, once their reader has fallen behind."""
    scope = make_scope(mode="auto", recheck_seconds=0.01)
    scope.enter()
    service = Service(scope)
    service.learn()
    with service.connection() as connection:
        client, server = connection.client, connection.server

        def is_known() -> bool:
            receive(server, fill(client, 1024))
            return service.known("client").reasons == ("small_writes",)

        until(is_known, "the stream is known")
        assert scope.hops.status().stack.reasons["full"] > 0


def test_requests_and_answers_with_nagle_hop_on(make_scope: Callable[..., Scope]) -> None:
    scope = make_scope(mode="auto", recheck_seconds=0.001)
    scope.enter()
    service = Service(scope)
    service.learn()
    with service.connection() as connection:
        for end in (connection.client, connection.server):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 0)
        connection.talk(10_000)  # enough to be judged by
    for role in ("client", "server"):
        known = service.known(role)
        assert (known.state, known.reasons) == ("hopping", ())
        assert known.writes > 3000
        assert known.reads > 3000


def test_linger_reset_of_an_observed_connection(scope: Scope) -> None:
    """A connection that is reset is over as any other: it counts, and nothing is left of it."""
    service = Service(scope)
    for _ in range(3):
        with service.connection() as connection:
            connection.talk(5)
            connection.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert service.known("server").connections == 3


def test_reads_after_the_close_are_no_evidence(scope: Scope) -> None:
    """TCP may be done with a connection before its last bytes are read, and nobody sees how they are."""
    service = Service(scope)

    def is_closed(end: socket.socket) -> bool:
        return end.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1) == bytes([TCP_CLOSE])

    for _ in range(5):
        with service.connection() as connection:
            for _ in range(10):
                connection.send(connection.client, 10)
            receive(connection.server, 100)
            connection.client.shutdown(socket.SHUT_WR)
            message = connection.send(connection.server, 20)
            connection.server.close()
            until(functools.partial(is_closed, connection.client), "TIME_WAIT, which has a socket of its own")
            assert connection.client.recv(20) == message
    assert (service.known("client").state, service.known("client").connections) == ("learning", 0)
    assert service.known("server").connections > 0
