"""Connections with random lives and random ends, every byte checked: see churn.c."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Scope
from tests.stress.harness import LOOPBACK, SEED, TIMES, Place, Totals, eventually, run

pytestmark = [pytest.mark.bpf, pytest.mark.timeout(120 * TIMES)]


@pytest.fixture(scope="session")
def churn(c_tool: Callable[[str], Path]) -> Path:
    return c_tool("tests/stress/churn.c")


def check(totals: Totals, connections: int) -> None:
    """All lives were lived, in every way, and nobody got a wrong byte or a wrong end."""
    assert totals["connections"] >= connections - 10  # rounded down to the same number for each thread
    assert totals["corrupt"] == totals["wrong"] == totals["stuck"] == 0
    assert min(totals["endings"].values()) > connections / 20
    assert set(totals["errors"]) <= {"ECONNRESET", "EPIPE"}
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
    assert eventually(lambda: scope.hops.status().sockets.tracked == 0), "sockets were not taken out of the map"
    return totals


def test_plain(churn: Path, scope: Scope) -> None:
    """The program itself raises no alarm on plain TCP, where no blocking recv ends with EAGAIN either."""
    totals = run(scope.tcp_popen, [churn, "--connections", 10_000, "--seed", SEED])
    check(totals, 10_000)
    assert totals["woken_by_shutdown"] == totals["woken_by_reset"] == 0
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
    assert eventually(lambda: scope.hops.status().sockets.tracked == 0), "sockets were not taken out of the map"
