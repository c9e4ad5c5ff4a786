"""Samples to results: medians, ratios of the same round, their spread, and what was wanted."""

import random
import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Wanted:
    """A target. ``at_least`` for ratios (more is better), else at most (seconds, bytes)."""

    limit: float
    at_least: bool = True

    def met_by(self, value: float) -> bool:
        """Whether ``value`` is on the right side of the limit."""
        return value >= self.limit if self.at_least else value <= self.limit


@dataclass(frozen=True)
class Row:
    """One line of the report."""

    case: str
    """What was measured, for --only: ``rr-1``."""
    title: str
    versus: str
    """``hop / tcp``, or nothing for a plain figure."""
    unit: str
    """Of ``value``: ``x`` for ratios, ``s``, ``B``."""
    value: float | None = None
    """The median over the rounds; None when the measurement failed."""
    low: float | None = None
    high: float | None = None
    """A 95 % bootstrap interval of that median."""
    rates: tuple[float, float] | None = None
    """The medians of the two arms of a ratio."""
    rate_unit: str = ""
    wanted: Wanted | None = None
    failed: str | None = None
    samples: tuple[float, ...] = ()
    """A value a round."""

    @property
    def verdict(self) -> str:
        """``failed``, ``met``, ``missed``, or nothing if nothing was wanted."""
        if self.failed is not None or self.value is None:
            return "failed"
        if self.wanted is None:
            return ""
        return "met" if self.wanted.met_by(self.value) else "missed"

    @property
    def sure(self) -> bool:
        """Whether the whole interval is on the same side of what was wanted as the median is."""
        if self.wanted is None or self.low is None or self.high is None:
            return True
        return self.wanted.met_by(self.low) == self.wanted.met_by(self.high)

    def as_json(self) -> dict[str, object]:
        """The row as plain data."""
        return asdict(self) | {"verdict": self.verdict, "sure": self.sure}


def summarise(row: Callable[..., Row], samples: Sequence[float]) -> Row:
    """A row made by ``row`` with the median and spread of ``samples``."""
    low, high = interval(samples)
    return row(value=statistics.median(samples), low=low, high=high, samples=tuple(samples))


def interval(samples: Sequence[float], draws: int = 2000) -> tuple[float, float]:
    """A 95 % bootstrap interval of the median. Seeded: the same samples always give the same one."""
    chance = random.Random(0)
    medians = sorted(statistics.median(chance.choices(samples, k=len(samples))) for _ in range(draws))
    return medians[int(draws * 0.025)], medians[int(draws * 0.975)]
