"""Which plots there are of a report: distributions of latency, and rates by size."""

import functools
import math
from collections.abc import Iterator, Mapping, Sequence
from statistics import median

from sockhop.bench import plots, sizes
from sockhop.bench.histogram import Histogram
from sockhop.bench.results import Measured, Result
from sockhop.bench.units import duration, quantity

#: Each nine of a percentile takes as much room.
_PERCENTILES = {"50": 0.5, "90": 0.9, "99": 0.99, "99.9": 0.999, "99.99": 0.9999, "99.999": 0.99999}


def latency(result: Result) -> str | None:
    """How long messages take at each percentile; nothing if no distribution was kept."""
    known = {arm.arm: arm.histogram for arm in result.arms if arm.histogram}
    lines = {name: _percentiles(histogram) for name, histogram in known.items()}
    if not lines:
        return None
    every = [point for points in lines.values() for point in points]
    ticks = [(_nines(part), text) for text, part in _PERCENTILES.items()]
    last = max(across for across, _ in every)
    x = plots.Axis(0, last, [tick for tick in ticks if tick[0] <= last])
    y = plots.logarithmic([10**down for _, down in every], duration)
    return plots.plot(f"{result.title}: latency", lines, x, y, "percentile")


def rates(results: Sequence[Result]) -> Iterator[tuple[str, str]]:
    """Of each family of cases that differ in size alone, its name and a plot of its rates."""
    for family, members in _families(results).items():
        lines = {
            name: [(math.log2(size), math.log10(rate)) for size, rate in sorted(points.items())]
            for name, points in _rates_of(members).items()
        }
        every = [point for points in lines.values() for point in points]
        if not every:
            continue
        counts = sorted({result.size for result in members if result.size})
        ticks = [(math.log2(count), sizes.name(count)) for count in counts]
        x = plots.Axis(ticks[0][0], ticks[-1][0], ticks)
        unit = members[0].unit
        y = plots.logarithmic([10**down for _, down in every], functools.partial(quantity, unit=unit, digits="g"))
        yield family, plots.plot(f"{family}: rate by size", lines, x, y, "bytes of a message")


def _families(results: Sequence[Result]) -> Mapping[str, list[Result]]:
    """``rr-16K-nodelay-1cpu`` is of the family ``rr nodelay 1cpu``; one alone makes no line."""
    families: dict[str, list[Result]] = {}
    for result in results:
        if result.size is not None:
            kind, _, *rest = result.case.split("-")
            families.setdefault(" ".join([kind, *rest]), []).append(result)
    return {name: members for name, members in families.items() if len(members) > 1}


def _rates_of(members: Sequence[Result]) -> Mapping[str, dict[int, float]]:
    rates: dict[str, dict[int, float]] = {}
    for result in members:
        for arm in result.arms:
            if arm.samples and result.size and (rate := _rate(arm)) > 0:
                rates.setdefault(arm.arm, {})[result.size] = rate
    return rates


def _rate(arm: Measured) -> float:
    return median(sample.rate for sample in arm.samples)


def _percentiles(histogram: Histogram) -> list[tuple[float, float]]:
    """Points along the distribution, as far out as there are messages to tell."""
    steps = int(10 * math.log10(max(10, sum(histogram.counts.values()))))
    return [
        (step / 10, math.log10(max(1e-9, histogram.quantile(1 - 10 ** (-step / 10))))) for step in range(steps + 1)
    ]


def _nines(part: float) -> float:
    return -math.log10(1 - part)
