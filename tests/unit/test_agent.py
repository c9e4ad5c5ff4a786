"""The agent's loop, with a service that is not there and a watcher that watches nothing."""

import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from sockhop.control import agent
from sockhop.control.classes import Class
from sockhop.errors import Locked, NotOurs, NotUp, SockhopError
from sockhop.kernel import cgroups, systemd
from sockhop.kernel.abi import Gauge, Rule
from sockhop.kernel.firewall import Change
from sockhop.kernel.namespaces import OWN
from tests.waiting import until

BLUE = Path("/run/netns/blue")


def known(cgroup: int, port: int = 80, role: str = "server") -> Class:
    """A class of which nothing is known but its name."""
    return Class(cgroup, port, role, "learning", (), 0, 0, 0, 0, 0)


@dataclass
class Fake:
    """A service and its instance."""

    number: int | None = 1
    rechecks: int = 0
    walks: int = 0
    found: int = 0
    known: list[Class] = field(default_factory=list)
    fails: SockhopError | OSError | None = None

    def identity(self) -> int | None:
        if isinstance(self.fails, NotOurs):
            raise self.fails
        return self.number

    def change(self, action: Callable[[agent.Hops], object], seconds: float = 10.0) -> None:
        if self.fails:
            raise self.fails
        if self.number is None:
            raise NotUp
        action(self)

    def can_watch(self) -> bool:
        return False  # see tests/auto/test_watching.py

    is_watching = is_guarding = can_watch

    def gauge(self) -> Gauge:
        return Gauge()

    def rules(self) -> list[Rule]:
        return []

    watch = say_unwatched = watch_no_more = lambda self: None
    guard = say_unguarded = guard_no_more = watch

    def recheck(self) -> None:
        self.rechecks += 1

    def walk(self) -> int:
        self.walks += 1
        return self.found

    def classes(self) -> list[Class]:
        return self.known

    def forget(self, known: list[Class]) -> None:
        self.known = [each for each in self.known if each not in known]


class NoWatcher:
    """Reports what the test lets it."""

    made: list["NoWatcher"]

    def __init__(self, wake: int, skipped: object) -> None:
        self.made.append(self)
        self.closed = False
        self.news: set[Change] = set()
        self.come = {Change("namespace", OWN)}

    def follow(self) -> set[Change]:
        come, self.come = self.come, set()
        return come

    def wait(self, seconds: float) -> set[Change]:
        threading.Event().wait(min(seconds, 0.001))
        news, self.news = self.news, set()
        return news

    def count(self) -> int:
        return 1

    def close(self) -> None:
        self.closed = True


@dataclass
class Running:
    """An agent in a thread, what it logs and what it tells systemd."""

    service: Fake
    watchers: list[NoWatcher]
    events: list[tuple[str, dict[str, object]]]
    told: list[tuple[str, ...]]
    stop: Callable[[], None] = lambda: None

    def named(self, event: str) -> list[dict[str, object]]:
        """The fields of the events of this name."""
        return [fields for name, fields in list(self.events) if name == event]

    def until(self, event: str, count: int = 1) -> dict[str, object]:
        """Wait for as many events of this name; the last one's fields."""
        return until(lambda: self.named(event)[count - 1 : count], event)[0]


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    """An agent; its clock is a hundred times as fast."""
    made = Running(Fake(), [], [], [])
    monkeypatch.setattr(NoWatcher, "made", made.watchers, raising=False)
    monkeypatch.setattr(agent, "Watcher", NoWatcher)
    monkeypatch.setattr(agent, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(agent, "EXPIRE_SECONDS", 0.05)

    def notify(*told: str) -> None:
        made.told.append(told)

    def say(event: str, _level: int = 0, **fields: object) -> None:
        made.events.append((event, fields))

    monkeypatch.setattr(systemd, "notify", notify)
    monkeypatch.setattr(agent, "say", say)
    reading, writing = os.pipe()
    thread = threading.Thread(target=lambda: agent.Agent(made.service, 0.01, reading).run())

    def stop() -> None:
        os.write(writing, b".")
        thread.join(10)
        assert not thread.is_alive()

    made.stop = stop
    thread.start()
    try:
        yield made
    finally:
        stop()
        os.close(reading)
        os.close(writing)


def test_ready_when_it_watches_and_stopping_in_the_end(running: Running) -> None:
    running.until("service_found")
    until(lambda: running.told, "READY=1")
    assert running.told[0] == ("READY=1", "STATUS=Watching nftables and tc in 1 network namespaces")
    running.stop()
    assert running.told[-1] == ("STOPPING=1",)
    assert (running.events[0][0], running.events[-1][0]) == ("started", "stopped")
    assert running.watchers[-1].closed


def test_what_nobody_watched_is_rechecked_when_watching_begins(running: Running) -> None:
    assert running.until("recheck") == {"why": ["service"], "namespace": []}
    assert running.service.rechecks == 1


def test_changes_are_rechecked_together(running: Running) -> None:
    running.until("recheck")
    running.watchers[0].news = {Change("nftables", BLUE), Change("tc", BLUE), Change("tc", OWN)}
    shown = running.until("recheck", 2)
    assert shown == {"why": ["nftables", "tc"], "namespace": [str(OWN), str(BLUE)]}
    assert running.service.rechecks == 2


def test_a_namespace_that_comes_is_rechecked(running: Running) -> None:
    running.until("recheck")
    running.watchers[0].come = {Change("namespace", BLUE)}
    assert running.until("recheck", 2)["why"] == ["namespace"]


def test_a_change_waits_for_whoever_holds_the_lock(running: Running) -> None:
    running.until("recheck")
    running.service.fails = Locked("busy")
    running.watchers[0].news = {Change("tc", BLUE)}
    until(lambda: not running.watchers[0].news, "the change taken")
    running.service.fails = None
    assert running.until("recheck", 2)["why"] == ["tc"]
    assert not running.named("error")


def test_adoption_is_told_when_there_was_any(running: Running) -> None:
    until(lambda: running.service.walks > 3, "some walks")
    assert not running.named("adopted")
    running.service.found = 2
    assert running.until("adopted")["sockets"] == 2


def test_the_service_is_followed(running: Running) -> None:
    running.until("service_found")
    running.service.number = None
    running.until("service_gone")
    assert running.watchers[0].closed
    walks = running.service.walks
    until(lambda: ("STATUS=Waiting for: sockhop up",) in running.told, "idle")
    assert running.service.walks == walks
    running.service.number = 2
    running.until("recheck", 2)
    running.service.number = 3  # another version has replaced it
    running.until("service_gone", 2)
    running.until("service_found", 3)
    assert running.until("recheck", 3)["why"] == ["service"]
    assert [watcher.closed for watcher in running.watchers] == [True, True, False]
    assert sum("READY=1" in told for told in running.told) == 1


def test_a_service_that_drains_is_gone(running: Running) -> None:
    running.until("service_found")
    running.service.fails = NotUp("draining")
    running.until("service_gone")


def test_classes_without_a_cgroup_are_forgotten(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cgroups, "find", lambda wanted: {number: Path("/") for number in wanted if number != 7})
    running.service.known = [known(1), known(7, 5432, "client"), known(8)]
    shown = running.until("class_forgotten")
    assert (shown["cgroup"], shown["port"], shown["role"]) == (7, 5432, "client")
    until(lambda: running.service.known == [known(1), known(8)], "forgotten")
    assert len(running.named("class_forgotten")) == 1


@pytest.mark.parametrize("error", [OSError(5, "broken"), NotOurs("foreign pins")])
def test_an_error_that_stays_is_told_once_for_each_task(running: Running, error: OSError | NotOurs) -> None:
    running.until("service_found")
    running.service.fails = error
    running.until("error")
    until(lambda: len(running.told) > 1 or not isinstance(error, NotOurs), "some more looks")
    running.service.fails = None
    walks = running.service.walks
    until(lambda: running.service.walks > walks + 3, "it goes on")
    errors = running.named("error")
    assert len(errors) == len({shown["doing"] for shown in errors})
    assert {shown["error"] for shown in errors} == {str(error)}


def test_the_watchdog_is_fed(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not any("WATCHDOG=1" in told for told in running.told)
    monkeypatch.setattr(systemd, "watchdog_seconds", lambda: 0.03)
    reading, writing = os.pipe()
    thread = threading.Thread(target=lambda: agent.Agent(Fake(None), 1, reading).run())
    thread.start()
    try:
        until(lambda: running.told.count(("WATCHDOG=1",)) > 3, "signs of life, with and without a service")
    finally:
        os.write(writing, b".")
        thread.join(10)
        os.close(reading)
        os.close(writing)
