"""Auto mode once it has learned, against eager mode and against no sockhop: what watching costs.

In each arm a first run gives the classes what they learn from, and is not measured.
"""

import functools
from collections.abc import Callable

from sockhop.bench.arms import Arm, Hop, UntouchedSession, arm
from sockhop.bench.cases import connect, nginx, postgres, redis, wrk
from sockhop.bench.comparison import Comparison, Measure, Ratio
from sockhop.bench.effort import Effort, native
from sockhop.bench.figures import Wanted
from sockhop.bench.machine import Machine


def with_learning(machine: Machine, name: str) -> Arm:
    """``auto`` must hop, and ``kept`` is the same where nothing may."""
    if name == "auto":
        return Hop(machine, name, learns=True)
    return Hop(machine, name, UntouchedSession, learns=True) if name == "kept" else arm(machine, name)


def case(
    name: str,
    title: str,
    sample: Measure,
    ours: str,
    theirs: str,
    wanted: float,
    rounds: float = 0.75,
    lasts: Callable[[Effort], float] = native,
) -> Comparison:
    """One cell."""
    return Comparison(
        name=f"learned-{name}",
        title=f"{title}, learned",
        group="auto mode",
        arms=(theirs, ours),
        sample=sample,
        ratios=[Ratio(ours, theirs, Wanted(wanted))],
        make=with_learning,
        rounds=rounds,
        lasts=lasts,
    )


CASES = [
    case("redis", "redis GET", functools.partial(redis.requests, "get", 50, 1, "1cpu"), "auto", "hop", 0.97),
    case(
        "nginx",
        "nginx to nginx",
        functools.partial(nginx.requests, "1K", nginx.PROXIED, "1cpu"),
        "auto",
        "hop",
        0.97,
        lasts=wrk.seconds,
    ),
    case(
        "pgbench",
        "pgbench reads",
        functools.partial(postgres.transactions, "select", 8, "prepared"),
        "auto",
        "hop",
        0.97,
        lasts=postgres.seconds,
    ),
    case("connect", "connect, 1 B, close", connect.sample(1), "kept", "tcp", 0.98, rounds=1.25),
]
