"""Connections with random lives and random ends, every byte checked: see churn.c."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Scope
from tests.stress.harness import (
    LOOPBACK,
    SEED,
    TIMES,
    Place,
    Totals,
    run,
    scarce_tcp_memory,
    two_namespaces,
)
from tests.waiting import until

pytestmark = [pytest.mark.bpf, pytest.mark.timeout(120 * TIMES)]


@pytest.fixture(scope="session")
def churn(c_tool: Callable[[str], Path]) -> Path:
    return c_tool("tests/stress/churn.c")


def check(totals: Totals, connections: int) -> None:
    """All lives were lived, in every way, and nobody got a wrong byte or a wrong end."""
    assert totals["connections"] >= connections - 10  # rounded down to the same number for each thread
    assert totals["corrupt"] == totals["wrong"] == totals["stuck"] == 0
    assert min(totals["endings"].values()) > connections / 20
    assert set(totals["errors"]) <= {"ECONNRESET", "EPIPE", "ETIMEDOUT"}
    assert totals["errors"].get("ETIMEDOUT", 0) <= 1 + connections // 10_000  # churn_end.h says when
    assert totals["slowest_wake_us"] < 5_000_000
    for happened in ("early", "gone_early", "peeks", "stalls", "blocked_when_left"):
        assert totals[happened] > connections / 100, happened


def churned(churn: Path, scope: Scope, place: Place, connections: int) -> Totals:
    totals = run(scope.popen, [churn, "--connections", connections, "--seed", SEED, *place.options])
    check(totals, connections)
    status = scope.hops.status()
    print(status.hop, status.stack)
    # Those that are left with unread bytes send far more than is read.
    assert status.hop.bytes + status.stack.bytes >= totals["bytes"]
    assert status.hop.bytes > status.stack.bytes
    assert status.hop.messages > connections
    until(lambda: scope.hops.status().sockets.tracked == 0, "the map to be empty", 10.0)
    return totals


def test_plain(churn: Path, scope: Scope) -> None:
    """The program itself raises no alarm on plain TCP, where no blocking recv ends with EAGAIN either."""
    totals = run(scope.tcp_popen, [churn, "--connections", 10_000, "--seed", SEED])
    check(totals, 10_000)
    assert totals["woken_by_shutdown"] == totals["woken_by_reset"] == 0
    assert "ETIMEDOUT" not in totals["errors"]
    assert scope.hops.status().hop.messages == 0


def test_churn(churn: Path, scope: Scope) -> None:
    """The long one: IPv4 on the loopback."""
    churned(churn, scope, LOOPBACK[0], 30_000 * TIMES)


def test_churn_everywhere(churn: Path, scope: Scope, place: Place) -> None:
    churned(churn, scope, place, 6_000 * TIMES)


def test_many_at_once(churn: Path, scope: Scope) -> None:
    """A thousand lives at a time, and sixteen pairs of blocking threads: everybody waits for a processor."""
    argv = [churn, "--connections", 12_000 * TIMES, "--seed", SEED, "--at-once", 512, "--pairs", 16]
    totals = run(scope.popen, argv)
    assert totals["corrupt"] == totals["wrong"] == totals["stuck"] == 0
    until(lambda: scope.hops.status().sockets.tracked == 0, "the map to be empty", 10.0)


ORDERLY = ["both_shut", "half_close", "full_close"]


@pytest.mark.parametrize("ending", ORDERLY)
@pytest.mark.parametrize("hops", ["hopping", "paused"])
def test_packet_loss(churn: Path, scope: Scope, ending: str, hops: str) -> None:
    """One packet in a hundred is lost: retransmits, probes, segments out of order.

    Orderly ends only: where a reset is lost, plain TCP hangs as well.
    """
    if hops == "paused":
        scope.hops.pause()
    with two_namespaces(lost_per_mille=10) as places:
        argv = [churn, "--connections", 3_000 * TIMES, "--seed", SEED, "--at-once", 500, "--pairs", 0]
        options = ["--stall", 40, "--ending", ending, *places["veth-4"].options]
        totals = run(scope.popen, [*argv, *options])
    assert totals["corrupt"] == totals["wrong"] == totals["stuck"] == 0
    assert (scope.hops.status().hop.messages > 0) == (hops == "hopping")


@pytest.mark.parametrize("ending", ORDERLY)
def test_scarce_memory(churn: Path, scope: Scope, ending: str) -> None:
    """Sockets in the map whose bytes all take the stack, and may use next to no memory.

    TCP then drops segments at the receiver and sends them again with others, so that they overlap; and those that
    come with the FIN are handed over when the socket is closed already (tcp_data_queue).

    Only level-triggered ends: where memory is short, sk_msg_alloc() makes send() return EAGAIN with nothing in
    flight that would announce room later.
    """
    scope.hops.pause()
    with scarce_tcp_memory(4 << 20) as limited:
        argv = [
            churn,
            "--connections",
            20_000 * TIMES,
            "--seed",
            SEED,
            "--pairs",
            0,
            "--level",
            "--ending",
            ending,
        ]
        totals = run(scope.popen, limited(argv))
    assert totals["corrupt"] == totals["wrong"] == totals["stuck"] == 0
    status = scope.hops.status()
    assert status.stack.reasons["paused"] > 100_000
    assert status.sockets.refused["map_full"] == 0
