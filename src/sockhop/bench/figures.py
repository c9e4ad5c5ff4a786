"""Samples to results: medians, ratios of the same round, their spread, the noise, and what was wanted."""

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

#: Plain TCP against itself may differ by so much from round to round; above it a narrow miss proves nothing.
NOISY = 0.05
#: What "never slower" allows.
FLOOR = 0.97
#: Fewer samples than this have no interval of 95 %: even the least and the greatest hold the median less often.
SURE = 6


@dataclass(frozen=True)
class Wanted:
    """A target. ``at_least`` for ratios where more is better, else at most (seconds, bytes, latencies)."""

    limit: float
    at_least: bool = True
    floor: bool = False
    """Only what is surely slower misses it: the whole interval lies below 1."""

    def met_by(self, value: float) -> bool:
        """Whether ``value`` is on the right side of the limit."""
        return value >= self.limit if self.at_least else value <= self.limit

    def is_sure(self, value: float, low: float, high: float) -> bool:
        """Whether the interval leaves no doubt of :meth:`met_by`."""
        if self.floor and not self.met_by(value):
            return high < 1
        return self.met_by(low) == self.met_by(high)


#: Never slower.
NEVER_SLOWER = Wanted(FLOOR, floor=True)


@dataclass(frozen=True)
class Row:
    """One line of the report."""

    case: str
    """What was measured, for --only: ``rr-1-nodelay-1cpu``."""
    title: str
    versus: str
    """``hop / tcp``, or nothing for a plain figure."""
    unit: str
    """Of ``value``: ``x`` for ratios, ``s``, ``B``."""
    value: float | None = None
    """The median over the rounds, or of a tail that of all rounds together; None when the measurement failed."""
    low: float | None = None
    high: float | None = None
    """A 95 % interval."""
    rates: tuple[float, float] | None = None
    """The medians of the two arms of a ratio."""
    rate_unit: str = ""
    wanted: Wanted | None = None
    noise: float | None = None
    """How far the second arm of a ratio strays from itself, see :func:`noise`."""
    failed: str | None = None
    samples: tuple[float, ...] = ()
    """A value a round."""

    @property
    def key(self) -> str:
        """Which row of which case."""
        return f"{self.case}: {self.versus or self.title}"

    @property
    def compares_rates(self) -> bool:
        """Whether it is a ratio of rates, not of latencies, and no plain figure."""
        return self.unit == "x" and self.rate_unit != "s"

    @property
    def verdict(self) -> str:
        """``failed``, ``met``, ``missed``, ``noisy``, or nothing if nothing was wanted."""
        if self.failed is not None or self.value is None:
            return "failed"
        if self.wanted is None:
            return ""
        if self.is_noisy and not self.sure:
            return "noisy"
        return "met" if self.wanted.met_by(self.value) else "missed"

    @property
    def is_noisy(self) -> bool:
        """Whether the machine did too much else for a narrow result."""
        return self.noise is not None and self.noise > NOISY

    @property
    def sure(self) -> bool:
        """Whether the whole interval is on the median's side of the limit; much noise is added to it."""
        if self.wanted is None or self.value is None or self.low is None or self.high is None:
            return True
        if len(self.samples) < SURE:
            return False
        more = 1 + self.noise if self.noise is not None and self.is_noisy else 1
        return self.wanted.is_sure(self.value, self.low / more, self.high * more)

    def as_json(self) -> dict[str, Any]:
        """The row as plain data."""
        return asdict(self) | {"verdict": self.verdict, "sure": self.sure}

    @classmethod
    def parse(cls, value: Mapping[str, Any]) -> "Row":
        """From :meth:`as_json`."""
        given = {name: part for name, part in value.items() if name not in ("verdict", "sure")}
        given["wanted"] = Wanted(**given["wanted"]) if given["wanted"] else None
        given["rates"] = tuple(given["rates"]) if given["rates"] else None
        return cls(**(given | {"samples": tuple(given["samples"])}))


def noise(samples: Sequence[float]) -> float | None:
    """How far from 1 the ratio of one round to the next can be, when nothing has changed between them.

    The farther end of the 95 % interval of its median. None for fewer than three samples, which cannot tell.
    """
    if len(samples) < 3:
        return None
    low, high = interval([later / earlier for earlier, later in pairwise(samples)])
    return max(high - 1, 1 / low - 1)


def summarise(row: Callable[..., Row], samples: Sequence[float]) -> Row:
    """A row made by ``row`` with the median and spread of ``samples``."""
    low, high = interval(samples)
    return row(value=statistics.median(samples), low=low, high=high, samples=tuple(samples))


def interval(samples: Sequence[float], level: float = 0.95) -> tuple[float, float]:
    """An interval of the median that holds it so often, whatever the distribution, from :data:`SURE` samples on.

    Between the two pairs of order statistics that hold it a little more and a little less often: Hettmansperger
    and Sheather, Statistics & Probability Letters 4 (1986). A bootstrap of so few holds it less often than it
    says, of 7 samples 87 times in 100.
    """
    ordered, depth = sorted(samples), 1
    while depth < len(ordered) // 2 and _coverage(len(ordered), depth + 1) >= level:
        depth += 1
    wider, narrower = (_coverage(len(ordered), each) for each in (depth, depth + 1))
    if wider <= level or depth >= len(ordered) // 2:
        return ordered[depth - 1], ordered[-depth]
    way = (wider - level) / (wider - narrower)
    share = (len(ordered) - depth) * way / (depth + (len(ordered) - 2 * depth) * way)
    return (
        ordered[depth - 1] + share * (ordered[depth] - ordered[depth - 1]),
        ordered[-depth] + share * (ordered[-depth - 1] - ordered[-depth]),
    )


def _coverage(count: int, depth: int) -> float:
    """How often the median lies between the values that are so deep from either end."""
    return 1 - sum(math.comb(count, lower) for lower in range(depth)) / float(2 ** (count - 1))
