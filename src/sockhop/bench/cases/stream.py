"""One-way streams.

Plain redirect is left out: it has no bounds, so its writer never waits for its reader. Small writes are TCP's to
join, with Nagle's algorithm or where both ends share a CPU, and what is promised there is auto mode's.
"""

import dataclasses

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


def waits_in_read(size: str, cpus: str) -> Comparison:
    """One whose writer blocks for what comes after bulk, beside all others', which ask poll().

    Auto mode keeps it on the stack (``bulk``), and what it takes to find that out must not show.
    """
    polls = sample(size, cpus=cpus)
    return Comparison(
        name=f"stream-{size}-blocking-{cpus}",
        title=f"stream of {sizes.words(size)} writes whose writer then blocks, {IN_WORDS[cpus]}",
        group="streams",
        unit="B/s",
        arms=("tcp", "auto"),
        sample=dataclasses.replace(polls, options=(*polls.options, "--blocks")),
        ratios=[Ratio("auto", "tcp", NEVER_SLOWER)],
        rounds=ROUNDS,
    )


def small_buffer(size: str, cpus: str) -> Comparison:
    """One whose reader has asked for a receive buffer that no write fits: hops are for what does."""
    usual = sample(size, cpus=cpus)
    return Comparison(
        name=f"stream-{size}-rcvbuf-{cpus}",
        title=f"stream of {sizes.words(size)} writes, SO_RCVBUF of 100 KB, {IN_WORDS[cpus]}",
        group="streams",
        unit="B/s",
        arms=("tcp", "hop", "auto"),
        sample=dataclasses.replace(usual, options=(*usual.options, "--rcvbuf", str(100 << 10)), least=NOTHING),
        ratios=[Ratio("hop", "tcp"), Ratio("auto", "tcp", NEVER_SLOWER)],
        rounds=ROUNDS,
    )


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
    *(case(size, "nagle", "2cpu") for size in ("1", "64", "1K", "16K", "64K", "1M")),
    *(case(size, "nodelay", "1cpu") for size in ("1K", "8K", "64K", "1M")),
    waits_in_read("64K", "1cpu"),
    small_buffer("1M", "2cpu"),
]
