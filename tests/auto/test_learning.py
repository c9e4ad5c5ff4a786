"""A class is watched first; then it hops, or not, by what its connections were worth."""

import select
import socket
import struct
import threading
from collections.abc import Callable
from functools import partial

import pytest

from tests.auto.talk import Connection, Service, receive
from tests.conformance.observing import fill
from tests.conformance.waiting import CLOSE, asleep_in, until_state
from tests.conftest import Scope
from tests.waiting import until


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


def hopping_service(make_scope: Callable[..., Scope], recheck_seconds: float) -> Service:
    """Whose classes have learned, and tell at that interval what they see since."""
    scope = make_scope(mode="auto", recheck_seconds=recheck_seconds)
    scope.enter()
    service = Service(scope)
    service.learn()
    return service


def test_small_writes_one_way_are_left_to_nagle(make_scope: Callable[..., Scope]) -> None:
    """Which shows once they hop; the sender tells its class now and then."""
    service = hopping_service(make_scope, recheck_seconds=3600)
    with service.connection() as connection:
        connection.client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 0)

        def is_known() -> bool:
            for _ in range(1_000):
                connection.send(connection.client, 100)
            receive(connection.server, 100_000)
            return service.known("client").reasons == ("small_writes",)

        until(is_known, "the bursts are known")
        assert service.scope.hops.status().stack.reasons["nagle_burst"] > 500
        assert service.known("client").writes < 8_000, "each of them may have been large"
    assert service.known("server").state == "hopping"
    with service.connection() as connection:
        connection.talk(1)
        assert service.scope.hops.status().sockets.tracked == 0


@pytest.mark.parametrize(("size", "is_burst"), [(1000, True), (2000, False)])
def test_what_fills_a_segment_is_not_left_to_nagle(
    make_scope: Callable[..., Scope], size: int, is_burst: bool
) -> None:
    """TCP does not join it."""
    service = hopping_service(make_scope, recheck_seconds=3600)
    service.listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1460)
    with service.connection() as connection:
        connection.client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 0)
        for _ in range(20):
            for _ in range(10):
                connection.send(connection.client, size)
            receive(connection.server, 10 * size)
        status = service.scope.hops.status()
    assert (status.stack.reasons["nagle_burst"] > 120) == is_burst
    assert is_burst or status.hop.messages >= 200


@pytest.mark.parametrize(("nodelay", "size"), [(1, 1024), (0, 2048)])
def test_small_writes_that_fill_the_queue_are_left_to_the_stack(
    make_scope: Callable[..., Scope], nodelay: int, size: int
) -> None:
    """Whose send buffer makes large segments of them, once their reader has fallen behind; with Nagle's algorithm
    too, where they fill segments."""
    service = hopping_service(make_scope, recheck_seconds=3600)
    service.listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1460)
    with service.connection() as connection:
        client, server = connection.client, connection.server
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, nodelay)

        def is_known() -> bool:
            receive(server, fill(client, size))
            return service.known("client").reasons == ("small_writes",)

        until(is_known, "the stream is known")
        assert service.scope.hops.status().stack.reasons["full"] > 0


def test_small_writes_that_pile_up_are_left_to_the_stack(make_scope: Callable[..., Scope]) -> None:
    """Also where each of them hops, before a reader that comes rarely: TCP joins them in its queue."""
    service = hopping_service(make_scope, recheck_seconds=3600)
    with service.connection() as connection:

        def is_known() -> bool:
            for _ in range(400):
                connection.send(connection.client, 10)
            receive(connection.server, 4_000)
            return service.known("client").reasons == ("small_writes",)

        until(is_known, "the stream is known")
        reasons = service.scope.hops.status().stack.reasons
        assert sum(reasons.values()) == reasons["class"]  # all had hopped
    assert service.known("server").state == "hopping"


def test_many_small_answers_are_no_pile(make_scope: Callable[..., Scope]) -> None:
    """Of which each is read, or as many as a reader takes at once."""
    service = hopping_service(make_scope, recheck_seconds=3600)
    with service.connection() as connection:
        for _ in range(1_000):
            for _ in range(100):
                connection.send(connection.client, 10)
            receive(connection.server, 1_000)
        assert service.known("client").writes > 16384, "not enough to be judged by"
    assert service.known("client").state == "hopping"


@pytest.mark.parametrize("size", [10, 1000])
def test_a_corked_burst_of_small_writes_is_left_to_tcp(make_scope: Callable[..., Scope], size: int) -> None:
    """Which joins them, as Nagle's algorithm does, with TCP_NODELAY or without."""
    service = hopping_service(make_scope, recheck_seconds=3600)
    with service.connection() as connection:
        connection.client.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
        for _ in range(200):
            connection.send(connection.client, size)
        connection.client.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 0)
        receive(connection.server, 200 * size)
        assert service.scope.hops.status().stack.reasons["nagle_burst"] > 120


def test_a_busy_connection_counts_beside_short_ones(make_scope: Callable[..., Scope]) -> None:
    """However long it stays open: its class hears of its messages while others close."""
    service = hopping_service(make_scope, recheck_seconds=3600)
    with service.connection() as busy:
        for _ in range(100):
            busy.talk(100)
            with service.connection() as short:
                short.talk(1)
        assert service.scope.hops.status().hop.messages > 19_000
    assert service.known("server").state == "hopping"


def test_corked_streams_that_fill_the_queue_are_left_to_the_stack(make_scope: Callable[..., Scope]) -> None:
    """The rest of a segment stays behind, so the stack carries all that follows; the class hears of it soon."""
    service = hopping_service(make_scope, recheck_seconds=3600)
    with service.connection() as connection:
        client, server = connection.client, connection.server

        def is_known() -> bool:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
            unread = fill(client, 1 << 16)
            for _ in range(4):
                receive(server, unread // 2)
                unread -= unread // 2
                unread += fill(client, 1 << 16)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 0)
            receive(server, unread)
            return service.known("client").reasons == ("corked",)

        until(is_known, "the stream is known")
    assert service.known("server").state == "hopping"


def test_writes_that_fit_no_receive_buffer_are_left_to_the_stack(make_scope: Callable[..., Scope]) -> None:
    """However slowly the reader reads, none of them hops; what fits does."""
    service = hopping_service(make_scope, recheck_seconds=3600)
    service.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 100 << 10)
    with service.connection() as connection:
        connection.talk(10, size=1000)
        assert service.scope.hops.status().hop.messages == 20

        def is_known() -> bool:
            receive(connection.server, fill(connection.client, 1 << 20))
            return service.known("client").reasons == ("corked",)

        until(is_known, "the stream is known")
    assert service.known("server").state == "hopping"


def test_requests_and_answers_with_nagle_hop_on(make_scope: Callable[..., Scope]) -> None:
    service = hopping_service(make_scope, recheck_seconds=0.001)
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


def test_an_observed_socket_keeps_its_options(scope: Scope) -> None:
    """Also when it shuts down with bytes unread, which in the map takes a cure."""
    service = Service(scope)
    with service.connection() as connection:
        connection.talk(5)
        connection.send(connection.client, 1000)
        select.select([connection.server], [], [])
        before = connection.server.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
        connection.server.shutdown(socket.SHUT_RDWR)
        assert connection.server.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) == before


def half_closed(connection: Connection, messages: int, answers: int) -> None:
    """The client sends its messages and its end; TCP is done with it when the answer and the server's end come."""
    client, server = connection.client, connection.server
    for _ in range(messages):
        connection.send(client, 10)
    receive(server, 10 * messages)
    client.shutdown(socket.SHUT_WR)
    for _ in range(answers):
        connection.send(server, 1)
    server.close()
    until_state(client, CLOSE)  # TIME_WAIT has a socket of its own


def test_reads_after_the_close_are_no_evidence(scope: Scope) -> None:
    """TCP may be done with a connection before its last bytes are read, and nobody sees how they are."""
    service = Service(scope)
    for _ in range(5):
        with service.connection() as connection:
            half_closed(connection, messages=10, answers=20)
            assert len(connection.client.recv(100)) == 20
    assert (service.known("client").state, service.known("client").connections) == ("learning", 0)
    assert service.known("server").connections > 0


def test_nor_is_a_reader_who_sleeps_until_the_end(scope: Scope) -> None:
    service = Service(scope)
    for _ in range(5):
        with service.connection() as connection:
            connection.client.setblocking(True)
            reader = threading.Thread(target=connection.client.recv, args=(1,))
            reader.start()
            assert reader.native_id
            until(partial(asleep_in, "recvfrom", reader.native_id), "the reader sleeps")
            half_closed(connection, messages=10, answers=0)
            reader.join()
    assert (service.known("client").state, service.known("client").connections) == ("learning", 0)


def test_what_is_no_evidence_of_reads_still_is_of_short_lives(scope: Scope) -> None:
    """Or such a class would be watched for ever."""
    service = Service(scope)
    for _ in range(64):
        with service.connection() as connection:
            half_closed(connection, messages=1, answers=10)
    assert (service.known("client").state, service.known("client").reasons) == ("stack", ("short_lived",))
