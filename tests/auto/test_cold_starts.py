"""Many services that are new, each with a hazard of its own: none ever comes to hop.

SOCKHOP_COLD_STARTS: how many of each kind, instead of 1,000 in all. SOCKHOP_SEED: other random numbers.
"""

import os
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sockhop.control import events
from tests.conftest import Scope
from tests.stress.harness import SEED
from tests.waiting import until

from .driver import Driver, driver

STARTS = int(os.environ.get("SOCKHOP_COLD_STARTS", "0"))

pytestmark = [pytest.mark.bpf, pytest.mark.timeout(120 + STARTS)]

# Below ip_local_port_range, where no client is given one.
PORTS = range(10_000, 32_000)

KINDS = [
    # hazard, end, when, reasons of which the class must show one, how many by default
    ("waitall", "server", "once", {"waitall"}, 200),
    ("waitall", "client", "once", {"waitall"}, 200),
    ("splice", "server", "all", {"splice", "unseen"}, 200),
    ("splice", "client", "once", {"splice", "unseen"}, 100),
    ("rcvlowat", "server", "once", {"rcvlowat"}, 50),
    ("discard", "server", "once", {"discard"}, 50),
    ("zerocopy", "client", "once", {"zerocopy", "errqueue"}, 50),
    ("signals", "client", "all", {"signals"}, 50),
    ("resets", "server", "all", {"interrupted"}, 100),
]


@contextmanager
def classes_that_came_to_hop(scope: Scope) -> Iterator[list[tuple[str, int | None]]]:
    """The list of (role, port) of each class that reached hopping while the block ran; whole when it has ended."""
    found: list[tuple[str, int | None]] = []
    ready, stop = threading.Event(), threading.Event()
    asked = 0

    def note(line: events.Line) -> None:
        if line.state == "hopping":
            found.append((line.role, line.port))

    def wanted() -> bool:
        nonlocal asked
        asked += 1
        if asked == 2:  # the events have been switched on
            ready.set()
        return not stop.is_set()

    thread = threading.Thread(target=events.follow, args=(scope.hops._up(), note, wanted))
    thread.start()
    try:
        assert ready.wait(10)
        yield found
    finally:
        stop.set()
        thread.join()


def start_cold(running: Driver, ports: Iterator[int], draw: random.Random) -> int:
    """Give the driver a port that nobody has used before; return it."""
    return next(port for port in ports if running.start_afresh(port, draw.randrange(1 << 32)))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: "-".join(kind[:3]))
def test_none_comes_to_hop(hazard: Path, auto: Scope, kind: tuple[str, str, str, set[str], int]) -> None:
    """Few and many connections, one by one and at once; the hazard is at one of the first calls of each."""
    name, end, when, reasons, usual = kind
    draw = random.Random(f"{SEED} {kind}")
    ports = iter(PORTS[draw.randrange(len(PORTS) // 2) :])
    starts, bad = STARTS or usual, []
    used = set()
    with (
        classes_that_came_to_hop(auto) as hopping,
        driver(auto.popen, hazard, listen=-1, max_size=4096, deadline=4000) as running,
    ):
        for _ in range(starts):
            port = start_cold(running, ports, draw)
            used.add(port)
            outcome = running.order(draw.randint(1, 10), draw.choice((1, 2, 4, 10)), name, end, when)
            if outcome.faults or not outcome.offences:
                bad.append((port, outcome))
    known = {one.port: one for one in auto.hops.classes() if one.role == end}
    assert bad == []
    assert [port for role, port in hopping if role == end] == []
    assert known.keys() == used
    assert [one for one in known.values() if one.state != "stack" or not reasons & set(one.reasons)] == []
    assert auto.hops.status().hop.messages == 0


def test_a_clean_one_is_seen_to_hop(hazard: Path, auto: Scope) -> None:
    """What the others look for would be found."""
    with classes_that_came_to_hop(auto) as hopping, driver(auto.popen, hazard, seed=SEED) as running:
        assert running.order(20, 2, "plain").faults == {}
        until(lambda: len(hopping) == 2, "both classes hop")
    assert sorted(hopping) == [("client", running.port), ("server", running.port)]
