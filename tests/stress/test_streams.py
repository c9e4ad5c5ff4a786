"""Random bidirectional streams, every byte checked by its position: see streams.c."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sockhop.control import events
from tests.conftest import Scope
from tests.stress.harness import SEED, TIMES, Place, Totals, run
from tests.waiting import PATIENCE, until

pytestmark = [pytest.mark.bpf, pytest.mark.timeout(120 * TIMES * PATIENCE)]

ROUNDS = 3 * TIMES
STALL = ("--stall", int(10 * PATIENCE))


@pytest.fixture(scope="session")
def streams(c_tool: Callable[[str], Path]) -> Path:
    return c_tool("tests/stress/streams.c")


def rounds(scope: Scope, argv: list[object], number: int = ROUNDS) -> Totals:
    """Run with one seed after the other, in scope. The sums, with the bytes and messages that the counters saw."""
    sums: Totals = Counter()
    before = scope.hops.status()
    for seed in range(SEED, SEED + number):
        sums.update({k: v for k, v in run(scope.popen, [*argv, "--seed", seed, *STALL]).items() if k != "seed"})
    after = scope.hops.status()
    sums["hop_bytes"] = after.hop.bytes - before.hop.bytes
    sums["hop_messages"] = after.hop.messages - before.hop.messages
    sums["stack_bytes"] = after.stack.bytes - before.stack.bytes
    sums["stack_messages"] = after.stack.messages - before.stack.messages
    print(dict(sums), after.stack.reasons)
    # A recv that ended with EAGAIN for no reason that the program knows is a fault even on a socket in the map.
    assert sums["woken_else"] == 0
    assert after.sockets.refused["map_full"] == 0
    until(lambda: scope.hops.status().sockets.tracked == 0, "the map to be empty", 10.0)
    return sums


@pytest.mark.parametrize("load", ["steady", "random", "switching"])
def test_plain(streams: Path, scope: Scope, load: str) -> None:
    """The program itself raises no alarm on plain TCP, where no blocking recv ends with EAGAIN either."""
    totals = run(scope.tcp_popen, [streams, "--load", load, "--seed", SEED, *STALL])
    assert totals["bytes"] > 0
    assert totals["woken_by_shutdown"] == totals["woken_by_space"] == totals["woken_else"] == 0
    assert scope.hops.status().hop.messages == 0


@pytest.mark.parametrize("reader", ["blocking", "level", "edge"])
def test_steady(streams: Path, scope: Scope, place: Place, reader: str) -> None:
    """Readers that keep up: nearly every byte hops."""
    sums = rounds(scope, [streams, "--load", "steady", "--reader", reader, *place.options], TIMES)
    assert sums["hop_bytes"] + sums["stack_bytes"] == sums["bytes"]
    assert sums["hop_bytes"] > 0.9 * sums["bytes"]


def test_random(streams: Path, scope: Scope, place: Place) -> None:
    """Writes of 1 B to 4 MB, buffers of all sizes, pausing readers: both ways are used, and mixed."""
    sums = rounds(scope, [streams, "--load", "random", *place.options])
    assert sums["hop_bytes"] > 0.2 * sums["bytes"]
    assert sums["stack_bytes"] > 0.1 * sums["bytes"]


@contextmanager
def counted_events(scope: Scope) -> Iterator["Counter[str]"]:
    """Count the events of the scope by kind: "hop_on" is one switch from the stack to hops. Some may be lost."""
    kinds: Counter[str] = Counter()
    stop = threading.Event()

    def note(line: events.Line) -> None:
        kinds[line.kind] += 1

    instance = scope.hops._up()
    ready = threading.Event()

    def wanted() -> bool:
        # Asked for the second time when the events have been switched on.
        if kinds["asked"]:
            ready.set()
        kinds["asked"] += 1
        return not stop.is_set()

    thread = threading.Thread(target=events.follow, args=(instance, note, wanted))
    thread.start()
    try:
        assert ready.wait(10)
        yield kinds
    finally:
        stop.set()
        thread.join()


def test_switching(streams: Path, make_scope: Callable[..., Scope], place: Place) -> None:
    """Thousands of switches between hop and stack in one run, each way."""
    scope = make_scope(burst_messages=16)  # short bursts make many
    argv = [streams, "--load", "switching", "--streams", 40, "--bytes", 12 << 20, *place.options]
    with counted_events(scope) as kinds:
        sums = rounds(scope, argv, TIMES)
    reasons = scope.hops.status().stack.reasons
    print(dict(kinds))
    assert kinds["hop_on"] > 1000
    assert kinds["to_stack"] > 2000
    assert sums["hop_messages"] > 5000
    assert sums["stack_messages"] > 5000
    assert reasons["nagle_burst"] > 500
    assert reasons["full"] > 50
