"""Connections of a request or none: what putting two sockets into the map costs, and what auto mode spares."""

from sockhop.bench.arms import MOST, NOTHING
from sockhop.bench.cases.native import Native
from sockhop.bench.comparison import Comparison, Ratio
from sockhop.bench.figures import NEVER_SLOWER

TITLES = {0: "connect and close", 1: "connect, 1 B there and back, close"}


def sample(exchanges: int) -> Native:
    """What measures it. Without a message there is nothing that could hop."""
    return Native("connect", ("--exchanges", str(exchanges)), least=MOST if exchanges else NOTHING)


CASES = [
    Comparison(
        name=f"connect-{exchanges}",
        title=title,
        group="short connections",
        arms=("tcp", "hop", "auto"),
        sample=sample(exchanges),
        ratios=[Ratio("auto", "tcp", NEVER_SLOWER), Ratio("hop", "tcp")],
        quick=exchanges == 1,
        rounds=1.25,
    )
    for exchanges, title in TITLES.items()
]
