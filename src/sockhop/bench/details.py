"""What each arm of a case is like by itself: its rate, latency and cost, as cells of a table."""

from collections.abc import Callable, Sequence
from statistics import median

from sockhop.bench.comparison import Measured, Result
from sockhop.bench.sample import Sample
from sockhop.bench.units import duration, quantity

LATENCIES = ("p50", "p99", "p99.9", "max")
#: CPU time is that of both ends, the kernel's work for them included; ``elsewhere`` is everything else.
COLUMNS = (
    "rate",
    *LATENCIES,
    "CPU/message",
    "of it system",
    "elsewhere",
    "CPU/byte",
    "switches/message",
    "resident",
    "hopped",
)


def cells(result: Result, arm: Measured) -> list[str]:
    """The arm's cells for COLUMNS; empty where nothing is known."""
    if not arm.samples:
        return [""] * len(COLUMNS)

    def cost(name: str, write: Callable[[float], str]) -> str:
        known = [costs[name] for costs in map(Sample.costs, arm.samples) if name in costs]
        return write(median(known)) if known else ""

    return [
        quantity(median(sample.rate for sample in arm.samples), result.unit),
        *latencies(arm),
        cost("cpu_per_message", duration),
        cost("cpu_system_per_message", duration),
        cost("cpu_elsewhere_per_message", duration),
        cost("cpu_per_byte", duration),
        cost("switches_per_message", lambda value: f"{value:.2f}"),
        cost("resident", lambda value: f"{value / 1e6:.1f} MB"),
        _share(arm.samples),
    ]


def latencies(arm: Measured) -> list[str]:
    """The distribution of all samples together, where it was kept; else medians of what each told."""
    if arm.histogram:
        points = arm.histogram.points()
        return [duration(points[name]) for name in LATENCIES]
    known = [[sample.latency[name] for sample in arm.samples if name in sample.latency] for name in LATENCIES]
    return [duration(median(values)) if values else "" for values in known]


def _share(samples: Sequence[Sample]) -> str:
    known = [sample.hopped for sample in samples if sample.hopped is not None]
    return f"{median(known):.0%}" if known else ""
