"""Pipelines: a burst of small requests without TCP_NODELAY, one answer to all of them, both ends on one CPU.

TCP keeps the end of a burst back until its beginning is acknowledged, which a reader that waits for the whole puts
off by 40 ms; a hop does neither. From 65 small writes in a row on, sockhop leaves them to TCP (``nagle_burst``).
"""

from sockhop.bench import sizes
from sockhop.bench.arms import NOTHING
from sockhop.bench.cases.native import Native
from sockhop.bench.comparison import Comparison, Ratio
from sockhop.bench.figures import NEVER_SLOWER


def case(size: str, burst: int) -> Comparison:
    """One cell."""
    options = ("--size", str(sizes.count(size)), "--burst", str(burst), "--nagle")
    return Comparison(
        name=f"pipeline-{size}-{burst}",
        title=f"pipeline of {burst} x {sizes.words(size)}, nagle, one CPU",
        group="pipelines",
        arms=("tcp", "hop", "auto"),
        sample=Native("rr", options, least=NOTHING),
        ratios=[Ratio("hop", "tcp"), Ratio("auto", "tcp", NEVER_SLOWER)],
        rounds=0.75,
    )


CASES = [case(size, burst) for size in ("64", "1K") for burst in (8, 64, 65)]
