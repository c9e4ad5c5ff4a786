"""What a socket in a sockmap cannot do, done from a cold start in auto mode: all is well, and the class stays out.

In eager mode the same programs fail, or these tests would prove nothing.
"""

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import Scope

from .driver import Outcome, class_of, driver

pytestmark = pytest.mark.bpf

CONNECTIONS = 200


@dataclass(frozen=True)
class Case:
    """A hazard of hazard.c, at one end; ``reasons`` are those of which the class must show at least one.

    ``bites``: the faults of which eager mode shows at least one. An urgent byte is seen where it is received.
    """

    hazard: str
    end: str
    reasons: frozenset[str]
    bites: frozenset[str] = frozenset()
    when: str = "all"

    def __str__(self) -> str:
        return f"{self.hazard}-{self.end}-{self.when}"

    @property
    def blamed(self) -> tuple[str, ...]:
        """The roles whose class is kept out."""
        if self.end == "both":
            return ("client", "server")
        if self.hazard in ("oob", "unread_oob"):
            return ("server" if self.end == "client" else "client",)
        return (self.end,)


def case(hazard: str, end: str, reasons: str, bites: str = "", when: str = "all") -> Case:
    return Case(hazard, end, frozenset(reasons.split()), frozenset(bites.split()), when)


CASES = [
    case("waitall", "server", "waitall", "short"),
    case("waitall", "client", "waitall", "short"),
    case("waitall", "server", "waitall", "short", when="once"),
    case("oob", "client", "oob", "corrupt lost"),
    case("oob", "both", "oob", "corrupt lost"),
    case("oob", "client", "oob", "corrupt lost", when="once"),
    case("unread_oob", "client", "oob", "corrupt broken stuck"),
    case("unread_oob", "client", "oob", "corrupt broken stuck", when="once"),
    case("zerocopy", "client", "zerocopy errqueue", "lost"),
    case("zerocopy", "server", "zerocopy errqueue", "lost"),
    case("rcvlowat", "server", "rcvlowat", "short stuck"),
    case("rcvlowat", "server", "rcvlowat", "short stuck", when="once"),
    case("timestamps", "server", "timestamps", "lost"),
    case("inq", "server", "timestamps", "lost"),
    case("peek_offset", "server", "peek_offset", "corrupt stuck"),
    case("discard", "server", "discard", "broken"),
    case("splice", "server", "splice unseen", "stuck"),
    case("splice", "client", "splice unseen", "stuck"),
    case("splice", "server", "splice unseen", "stuck", when="once"),
    case("sendfile", "server", "splice unseen", "stuck"),
    # A mapping holds the socket's file, as another process would.
    case("mapped", "server", "unseen threads", "lost"),
    case("signals", "client", "signals interrupted", "eagain"),
    case("threads", "client", "threads interrupted", "eagain"),
    case("forks", "client", "threads interrupted", "eagain"),
    case("resets", "server", "interrupted", "eagain"),
]


@pytest.mark.parametrize("at_once", [1, 20])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_from_a_cold_start(hazard: Path, auto: Scope, case: Case, at_once: int) -> None:
    """200 connections, one after the other or many at once: all is as on TCP, and nothing of it has hopped."""
    with driver(auto.popen, hazard, seed=at_once) as running:
        outcome = running.order(CONNECTIONS, at_once, case.hazard, case.end, case.when)
        found = [class_of(auto, running.port, role) for role in case.blamed]
        status = auto.hops.status()
    for known in found:
        print(known)
    assert outcome.connections == CONNECTIONS
    assert outcome.faults == {}
    assert outcome.offences > 0.9 * CONNECTIONS
    for known in found:
        assert known.state == "stack"
        assert case.reasons & set(known.reasons)
    assert status.hop.messages == 0


@pytest.mark.parametrize("case", [case for case in CASES if case.bites], ids=str)
def test_eager_mode_shows_the_hazard(hazard: Path, eager: Scope, case: Case) -> None:
    """The cases above are not harmless."""
    with driver(eager.popen, hazard, seed=1, deadline=1500, give_up=1) as running:
        outcome = running.order(100, 2, case.hazard, case.end, case.when)
    assert set(outcome.faults) & case.bites


def test_clean_ends_come_to_hop(hazard: Path, auto: Scope) -> None:
    """The same program without an offence: it hops, so that nothing above is kept out for being what it is."""
    with driver(auto.popen, hazard, seed=1) as running:
        outcome: Outcome = running.order(CONNECTIONS, 4, "plain")
        states = [class_of(auto, running.port, role).state for role in ("client", "server")]
        status = auto.hops.status()
    assert outcome.faults == {}
    assert states == ["hopping", "hopping"]
    assert status.hop.messages > CONNECTIONS
