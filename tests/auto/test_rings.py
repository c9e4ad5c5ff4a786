"""Readers by io_uring: what they ask for shows only while reads are watched."""

import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import sockhop
from tests.auto.driver import class_of
from tests.auto.watched import is_watched, stop_watching
from tests.conformance.observing import read_exactly
from tests.conftest import Scope, missing

PLAIN, BY_RING, WAITALL = b"-", b"r", b"w"
SIZE = 10


class Rings:
    """A running rings.c, and messages of SIZE bytes that it echoes."""

    def __init__(self, scope: Scope, port: int) -> None:
        self.scope = scope
        self.port = port

    def connect(self) -> socket.socket:
        """A client that does not block."""
        client = socket.create_connection(("127.0.0.1", self.port))
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.settimeout(5)
        return client

    def learn(self, how: bytes) -> None:
        """Read in this way until both classes hop."""
        for _ in range(3):
            with self.connect() as client:
                talk(client, how, 40)
        assert [self.known(role).state for role in ("client", "server")] == ["hopping", "hopping"]

    def known(self, role: str = "server") -> sockhop.Class:
        """What is known of the class in this role."""
        known: sockhop.Class = class_of(self.scope, self.port, role)
        return known


def talk(client: socket.socket, how: bytes, rounds: int = 1) -> None:
    """Have messages echoed; the server reads the later ones in this way."""
    for number in range(rounds):
        message = how + bytes([number % 256]) * (SIZE - 1)
        client.sendall(message)
        assert read_exactly(client, SIZE) == message


@contextmanager
def serving(scope: Scope, *argv: object) -> Iterator[Rings]:
    """A running rings.c."""
    with scope.popen([*argv], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        assert server.stdout
        try:
            port = server.stdout.readline()
            if not port:
                missing("no io_uring: see kernel.io_uring_disabled")
            yield Rings(scope, int(port))
        finally:
            server.kill()


@pytest.fixture
def rings(scope: Scope, c_tool: Callable[[str], Path]) -> Iterator[Rings]:
    with serving(scope, c_tool("tests/auto/rings.c")) as rings:
        yield rings


def test_hop_and_are_watched_on(rings: Rings) -> None:
    """Nothing learns any more, and yet the tracepoint stays."""
    rings.learn(BY_RING)
    assert rings.known().watched
    with pytest.raises(AssertionError):
        stop_watching(rings.scope)
    with rings.connect() as client:
        hopped = rings.scope.hops.status().hop.messages
        talk(client, BY_RING, 50)
        assert rings.scope.hops.status().hop.messages == hopped + 100
    assert (rings.known().state, rings.known().reasons) == ("hopping", ())


def test_what_they_ask_for_is_seen(rings: Rings) -> None:
    rings.learn(BY_RING)
    with rings.connect() as client:
        talk(client, BY_RING, 50)
        talk(client, WAITALL)
        talk(client, BY_RING, 50)
        assert (rings.known().state, rings.known().reasons) == ("stack", ("waitall",))
        hopped = rings.scope.hops.status().hop.messages
        talk(client, BY_RING, 50)
        assert rings.scope.hops.status().hop.messages == hopped


def test_begun_while_reads_are_not_watched(rings: Rings) -> None:
    """The next look has them watched again, with the class as it is."""
    rings.learn(PLAIN)
    assert not rings.known().watched
    stop_watching(rings.scope)
    with rings.connect() as client:
        hopped = rings.scope.hops.status().hop.messages
        talk(client, BY_RING, 50)
        assert rings.scope.hops.status().hop.messages == hopped + 100
        assert rings.known().watched
        rings.scope.hops.walk()
        assert is_watched(rings.scope)
        talk(client, WAITALL)
        talk(client, BY_RING, 2)
        assert (rings.known().state, rings.known().reasons) == ("stack", ("waitall",))


def test_workers_stay_on_the_stack(scope: Scope, c_tool: Callable[[str], Path]) -> None:
    """A worker's read looks as a splice by a worker does.

    From the first read on: one by recv() would be of a program with threads.
    """
    with serving(scope, c_tool("tests/auto/rings.c"), "a") as rings:
        for _ in range(10):
            with rings.connect() as client:
                talk(client, PLAIN, 40)
        assert (rings.known().state, rings.known().reasons) == ("stack", ("unseen",))
        assert scope.hops.status().hop.messages == 0
