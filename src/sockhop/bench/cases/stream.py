"""One-way streams.

Plain redirect is left out: it has no bounds, so its writer never waits for its reader. Small writes are TCP's to
join, with Nagle's algorithm or where both ends share a CPU, and what is promised there is auto mode's.
"""

import dataclasses
from collections.abc import Sequence

from sockhop.bench import sizes
from sockhop.bench.arms import BULK, NOTHING
from sockhop.bench.cases.native import IN_WORDS, Native
from sockhop.bench.comparison import Comparison, Ratio
from sockhop.bench.figures import NEVER_SLOWER, Wanted

SMALL, LARGE = 8 << 10, 64 << 10
ROUNDS = 0.75


def sample(size: str, delay: str = "nodelay", cpus: str = "2cpu") -> Native:
    """What measures it. A full queue sends some of a stream through the stack, and that is right."""
    options = ("--size", str(sizes.count(size)), *(["--nagle"] if delay == "nagle" else []))
    small = sizes.count(size) < LARGE
    return Native("stream", options, cpus, least=NOTHING if small and delay == "nagle" else BULK, directions=1)


def variant(name: str, words: str, usual: Native, option: Sequence[str], *arms: str) -> Comparison:
    """A stream with an option for which auto mode keeps it on the stack; in these arms beside plain TCP."""
    return Comparison(
        name=f"stream-{name}",
        title=f"stream of {words}, {IN_WORDS[usual.cpus]}",
        group="streams",
        unit="B/s",
        arms=("tcp", *arms),
        sample=dataclasses.replace(usual, options=(*usual.options, *option)),
        ratios=[Ratio("hop", "tcp"), Ratio("auto", "tcp", NEVER_SLOWER)],
        rounds=ROUNDS,
    )


def waits_in_read(size: str, cpus: str) -> Comparison:
    """One whose writer blocks for what comes after bulk (``bulk``), beside all others', which ask poll()."""
    words = f"{sizes.words(size)} writes whose writer then blocks"
    return variant(f"{size}-blocking-{cpus}", words, sample(size, cpus=cpus), ["--blocks"], "auto")


def small_buffer(size: str, cpus: str) -> Comparison:
    """One whose reader has asked for a receive buffer that no write fits: hops are for what does."""
    words = f"{sizes.words(size)} writes, SO_RCVBUF of 100 KB"
    usual = dataclasses.replace(sample(size, cpus=cpus), least=NOTHING)
    return variant(f"{size}-rcvbuf-{cpus}", words, usual, ["--rcvbuf", str(100 << 10)], "hop", "auto")


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
        rounds=ROUNDS,
        quick=(delay, cpus) == ("nodelay", "1cpu") and size == "64K",  # between two, wake-ups decide
    )


CASES = [
    *(case(size, "nodelay", "2cpu") for size in ("1", "64", "1K", "16K", "64K", "256K", "1M", "4M")),
    *(case(size, "nagle", "2cpu") for size in ("1", "64", "1K", "16K", "32K", "64K", "1M")),
    *(case(size, "nodelay", "1cpu") for size in ("1K", "8K", "64K", "1M")),
    waits_in_read("64K", "1cpu"),
    small_buffer("1M", "2cpu"),
]
