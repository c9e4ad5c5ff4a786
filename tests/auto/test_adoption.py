"""Connections that exist already start to hop, without a reconnect and without a lost byte."""

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

import sockhop
from tests.auto.talk import Connection, Service, receive
from tests.conftest import Scope, fresh_cgroup

HOSTS = ["127.0.0.1", "::1"]


@pytest.fixture
def plain() -> Iterator[Scope]:
    """A cgroup with this process inside, over which nothing is up yet."""
    with fresh_cgroup() as cgroup:
        scope = Scope(cgroup, sockhop.Accelerator(cgroup))
        scope.enter()
        yield scope


@pytest.mark.parametrize("host", HOSTS)
def test_born_while_the_class_learned(make_scope: Callable[..., Scope], host: str) -> None:
    scope = make_scope(mode="auto")
    scope.enter()
    service = Service(scope, host)
    with service.connection() as connection:
        connection.talk(100)
        assert scope.hops.status().hop.messages == 0
        assert scope.hops.walk() == 2
        connection.talk(100)
        status = scope.hops.status()
        # Each direction has to earn it: a message shows itself to firewalls first.
        assert status.hop.messages + status.stack.reasons["recheck"] == 200
        assert status.hop.messages > 150


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("mode", ["eager", "auto"])
def test_made_before_anything_was_up(plain: Scope, mode: str, host: str) -> None:
    """Half of a message is read before, and half after."""
    service = Service(plain, host)
    with ExitStack() as stack:
        connections = [stack.enter_context(service.connection()) for _ in range(20)]
        messages = [connection.send(connection.client, 1000) for connection in connections]
        for connection, message in zip(connections, messages, strict=True):
            assert receive(connection.server, 300) == message[:300]
        with sockhop.Accelerator(plain.cgroup, mode=mode) as hops:
            adopted = hops.walk()
            if mode == "auto":
                assert adopted == 0
                for connection, message in zip(connections, messages, strict=True):
                    assert receive(connection.server, 200) == message[300:500]
                    connection_talks(connection, message[500:])
                adopted = hops.walk()
            assert adopted == 40
            if mode == "eager":
                for connection, message in zip(connections, messages, strict=True):
                    connection_talks(connection, message[300:])
            for connection in connections:
                connection.talk(50, size=2000)
            assert hops.status().hop.messages > 1500
            assert hops.status().sockets.tracked == 40
        for connection in connections:
            connection.talk(5)


def connection_talks(connection: Connection, unread: bytes) -> None:
    """Read what is left, and go on."""
    assert receive(connection.server, len(unread)) == unread
    connection.talk(20)


def test_a_reader_that_blocks_is_left_alone(plain: Scope) -> None:
    service = Service(plain)
    with service.connection() as connection:
        connection.server.setblocking(True)
        with sockhop.Accelerator(plain.cgroup, mode="eager") as hops:
            assert hops.walk() == 0
            connection.server.setblocking(False)
            assert hops.walk() == 2


def test_out_of_scope_is_left_alone(plain: Scope) -> None:
    service = Service(plain)
    with service.connection() as connection, fresh_cgroup() as other:
        with sockhop.Accelerator(other, mode="eager") as hops:
            assert hops.walk() == 0
        connection.talk(1)


def test_over_and_over_in_mid_stream(plain: Scope) -> None:
    """In and out of the map many times, with bytes under way each time."""
    service = Service(plain)
    with service.connection() as connection:
        for _ in range(30):
            with sockhop.Accelerator(plain.cgroup, mode="eager") as hops:
                assert hops.walk() == 2
                message = connection.send(connection.client, 5000)
                assert receive(connection.server, 2500) == message[:2500]
                assert receive(connection.server, 2500) == message[2500:]
                connection.talk(5)


def test_an_applications_window_clamp_stays(plain: Scope) -> None:
    """In the map and after it. TCP's own, which its small buffer gives it, is opened."""
    service = Service(plain)
    with service.connection() as connection:
        connection.talk(1)
        client, server = connection.client, connection.server
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_WINDOW_CLAMP, 20_000)
        before = clamp(server)
        with sockhop.Accelerator(plain.cgroup, mode="eager") as hops:
            assert hops.walk() == 2
            connection.talk(10)
            assert hops.status().hop.messages > 10
            assert clamp(client) == 20_000
            assert clamp(server) > before
        assert clamp(client) == 20_000
        assert clamp(server) > before


def clamp(end: socket.socket) -> int:
    return end.getsockopt(socket.IPPROTO_TCP, socket.TCP_WINDOW_CLAMP)
