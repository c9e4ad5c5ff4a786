"""Request/response over many connections at once, one thread with epoll at each end."""

from sockhop.bench.cases.native import IN_WORDS, Native
from sockhop.bench.comparison import Comparison, Ratio
from sockhop.bench.effort import Effort
from sockhop.bench.figures import NEVER_SLOWER, Wanted

SIZE = 1024


def seconds(count: int, effort: Effort) -> float:
    """Of a sample: opening a connection and letting it go takes a tenth of a millisecond."""
    return effort.native_seconds + count / 10_000


def case(count: int, cpus: str) -> Comparison:
    """One cell. A Unix socket's listener keeps no more than net.core.somaxconn waiting, as TCP's does."""
    return Comparison(
        name=f"many-{count}-{cpus}",
        title=f"{count:,} connections, request/response 1 KB, {IN_WORDS[cpus]}",
        group="many connections",
        rounds=0.75,
        arms=("tcp", "hop", "unix"),
        sample=Native("many", ("--size", str(SIZE), "--connections", str(count)), cpus),
        ratios=[
            Ratio("hop", "tcp", NEVER_SLOWER),
            Ratio("hop", "tcp", Wanted(1.0, at_least=False), of="p99.9"),
            Ratio("hop", "unix"),
        ],
        quick=(count, cpus) == (256, "1cpu"),
        lasts=lambda effort: seconds(count, effort),
    )


CASES = [
    *(case(count, "1cpu") for count in (16, 256, 4096)),
    *(case(count, "2cpu") for count in (16, 256, 4096)),
]
