"""One-way streams.

Plain redirect is left out: it has no bounds, so its writer never waits for its reader. Small writes are TCP's to
join, with Nagle's algorithm or where both ends share a CPU, and what is promised there is auto mode's.
"""

from sockhop.bench import sizes
from sockhop.bench.arms import BULK, NOTHING
from sockhop.bench.cases.native import IN_WORDS, Native
from sockhop.bench.comparison import Comparison, Ratio
from sockhop.bench.figures import NEVER_SLOWER, Wanted

SMALL, LARGE = 8 << 10, 64 << 10


def sample(size: str, delay: str = "nodelay", cpus: str = "2cpu") -> Native:
    """What measures it. A full queue sends some of a stream through the stack, and that is right."""
    options = ("--size", str(sizes.count(size)), *(["--nagle"] if delay == "nagle" else []))
    small = sizes.count(size) < LARGE
    return Native("stream", options, cpus, least=NOTHING if small and delay == "nagle" else BULK, directions=1)


def case(size: str, delay: str, cpus: str) -> Comparison:
    """One cell."""
    large = sizes.count(size) >= LARGE
    joins = delay == "nagle" or (cpus == "1cpu" and sizes.count(size) < SMALL)
    wanted = Wanted(1.6) if large else NEVER_SLOWER
    extra = "auto" if joins else "unix"
    hop = Ratio("hop", "tcp", None if joins and not large else wanted)
    other = Ratio("auto", "tcp", NEVER_SLOWER) if joins else Ratio("hop", "unix")
    return Comparison(
        name=f"stream-{size}-{delay}-{cpus}",
        title=f"stream of {sizes.words(size)} writes, {delay}, {IN_WORDS[cpus]}",
        group="streams",
        unit="B/s",
        arms=("tcp", "hop", extra),
        sample=sample(size, delay, cpus),
        ratios=[hop, other],
        size=sizes.count(size),
        quick=(delay, cpus) == ("nodelay", "1cpu") and size == "64K",  # between two, wake-ups decide
    )


CASES = [
    *(case(size, "nodelay", "2cpu") for size in ("1", "64", "1K", "16K", "64K", "256K", "1M", "4M")),
    *(case(size, "nagle", "2cpu") for size in ("1", "64", "1K", "16K", "64K", "1M")),
    *(case(size, "nodelay", "1cpu") for size in ("1K", "8K", "64K", "1M")),
]
