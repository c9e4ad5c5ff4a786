"""Durations as the C programs count them, in buckets, and what is read from them."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

#: The points of a distribution that are reported.
POINTS = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999}
#: So many messages at least must lie beyond a point: else it says how slow the slowest was, and by chance.
BEYOND = 10
#: As in ``native/histogram.h``: a power of two has 64 buckets.
PARTS_BITS = 6


@dataclass(frozen=True)
class Histogram:
    """How many durations were how long."""

    counts: Mapping[int, int]
    """Of each bucket, by its middle in nanoseconds: see ``native/histogram.h``."""
    longest: int
    """Nanoseconds, exactly."""

    @classmethod
    def parse(cls, value: dict[str, Any]) -> "Histogram":
        """From what a C program printed, or :meth:`as_json` gave."""
        return cls({int(middle): int(count) for middle, count in value["buckets"]}, int(value["max"]))

    @classmethod
    def of(cls, durations: Iterable[tuple[int, int]]) -> "Histogram":
        """From nanoseconds, and how often each was seen."""
        counts: Counter[int] = Counter()
        longest = 0
        for ns, count in durations:
            shift = max(0, ns.bit_length() - 1 - PARTS_BITS)
            counts[(ns >> shift << shift) + (1 << shift >> 1)] += count
            longest = max(longest, ns)
        return cls(counts, longest)

    @classmethod
    def merge(cls, parts: Iterable["Histogram"]) -> "Histogram":
        """All of them as one."""
        counts: Counter[int] = Counter()
        longest = 0
        for part in parts:
            counts.update(part.counts)
            longest = max(longest, part.longest)
        return cls(counts, longest)

    def quantile(self, part: float) -> float:
        """Seconds within which this part of all were done; within 0.8 %, for a bucket has a width."""
        wanted, seen = part * sum(self.counts.values()), 0
        for middle in sorted(self.counts):
            seen += self.counts[middle]
            if seen >= wanted:
                return min(middle, self.longest) / 1e9
        return self.longest / 1e9

    def shows(self, part: float) -> bool:
        """Whether enough lies beyond this part of all."""
        return sum(self.counts.values()) * (1 - part) >= BEYOND - 1e-6

    def points(self) -> dict[str, float]:
        """Seconds at each of POINTS that can be told, and the longest."""
        told = {name: self.quantile(part) for name, part in POINTS.items() if self.shows(part)}
        return told | {"max": self.longest / 1e9}

    def as_json(self) -> dict[str, Any]:
        """As the C programs print it."""
        return {"max": self.longest, "buckets": sorted(map(list, self.counts.items()))}
