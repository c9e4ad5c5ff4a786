"""How much one distribution's tail is of another's: of all rounds together, for one alone has too few so slow."""

import random
from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate

from sockhop.bench.histogram import Histogram

DRAWS = 1000


class _Rounds:
    """The distributions of the rounds of an arm, of which any may be merged."""

    def __init__(self, rounds: Sequence[Histogram]) -> None:
        self._buckets = sorted(set().union(*(each.counts for each in rounds)))
        self._counts = [
            list(accumulate(each.counts.get(bucket, 0) for bucket in self._buckets)) for each in rounds
        ]

    def quantile(self, part: float, chosen: Sequence[int]) -> float:
        """Within which this part of all messages of these rounds was done."""

        def within(bucket: int) -> int:
            return sum(self._counts[each][bucket] for each in chosen)

        last = len(self._buckets) - 1
        return self._buckets[bisect_left(range(last), part * within(last), key=within)]


def ratio(part: float, ours: Sequence[Histogram], theirs: Sequence[Histogram]) -> tuple[float, float, float]:
    """The ratio of the two quantiles, and its 95 % bootstrap interval over the rounds.

    Seeded: the same samples always give the same one.
    """
    chance, arms, rounds = random.Random(0), (_Rounds(ours), _Rounds(theirs)), range(len(ours))

    def drawn(chosen: Sequence[int]) -> float:
        mine, other = (arm.quantile(part, chosen) for arm in arms)
        return mine / other

    ratios = sorted(drawn(chance.choices(rounds, k=len(rounds))) for _ in range(DRAWS))
    return drawn(rounds), ratios[int(DRAWS * 0.025)], ratios[int(DRAWS * 0.975)]
