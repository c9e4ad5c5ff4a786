"""Reads are watched while something learns, and no longer."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sockhop.control import places
from sockhop.control.watching import LOOKS_TO_STOP
from sockhop.kernel.abi import Action, Rule
from tests.auto.driver import driver
from tests.auto.talk import Service, receive
from tests.auto.watched import is_guarded, is_watched, stop_watching
from tests.conftest import Scope
from tests.waiting import until


def test_nothing_changes_for_what_hops(scope: Scope) -> None:
    """The connection was there before, and another comes afterwards."""
    service = Service(scope)
    service.learn()
    with service.connection() as before:
        before.talk(10)
        stop_watching(scope)
        with service.connection() as after:
            hopped = scope.hops.status().hop.messages
            for connection in (before, after):
                connection.talk(100)
            assert scope.hops.status().hop.messages == hopped + 400
    scope.hops.walk()
    assert not is_watched(scope)


def test_a_new_service_is_learned_and_taken_in(scope: Scope) -> None:
    """Its first connection is not seen to be read until the next walk, and counts from then on."""
    stop_watching(scope)
    service = Service(scope)
    with service.connection() as connection:
        connection.talk(1000)
        assert [service.known(role).reads for role in ("client", "server")] == [0, 0]
        scope.hops.walk()
        assert is_watched(scope)
        connection.talk(100)
        assert [service.known(role).state for role in ("client", "server")] == ["hopping", "hopping"]
        assert scope.hops.walk() == 2
        hopped = scope.hops.status().hop.messages
        connection.talk(100)
        assert scope.hops.status().hop.messages > hopped + 190  # the first of each way are shown to firewalls
    stop_watching(scope)


def test_reads_are_watched_as_long_as_a_class_learns(scope: Scope) -> None:
    service = Service(scope)
    with service.connection() as connection:
        connection.talk(1)
        for _ in range(LOOKS_TO_STOP):
            scope.hops.walk()
        assert is_watched(scope)
    # Closed, and for so few messages not worth it.
    stop_watching(scope)


def check_that_it_goes_in(service: Service) -> None:
    """A new connection is taken in at once."""
    with service.connection() as connection:
        connection.talk(10)
        assert service.scope.hops.status().sockets.tracked == 2


def test_nothing_is_attached_where_nothing_hops(scope: Scope) -> None:
    """As it is where all that came was not worth it; a service that comes later is learned and hops."""
    unworthy = Service(scope)
    with unworthy.connection() as connection:
        connection.talk(1)
    stop_watching(scope)
    assert not is_guarded(scope)
    service = Service(scope)
    with service.connection() as connection:
        scope.hops.walk()
        assert is_watched(scope)
        assert is_guarded(scope)
        connection.talk(100)
        assert scope.hops.walk() == 2
    stop_watching(scope)
    assert is_guarded(scope)
    check_that_it_goes_in(service)


def test_what_may_hop_keeps_the_guard(scope: Scope) -> None:
    """A class that hops, with no connection there; a socket in the map; a rule that makes connections hop."""
    service, instance = Service(scope), scope.hops._up()
    service.learn()
    stop_watching(scope)
    assert is_guarded(scope)
    with service.connection() as connection:
        connection.talk(10)
        unread = connection.send(connection.client, 10)
        instance.forget(scope.hops.classes())
        stop_watching(scope)
        assert scope.hops.status().sockets.tracked == 1
        assert is_guarded(scope)
        assert receive(connection.server, 10) == unread
        stop_watching(scope)
        assert not is_guarded(scope)
    instance.set_rules([Rule(action=Action.ALWAYS, last_port=65535, roles=3)])
    scope.hops.walk()
    assert is_guarded(scope)
    check_that_it_goes_in(service)


def test_nothing_goes_in_that_is_not_guarded(scope: Scope) -> None:
    """A class that hops, and the guard about to go: connections stay on the stack until the next walk."""
    service, instance = Service(scope), scope.hops._up()
    service.learn()
    stop_watching(scope)
    instance.say_unguarded()
    before = scope.hops.status().hop.messages
    with service.connection() as connection:
        connection.talk(10)
        assert instance.walk() == 0
        assert scope.hops.status().sockets.tracked == 0
        scope.hops.walk()
        assert scope.hops.status().sockets.tracked == 2
        assert scope.hops.status().hop.messages == before
        connection.talk(10)
        assert scope.hops.status().hop.messages >= before + 16


@contextmanager
def coming_and_going(scope: Scope) -> Iterator[list[int]]:
    """Watching stops when nothing is observed, and begins anew, over and over; yields how often it had stopped."""
    instance, over, stopped = scope.hops._up(), threading.Event(), [0]

    def toggle() -> None:
        while not over.is_set():
            with places.lock():
                instance.say_unwatched()
                if not instance.gauge().observed:
                    instance.watch_no_more()
                    stopped[0] += 1
                instance.watch()

    thread = threading.Thread(target=toggle)
    thread.start()
    try:
        yield stopped
    finally:
        over.set()
        thread.join()


@pytest.mark.parametrize(
    ("name", "end", "reasons"), [("waitall", "client", {"waitall"}), ("splice", "server", {"splice", "unseen"})]
)
def test_no_connection_is_judged_by_reads_that_were_not_watched(
    hazard: Path, auto: Scope, name: str, end: str, reasons: set[str]
) -> None:
    """Whatever falls between two moments: a class is on the stack for good, or has not learned yet."""
    with driver(auto.popen, hazard, seed=1, deadline=2000) as running, coming_and_going(auto) as stopped:
        for port in range(20_000, 20_040):
            if running.start_afresh(port, port):
                assert running.order(20, 4, name, end).faults == {}
                states = {
                    known.state: set(known.reasons)
                    for known in auto.hops.classes()
                    if (known.port, known.role) == (port, end)
                }
                assert "hopping" not in states
                assert states.get("stack", reasons) & reasons
    print(f"stopped {stopped[0]} times")
    assert stopped[0] > 10
    until(lambda: auto.hops._up().gauge().observed == 0, "nothing is observed")
