"""Measuring arms side by side: A B C A B C ..., and ratios of the same round."""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from sockhop.bench.arms import Arm, Lesson, Session, arm
from sockhop.bench.figures import Row, Wanted, noise, summarise
from sockhop.bench.histogram import Histogram
from sockhop.bench.machine import Failed, Machine
from sockhop.bench.sample import Sample

#: Seconds to set an arm up for a sample, and to take it away.
ARM_SECONDS = 0.1


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

    @property
    def native_seconds(self) -> float:
        """How long a sample of the C programs lasts."""
        return (self.warm_ms + self.run_ms) / 1000 + 0.05


QUICK = Effort(rounds=3, run_ms=80, requests=10_000, idle=2_000)
#: What an arm that learns is given to learn from.
LESSON = dataclasses.replace(QUICK, requests=2_000)


@dataclass(frozen=True)
class Ratio:
    """One arm to another."""

    ours: str
    theirs: str
    wanted: Wanted | None = None
    of: str = "rate"
    """Or a point of the latency, of which less is better."""

    @property
    def versus(self) -> str:
        """As the report prints it."""
        return f"{self.ours} / {self.theirs}" + ("" if self.of == "rate" else f", {self.of}")


@dataclass(frozen=True)
class Measured:
    """What came of one arm."""

    arm: str
    warm_up: tuple[Sample, ...]
    samples: tuple[Sample, ...]
    histogram: Histogram | None = None
    """Of all samples that count."""
    failed: str | None = None

    def as_json(self) -> dict[str, Any]:
        """The arm as plain data."""
        return {
            "arm": self.arm,
            "failed": self.failed,
            "samples": [
                {"warm_up": warm, **sample.as_json()}
                for warm, samples in ((True, self.warm_up), (False, self.samples))
                for sample in samples
            ],
            "latency": self.histogram.as_json() if self.histogram else None,
        }

    @classmethod
    def parse(cls, value: Mapping[str, Any]) -> "Measured":
        """From :meth:`as_json`."""
        of = {
            warm: tuple(Sample.parse(s) for s in value["samples"] if s["warm_up"] == warm)
            for warm in (True, False)
        }
        histogram = Histogram.parse(value["latency"]) if value["latency"] else None
        return cls(value["arm"], of[True], of[False], histogram, value["failed"])


@dataclass(frozen=True)
class Result:
    """What came of one case."""

    case: str
    title: str
    group: str
    rows: Sequence[Row]
    arms: Sequence[Measured] = ()
    unit: str = ""
    size: int | None = None

    def as_json(self) -> dict[str, Any]:
        """The result as plain data, every sample included."""
        return {
            "case": self.case,
            "title": self.title,
            "group": self.group,
            "unit": self.unit,
            "size": self.size,
            "rows": [row.as_json() for row in self.rows],
            "arms": [arm.as_json() for arm in self.arms],
        }

    @classmethod
    def parse(cls, value: Mapping[str, Any]) -> "Result":
        """From :meth:`as_json`."""
        rows = [Row.parse(row) for row in value["rows"]]
        arms = [Measured.parse(arm) for arm in value["arms"]]
        return cls(value["case"], value["title"], value["group"], rows, arms, value["unit"], value["size"])


def native(effort: Effort) -> float:
    """Seconds of a sample of the C programs."""
    return effort.native_seconds


@dataclass(frozen=True)
class Comparison:
    """One scenario over several arms."""

    name: str
    title: str
    group: str
    """What it is reported with."""
    arms: tuple[str, ...]
    sample: Callable[[Machine, Effort, Arm, Session], Sample]
    """One measurement. Raises Failed."""
    ratios: Sequence[Ratio]
    unit: str = "/s"
    """Of a sample's rate."""
    size: int | None = None
    """Bytes, for plots by size: cases of a group with equal names but for the size make a line."""
    quick: bool = False
    """Whether it belongs to the few that ``--quick`` measures."""
    make: Callable[[Machine, str], Arm] = field(default=arm)
    rounds: float = 1.0
    """Of the effort's rounds: more for what needs a narrow interval, fewer for what takes long."""
    lasts: Callable[[Effort], float] = native
    """Seconds of one sample."""

    def seconds(self, effort: Effort) -> float:
        """How long it is going to take."""
        learning = sum(name == "auto" for name in self.arms)
        each = len(self.arms) * (self.lasts(effort) + ARM_SECONDS) + learning * self.lasts(LESSON)
        return (self._count(effort) + 1) * each

    def measure(self, machine: Machine, effort: Effort) -> Result:
        """Measure every arm. One that fails takes only its own ratios with it."""
        samples: dict[str, list[Sample]] = {name: [] for name in self.arms}
        failures: dict[str, str] = {}
        for _ in range(self._count(effort) + 1):
            for name in self.arms:
                if name in failures:
                    continue
                try:
                    samples[name].append(self._once(machine, effort, self.make(machine, name)))
                except Failed as error:
                    failures[name] = str(error)
        arms = {name: self._measured(name, samples[name], failures.get(name)) for name in self.arms}
        rows = [self._row(ratio, arms[ratio.ours], arms[ratio.theirs]) for ratio in self.ratios]
        return Result(self.name, self.title, self.group, rows, list(arms.values()), self.unit, self.size)

    def _count(self, effort: Effort) -> int:
        return max(3, round(effort.rounds * self.rounds))

    def _once(self, machine: Machine, effort: Effort, arm: Arm) -> Sample:
        with arm.up() as session:
            if arm.learns:
                self.sample(machine, LESSON, arm, Lesson(session.cgroup))
            sample = self.sample(machine, effort, arm, session)
            return dataclasses.replace(sample, hopped=session.hopped())

    def _measured(self, name: str, samples: Sequence[Sample], failed: str | None) -> Measured:
        counted = samples[1:]
        histograms = [sample.histogram for sample in counted if sample.histogram]
        merged = Histogram.merge(histograms) if histograms else None
        return Measured(name, tuple(samples[:1]), tuple(counted), merged, failed)

    def _row(self, ratio: Ratio, ours: Measured, theirs: Measured) -> Row:
        row = functools.partial(
            Row,
            case=self.name,
            title=self.title,
            versus=ratio.versus,
            unit="x",
            rate_unit=self.unit if ratio.of == "rate" else "s",
            wanted=ratio.wanted,
        )
        failed = [f"{arm.arm}: {arm.failed}" for arm in (ours, theirs) if arm.failed]
        if failed:
            return row(failed="; ".join(failed))
        mine, other = ([sample.value(ratio.of) for sample in arm.samples] for arm in (ours, theirs))
        row = functools.partial(row, rates=(median(mine), median(other)), noise=noise(other))
        return summarise(row, [a / b for a, b in zip(mine, other, strict=True)])
