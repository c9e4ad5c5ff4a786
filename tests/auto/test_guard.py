"""A class that hops is watched on, and taken back at the first hazard."""

import socket
from collections.abc import Callable

import pytest

from tests.auto.talk import Service, receive, spliced
from tests.auto.watched import stop_watching
from tests.conftest import Scope
from tests.waiting import until


@pytest.fixture(params=["watched", "unwatched"])
def service(make_scope: Callable[..., Scope], request: pytest.FixtureRequest) -> Service:
    """A service whose classes hop, while reads are watched and while they no longer are."""
    scope = make_scope(mode="auto")
    scope.enter()
    service = Service(scope)
    service.learn()
    if request.param == "unwatched":
        stop_watching(scope)
    return service


def test_a_splice_turns_the_class_before_anything_has_hopped(scope: Scope) -> None:
    """It finds nothing, as on TCP, and is kept from nothing once the socket has left the map."""
    service = Service(scope)
    service.learn()
    stop_watching(scope)
    with service.connection() as connection:
        with pytest.raises(BlockingIOError):
            spliced(connection.server, 10)
        assert (service.known("server").state, service.known("server").reasons) == ("stack", ("splice",))
        scope.hops.walk()
        message = connection.send(connection.client, 10)
        assert spliced(connection.server, 10) == message
    assert scope.hops.status().hop.messages == 0


@pytest.mark.parametrize("reason", ["waitall", "oob", "splice"])
def test_the_class_turns_at_once(service: Service, reason: str) -> None:
    hops = service.scope.hops
    with service.connection() as live, service.connection() as guilty:
        live.talk(10)
        guilty.talk(10)
        assert hops.status().hop.messages == 40
        message = guilty.send(guilty.client, 10)
        if reason == "waitall":
            assert guilty.server.recv(10, socket.MSG_WAITALL) == message
        elif reason == "oob":
            # The one call that can still be affected: TCP would have said EINVAL.
            assert guilty.server.recv(1, socket.MSG_OOB | socket.MSG_DONTWAIT) == message[:1]
            message = message[1:]
        else:
            # The one call that can still be affected: it finds nothing, where TCP would have given the bytes.
            with pytest.raises(BlockingIOError):
                spliced(guilty.server, 10)
        assert (service.known("server").state, service.known("server").reasons) == ("stack", (reason,))
        if reason != "waitall":
            assert receive(guilty.server, len(message)) == message
        before = hops.status()
        live.talk(10)
        guilty.talk(10)
        after = hops.status()
        assert after.hop.messages == before.hop.messages
        assert after.stack.reasons["class"] == before.stack.reasons["class"] + 40
        hops.walk()
        assert hops.status().sockets.tracked == 0
        message = guilty.send(guilty.client, 10)
        assert spliced(guilty.server, 10) == message
        live.talk(10)
    with service.connection() as later:
        message = later.send(later.client, 10)
        assert spliced(later.server, 10) == message
        later.talk(10)
    assert hops.status().hop.messages == before.hop.messages


OPTIONS = [
    (socket.SO_RCVLOWAT, 5, "rcvlowat"),
    (socket.SO_OOBINLINE, 1, "oob"),
    (35, 1, "timestamps"),  # SO_TIMESTAMPNS
    (42, 0, "peek_offset"),  # SO_PEEK_OFF
]


@pytest.mark.parametrize(("option", "value", "reason"), OPTIONS, ids=[reason for _, _, reason in OPTIONS])
def test_options_of_a_reader_that_hops(service: Service, option: int, value: int, reason: str) -> None:
    """They are looked at once a tick of the clock."""
    with service.connection() as connection:
        connection.talk(10)
        connection.server.setsockopt(socket.SOL_SOCKET, option, value)

        def is_seen() -> bool:
            connection.talk(1)
            return service.known("server").reasons == (reason,)

        until(is_seen, "the option is seen")
        assert service.known("server").state == "stack"


def test_bytes_that_hopped_before_the_turn_are_not_lost(service: Service) -> None:
    """The socket stays in the map until its reader has them."""
    with service.connection() as connection:
        first = connection.send(connection.client, 100)
        with pytest.raises(BlockingIOError):
            spliced(connection.server, 10)
        service.scope.hops.walk()
        assert service.scope.hops.status().sockets.tracked > 0
        second = connection.send(connection.client, 100)
        assert receive(connection.server, 200) == first + second
        service.scope.hops.walk()
        assert service.scope.hops.status().sockets.tracked == 0
        connection.talk(10)
