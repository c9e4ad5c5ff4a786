"""Auto mode once it has learned, against eager mode and against no sockhop: what watching costs.

In each arm a first run gives the classes what they learn from, and is not measured.
"""

import dataclasses
import functools
from collections.abc import Callable
from pathlib import Path

from sockhop.bench.arms import Arm, Hop, HopSession, Sent, Session, arm
from sockhop.bench.cases import connect, nginx, postgres, redis, rr
from sockhop.bench.comparison import QUICK, Comparison, Effort
from sockhop.bench.machine import Machine

Sample = Callable[[Machine, Effort, Arm, Session], float]

LESSON = dataclasses.replace(QUICK, requests=2_000)


@dataclasses.dataclass(frozen=True)
class Lesson:
    """A run from which nothing is asked."""

    cgroup: Path

    def prove(self, sent: Sent) -> None:
        """Nothing."""


@dataclasses.dataclass(frozen=True)
class KeptSession(HopSession):
    """Auto mode with a service that must stay on the stack."""

    def prove(self, sent: Sent) -> None:  # noqa: ARG002
        """Nothing was taken in."""
        self.prove_untouched()


def with_auto(machine: Machine, name: str) -> Arm:
    """The arms of the others, and ``auto``; ``kept`` is the same where nothing may hop."""
    if name == "auto":
        return Hop(machine, name, mode="auto")
    return Hop(machine, name, mode="auto", session=KeptSession) if name == "kept" else arm(machine, name)


def after_a_lesson(sample: Sample, machine: Machine, effort: Effort, arm: Arm, session: Session) -> float:
    """The sample's second run."""
    sample(machine, LESSON, arm, Lesson(session.cgroup))
    return sample(machine, effort, arm, session)


def case(
    name: str, title: str, sample: Sample, ours: str, theirs: str, wanted: float, rounds: float = 1.0
) -> Comparison:
    return Comparison(
        name=f"learned-{name}",
        title=f"{title}, learned",
        unit="/s",
        arms=(theirs, ours),
        sample=functools.partial(after_a_lesson, sample),
        ratios=[(ours, theirs, wanted)],
        make=with_auto,
        rounds=rounds,
    )


CASES = [
    *(
        case(
            f"rr-{size}",
            f"request/response {rr.SIZES[size]}",
            functools.partial(rr.round_trips, size),
            "auto",
            "hop",
            0.98,
            rounds=3.0,
        )
        for size in ("1", "16384")
    ),
    case("redis", "redis GET", functools.partial(redis.requests_a_second, "get", "0,0"), "auto", "hop", 0.97),
    case("nginx", "nginx to nginx", functools.partial(nginx.requests_a_second, "0"), "auto", "hop", 0.97),
    case("postgres", "pgbench reads", postgres.transactions_a_second, "auto", "hop", 0.97),
    case("connect", "connect, 1 B, close", connect.connections_a_second, "kept", "tcp", 0.98),
]
