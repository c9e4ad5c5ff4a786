"""Reports of runs that never were."""

import dataclasses
from collections.abc import Mapping, Sequence

from sockhop.bench.arms import Arm, Plain, Session
from sockhop.bench.comparison import Comparison, Ratio
from sockhop.bench.effort import Effort
from sockhop.bench.figures import NEVER_SLOWER, Row, Wanted
from sockhop.bench.histogram import Histogram
from sockhop.bench.machine import Failed, Machine
from sockhop.bench.report import Report
from sockhop.bench.results import Result
from sockhop.bench.sample import Sample
from sockhop.bench.usage import Usage

FACTS = {"kernel": "6.18.0", "cpu": "a <fast> one | two", "cpus": 2, "congestion_control": "reno", "load": 0.25}
RATES = {
    "tcp": [100.0, 100.0, 101.0, 99.0, 100.0, 100.0, 100.0],
    "hop": [150.0, 160.0, 161.0, 159.0, 160.0, 160.0, 160.0],
}
AT_MOST = Wanted(0.5, at_least=False)
EFFORT = Effort(rounds=6)
RATIOS = (Ratio("hop", "tcp", NEVER_SLOWER), Ratio("hop", "tcp", Wanted(1.0, at_least=False), of="p99.9"))


def sample(rate: float) -> Sample:
    """A sample with everything that can be known."""
    histogram = Histogram({int(1e9 / rate): 9000, int(2e9 / rate): 990, int(5e9 / rate): 10}, int(5e9 / rate))
    return Sample(
        rate, Usage(0.1, 0.2, 0.01, 50, 2_000_000), 100, 1000, histogram.points(), histogram=histogram, hopped=0.99
    )


def comparison(
    rates: Mapping[str, Sequence[float]] = RATES, ratios: Sequence[Ratio] = RATIOS, name: str = "rr-1-nodelay-1cpu"
) -> Comparison:
    """A case whose samples come one after the other from ``rates``; one that has ended fails."""
    left = {arm: iter(values) for arm, values in rates.items()}

    def next_one(_machine: Machine, _effort: Effort, arm: Arm, _session: Session) -> Sample:
        try:
            return sample(next(left[arm.name]))
        except StopIteration:
            raise Failed(f"no more of {arm.name}") from None

    return Comparison(
        name=name,
        title="request/response 1 B | <one>",
        group="request/response",
        arms=tuple(rates),
        sample=next_one,
        ratios=ratios,
        size=1,
        make=Plain,
    )


def result(machine: Machine, case: Comparison | None = None) -> Result:
    """What comes of a case in six rounds."""
    return (case or comparison()).measure(machine, EFFORT)


def report(machine: Machine) -> Report:
    """One with a case that is measured, one of another size, one that fails, and a plain figure."""
    failing = comparison({"tcp": RATES["tcp"], "hop": []}, name="rr-64-nodelay-1cpu")
    larger = dataclasses.replace(comparison(), name="rr-1M-nodelay-1cpu", size=1 << 20)
    figure = Row(
        "up",
        "sockhop up",
        "",
        "s",
        value=0.1,
        low=0.09,
        high=0.12,
        wanted=Wanted(0.5, at_least=False),
        samples=(0.1,) * 6,
    )
    cases = [result(machine), result(machine, failing), result(machine, larger)]
    return Report(FACTS, [*cases, Result("up", "sockhop up", "control plane", [figure])], EFFORT, 12.5)
