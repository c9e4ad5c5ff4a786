"""Request/response over one connection.

Waking a second CPU takes so long in a virtual machine that it hides much else: targets are for one CPU.
"""

from sockhop.bench import sizes
from sockhop.bench.arms import BULK, MOST
from sockhop.bench.cases.native import IN_WORDS, Native
from sockhop.bench.comparison import Comparison, Ratio
from sockhop.bench.figures import NEVER_SLOWER, Wanted

TARGETS = {"1": 1.6, "64": 1.6, "1K": 1.6, "16K": 1.5, "64K": 1.8}
LARGE = 1 << 20


def sample(size: str, delay: str = "nodelay", cpus: str = "1cpu") -> Native:
    """What measures it. A large message fills buffers, and what does not fit takes the stack."""
    options = ("--size", str(sizes.count(size)), *(["--nagle"] if delay == "nagle" else []))
    return Native("rr", options, cpus, least=MOST if sizes.count(size) < LARGE else BULK)


def case(size: str, delay: str, cpus: str) -> Comparison:
    """One cell; all arms on one CPU without Nagle's algorithm, where they can be told apart best."""
    full = (delay, cpus) == ("nodelay", "1cpu")
    wanted = Wanted(TARGETS[size]) if full and size in TARGETS else NEVER_SLOWER
    tail = "p99.9" if sizes.count(size) < LARGE else "p99"
    ratios = [Ratio("hop", "tcp", wanted), Ratio("hop", "tcp", Wanted(1.0, at_least=False), of=tail)]
    if full:
        ratios += [
            Ratio("hop", "unix", Wanted(1.05)),
            Ratio("hop", "redirect", Wanted(0.98)),
            Ratio("redirect", "tcp"),  # as far as sockmap can go on this machine
            Ratio("hop", "ordered", Wanted(0.98)),
        ]
    return Comparison(
        name=f"rr-{size}-{delay}-{cpus}",
        title=f"request/response {sizes.words(size)}, {delay}, {IN_WORDS[cpus]}",
        group="request/response",
        arms=("tcp", "hop", "redirect", "unix") if full else ("tcp", "hop"),
        sample=sample(size, delay, cpus),
        ratios=ratios,
        size=sizes.count(size),
        quick=full and size == "1",
        reference="ordered" if full else None,
    )


CASES = [
    *(case(size, "nodelay", "1cpu") for size in ("1", "64", "1K", "16K", "64K", "1M", "4M")),
    *(case(size, "nagle", "1cpu") for size in ("1", "1K", "64K")),
    *(case(size, "nodelay", "2cpu") for size in ("1", "1K", "16K", "64K", "1M")),
]
