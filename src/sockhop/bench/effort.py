"""How long to measure."""

import dataclasses
from dataclasses import dataclass

from sockhop.bench.figures import SURE

#: Seconds that starting and ending two programs takes.
START_SECONDS = 0.04


@dataclass(frozen=True)
class Effort:
    """How long to measure."""

    rounds: int = 8
    """That count; one more goes before them, to warm up: its samples are kept, and in no result."""
    turns: int = 200
    """The same of states that take turns in one pair of programs."""
    run_ms: int = 150
    """The timed part of a sample of the C programs."""
    warm_ms: int = 50
    """What they do before it, on the same connection."""
    requests: int = 30_000
    """Of one redis-benchmark test."""
    program_ms: int = 600
    """How long wrk and h2load ask."""
    transactions: int | None = None
    """Of pgbench's clients together; None for as many as they get done in a second."""
    idle: int = 10_000
    """Idle connections to weigh."""
    references: bool = True
    """Whether arms are measured that are there only to show what is possible."""
    narrow: bool = True
    """Whether what needs a narrow interval gets more rounds than others."""

    @property
    def native_seconds(self) -> float:
        """How long a sample of the C programs lasts."""
        return (self.warm_ms + self.run_ms) / 1000 + START_SECONDS


QUICK = Effort(
    rounds=SURE,
    turns=30,
    run_ms=40,
    warm_ms=20,
    requests=5_000,
    program_ms=200,
    idle=2_000,
    references=False,
    narrow=False,
)
#: What an arm that learns is given to learn from: long enough for a stream to get ahead of its reader.
LESSON = dataclasses.replace(QUICK, run_ms=80, warm_ms=50, requests=2_000, transactions=2_000)


def native(effort: Effort) -> float:
    """Seconds of a sample of the C programs."""
    return effort.native_seconds
