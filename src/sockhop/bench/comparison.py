"""Measuring arms side by side: A B C A B C ..., and ratios of the same round."""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median

from sockhop.bench.arms import Arm, Session, arm
from sockhop.bench.figures import Row, Wanted, summarise
from sockhop.bench.machine import Failed, Machine


@dataclass(frozen=True)
class Effort:
    """How long to measure."""

    rounds: int = 9
    """That count; one more goes before them, to warm up, and is thrown away."""
    run_ms: int = 250
    """The timed part of a sample of the C programs."""
    warm_ms: int = 50
    """What they do before it, on the same connection."""
    requests: int = 40_000
    """Of one redis-benchmark test."""
    idle: int = 10_000
    """Idle connections to weigh."""


QUICK = Effort(rounds=3, run_ms=80, warm_ms=20, requests=15_000, idle=2_000)


@dataclass(frozen=True)
class Comparison:
    """One scenario over several arms."""

    name: str
    title: str
    unit: str
    """Of what ``sample`` returns."""
    arms: tuple[str, ...]
    sample: Callable[[Machine, Effort, Arm, Session], float]
    """One measurement: a rate, so that more is better. Raises Failed."""
    ratios: Sequence[tuple[str, str, float | None]]
    """(ours, theirs, wanted at least)."""
    make: Callable[[Machine, str], Arm] = field(default=arm)
    rounds: float = 1.0
    """Of the effort's rounds: more for what needs a narrow interval."""

    def measure(self, machine: Machine, effort: Effort) -> list[Row]:
        """Every ratio as a row. An arm that fails takes only its own ratios with it."""
        samples, failures = self._samples(machine, effort)
        rows = []
        for ours, theirs, least in self.ratios:
            row = functools.partial(
                Row,
                case=self.name,
                title=self.title,
                versus=f"{ours} / {theirs}",
                unit="x",
                rate_unit=self.unit,
                wanted=None if least is None else Wanted(least),
            )
            failed = [f"{name}: {failures[name]}" for name in (ours, theirs) if name in failures]
            if failed:
                rows.append(row(failed="; ".join(failed)))
                continue
            a, b = samples[ours], samples[theirs]
            row = functools.partial(row, rates=(median(a), median(b)))
            rows.append(summarise(row, [mine / other for mine, other in zip(a, b, strict=True)]))
        return rows

    def _samples(self, machine: Machine, effort: Effort) -> tuple[dict[str, list[float]], dict[str, str]]:
        samples: dict[str, list[float]] = {name: [] for name in self.arms}
        failures: dict[str, str] = {}
        for number in range(round(effort.rounds * self.rounds) + 1):
            for name in self.arms:
                if name in failures:
                    continue
                try:
                    way = self.make(machine, name)
                    with way.up() as session:
                        rate = self.sample(machine, effort, way, session)
                except Failed as error:
                    failures[name] = str(error)
                    continue
                if number:
                    samples[name].append(rate)
        return samples, failures
