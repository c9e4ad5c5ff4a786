"""How long to measure."""

import dataclasses
from dataclasses import dataclass


@dataclass(frozen=True)
class Effort:
    """How long to measure."""

    rounds: int = 8
    """That count; one more goes before them, to warm up: its samples are kept, and in no result."""
    run_ms: int = 250
    """The timed part of a sample of the C programs."""
    warm_ms: int = 50
    """What they do before it, on the same connection."""
    requests: int = 40_000
    """Of one redis-benchmark test."""
    idle: int = 10_000
    """Idle connections to weigh."""
    references: bool = True
    """Whether arms are measured that are there only to show what is possible."""

    @property
    def native_seconds(self) -> float:
        """How long a sample of the C programs lasts."""
        return (self.warm_ms + self.run_ms) / 1000 + 0.05


QUICK = Effort(rounds=3, run_ms=80, requests=10_000, idle=2_000, references=False)
#: What an arm that learns is given to learn from.
LESSON = dataclasses.replace(QUICK, requests=2_000)


def native(effort: Effort) -> float:
    """Seconds of a sample of the C programs."""
    return effort.native_seconds
