"""Measuring arms side by side: A B C B C A ..., and ratios of the same round."""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from sockhop.bench import tails
from sockhop.bench.arms import LEARNING, LOADING, Arm, Lesson, Session, arm
from sockhop.bench.effort import LESSON, Effort, native
from sockhop.bench.figures import SURE, Row, Wanted, noise, summarise
from sockhop.bench.histogram import POINTS, Histogram
from sockhop.bench.machine import TROUBLE, Failed, Machine
from sockhop.bench.results import Measured, Result
from sockhop.bench.sample import Sample

#: Seconds to set an arm up for a sample, and to take it away; more where sockhop is loaded for it, and where that
#: watches programs.
ARM_SECONDS, LOAD_SECONDS, WATCH_SECONDS = 0.03, 0.2, 0.4
#: Runs that an arm learns from: three for a class with a connection each, and one to look at what it has learned.
LESSONS, MOST_LESSONS = 4, 8


#: One measurement. Raises Failed.
Measure = Callable[[Machine, Effort, Arm, Session], Sample]


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
class Comparison:
    """One scenario over several arms."""

    name: str
    title: str
    group: str
    """What it is reported with."""
    arms: tuple[str, ...]
    sample: Measure
    ratios: Sequence[Ratio]
    """Those of arms that are not measured are left out."""
    unit: str = "/s"
    """Of a sample's rate."""
    size: int | None = None
    """Bytes, for plots by size: cases of a group with equal names but for the size make a line."""
    quick: bool = False
    """Whether it belongs to the few that ``--quick`` measures."""
    reference: str | None = None
    """An arm more, which shows what is possible; a quick run has no time for it."""
    make: Callable[[Machine, str], Arm] = field(default=arm)
    rounds: float = 1.0
    """Of the effort's rounds: more for what needs a narrow interval, fewer for what takes long."""
    lasts: Callable[[Effort], float] = native
    """Seconds of one sample."""

    def seconds(self, effort: Effort) -> float:
        """How long it is going to take."""
        arms = self._arms(effort)
        each = len(arms) * (self.lasts(effort) + ARM_SECONDS) + len(LOADING & {*arms}) * LOAD_SECONDS
        if learning := len(LEARNING & {*arms}):
            each += (learning * LESSONS + len(arms) - learning) * self.lasts(LESSON) + learning * WATCH_SECONDS
        return (self.count(effort) + 1) * each

    def measure(self, machine: Machine, effort: Effort) -> Result:
        """Measure every arm. One that fails takes only its own ratios with it."""
        names = self._arms(effort)
        samples: dict[str, list[Sample]] = {name: [] for name in names}
        failures: dict[str, str] = {}
        order = list(names)
        for _ in range(self.count(effort) + 1):
            for name in order:
                if name in failures:
                    continue
                try:
                    samples[name].append(self._once(machine, effort, self.make(machine, name)))
                except TROUBLE as error:
                    failures[name] = str(error)
            order.append(order.pop(0))
        arms = {name: self._measured(name, samples[name], failures.get(name)) for name in names}
        wanted = [ratio for ratio in self.ratios if {ratio.ours, ratio.theirs} <= set(names)]
        rows = compared(self.name, self.title, self.unit, wanted, arms)
        return Result(self.name, self.title, self.group, rows, list(arms.values()), self.unit, self.size)

    def _arms(self, effort: Effort) -> tuple[str, ...]:
        return (*self.arms, self.reference) if self.reference and effort.references else self.arms

    def count(self, effort: Effort) -> int:
        """Of its samples that count."""
        return max(SURE, round(effort.rounds * self.rounds)) if effort.narrow else effort.rounds

    def _once(self, machine: Machine, effort: Effort, arm: Arm) -> Sample:
        with arm.up() as session:
            if LEARNING & {*self.arms}:
                self._teach(machine, arm, session)
            sample = self.sample(machine, effort, arm, session)
            return dataclasses.replace(sample, hopped=session.hopped())

    def _teach(self, machine: Machine, arm: Arm, session: Session) -> None:
        """Until it has made up its mind, and once more: what hops are worth shows only while they hop.

        Where one arm learns, those that need not get a lesson too: no arm comes to its sample from nothing.
        """
        for _ in range(MOST_LESSONS):
            has_learned = not arm.learns or session.has_learned()
            self.sample(machine, LESSON, arm, Lesson(session.cgroup))
            if has_learned:
                return session.begin()
        raise Failed(f"after {MOST_LESSONS} lessons it still learns")

    def _measured(self, name: str, samples: Sequence[Sample], failed: str | None) -> Measured:
        counted = samples[1:]
        histograms = [sample.histogram for sample in counted if sample.histogram]
        merged = Histogram.merge(histograms) if histograms else None
        return Measured(name, tuple(samples[:1]), tuple(counted), merged, failed)


def compared(name: str, title: str, unit: str, ratios: Sequence[Ratio], arms: Mapping[str, Measured]) -> list[Row]:
    """The rows of the ratios, but for those of points beyond which there is too little."""
    rows = (_row(name, title, unit, ratio, arms[ratio.ours], arms[ratio.theirs]) for ratio in ratios)
    return [row for row in rows if row]


def _row(name: str, title: str, unit: str, ratio: Ratio, ours: Measured, theirs: Measured) -> Row | None:
    row = functools.partial(
        Row,
        case=name,
        title=title,
        versus=ratio.versus,
        unit="x",
        rate_unit=unit if ratio.of == "rate" else "s",
        wanted=ratio.wanted,
    )
    failed = [f"{arm.arm}: {arm.failed}" for arm in (ours, theirs) if arm.failed]
    if failed:
        return row(failed="; ".join(failed))
    # That of the rates shows what else the machine did; a tail differs from round to round by itself.
    row = functools.partial(row, noise=noise([sample.rate for sample in theirs.samples]))
    if ratio.of != "rate" and ours.histogram and theirs.histogram:
        return _of_tails(row, ratio.of, ours, theirs)
    mine, other = ([sample.value(ratio.of) for sample in arm.samples] for arm in (ours, theirs))
    row = functools.partial(row, rates=(median(mine), median(other)))
    return summarise(row, [a / b for a, b in zip(mine, other, strict=True)])


def _of_tails(row: Callable[..., Row], point: str, ours: Measured, theirs: Measured) -> Row | None:
    """The row of a point of all rounds together."""
    part, merged = POINTS[point], [arm.histogram for arm in (ours, theirs) if arm.histogram]
    if not all(histogram.shows(part) for histogram in merged):
        return None
    rounds = [[sample.histogram for sample in arm.samples if sample.histogram] for arm in (ours, theirs)]
    value, low, high = tails.ratio(part, *rounds)
    each = tuple(mine.quantile(part) / other.quantile(part) for mine, other in zip(*rounds, strict=True))
    mine, other = (histogram.quantile(part) for histogram in merged)
    return row(value=value, low=low, high=high, rates=(mine, other), samples=each)
