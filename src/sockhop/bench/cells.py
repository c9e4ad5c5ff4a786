"""The cells of the two tables that every kind of report has: the ratios, and what each arm is like by itself."""

from collections.abc import Callable, Sequence
from statistics import median

from sockhop.bench.figures import Row
from sockhop.bench.results import Measured, Result
from sockhop.bench.sample import Sample
from sockhop.bench.units import duration, quantity

RATIO_COLUMNS = ("ours", "theirs", "result", "95 %", "wanted", "")
LATENCIES = ("p50", "p99", "p99.9", "max")
#: A message's CPU time at both ends, and how much of that is the kernel's; that of everything else on the machine;
#: a byte's; context switches a message; the server's resident memory; how much of all messages hopped.
ARM_COLUMNS = (
    "rate",
    *LATENCIES,
    "CPU/msg",
    "system",
    "elsewhere",
    "CPU/B",
    "switches",
    "server",
    "hopped",
)


def of_ratio(row: Row) -> list[str]:
    """Of a row, for RATIO_COLUMNS."""
    rates = [quantity(rate, row.rate_unit) for rate in row.rates or ()] or ["", ""]
    value = "" if row.value is None else quantity(row.value, row.unit)
    return [*rates, value, interval(row), target(row), verdict(row)]


def interval(row: Row) -> str:
    """``1.44 … 1.52``, or nothing."""
    if row.low is None or row.high is None:
        return ""
    return f"{quantity(row.low, row.unit)} … {quantity(row.high, row.unit)}"


def target(row: Row) -> str:
    """``≥ 1.5``, or nothing."""
    if row.wanted is None:
        return ""
    limit = f"{row.wanted.limit:g}" if row.unit == "x" else quantity(row.wanted.limit, row.unit)
    return f"{'≥' if row.wanted.at_least else '≤'} {limit}"


def verdict(row: Row) -> str:
    """In words; a question mark where the interval reaches over the limit."""
    if row.verdict == "noisy":
        return "too noisy"
    return row.verdict + ("?" if row.verdict in ("met", "missed") and not row.sure else "")


def of_arm(result: Result, arm: Measured) -> list[str]:
    """Of an arm, for ARM_COLUMNS; empty where nothing is known."""
    if not arm.samples:
        return [""] * len(ARM_COLUMNS)

    def cost(name: str, write: Callable[[float], str]) -> str:
        known = [costs[name] for costs in map(Sample.costs, arm.samples) if name in costs]
        return write(median(known)) if known else ""

    return [
        quantity(median(sample.rate for sample in arm.samples), result.unit),
        *_latencies(arm),
        cost("cpu_per_message", duration),
        cost("cpu_system_per_message", duration),
        _elsewhere(arm.samples),
        cost("cpu_per_byte", duration),
        cost("switches_per_message", lambda value: f"{value:.2f}"),
        cost("resident", lambda value: f"{value / 1e6:.1f} MB"),
        _share(arm.samples),
    ]


def _elsewhere(samples: Sequence[Sample]) -> str:
    """Of all samples together: the ticks of one are too coarse."""
    known = [(sample.usage.elsewhere, sample.messages) for sample in samples if sample.usage]
    messages = sum(count for _, count in known)
    return duration(sum(seconds for seconds, _ in known) / messages) if messages else ""


def _latencies(arm: Measured) -> list[str]:
    """The distribution of all samples together, where it was kept; else medians of what each told."""
    if arm.histogram:
        points = arm.histogram.points()
        return [duration(points[name]) if name in points else "" for name in LATENCIES]
    known = [[sample.latency[name] for sample in arm.samples if name in sample.latency] for name in LATENCIES]
    return [duration(median(values)) if values else "" for values in known]


def _share(samples: Sequence[Sample]) -> str:
    known = [sample.hopped for sample in samples if sample.hopped is not None]
    return f"{median(known):.0%}" if known else ""
