"""States that take turns while one pair of programs runs on: for what differs by less than two runs do.

Samples that start their programs anew may differ by 10 %: where those come to lie in memory and caches decides. In
one pair that runs on, nothing changes but the state. A rate is that of the state's counter of hops, and those of
others must stand still meanwhile.
"""

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sockhop.bench import sizes
from sockhop.bench.arms import MOST
from sockhop.bench.cases.native import PORT
from sockhop.bench.comparison import Ratio, compared
from sockhop.bench.effort import Effort
from sockhop.bench.machine import LOCAL, TROUBLE, Failed, Machine, Place
from sockhop.bench.processes import START_SECONDS, beside, serving
from sockhop.bench.results import Measured, Result
from sockhop.bench.sample import Sample
from sockhop.control import status
from sockhop.kernel.abi import Traffic

#: Seconds that a state is measured for, and those before in which caches get used to it.
SLICE, SETTLE = 0.03, 0.003
#: Seconds that changing the state takes.
CHANGE = 0.006
#: Milliseconds and requests: more than any case takes.
FOREVER = "100000000"
UNIT = "/s"

On = Callable[[], contextlib.AbstractContextManager[None]]
Traffics = Callable[[], list[Traffic]]


@dataclass(frozen=True)
class State:
    """What a pair is in for a turn."""

    on: On
    traffic: Traffics
    """The counters of each CPU that show its hops."""


@dataclass(frozen=True)
class Stage:
    """Where a pair runs."""

    states: Mapping[str, State]


@dataclass(frozen=True)
class Turns:
    """A case."""

    name: str
    title: str
    group: str
    ratios: Sequence[Ratio]
    """Of states."""
    stage: Callable[[Machine], contextlib.AbstractContextManager[Stage]]
    """Sets everything up meanwhile. Raises Failed."""
    quick: bool = False

    def seconds(self, effort: Effort) -> float:
        """How long it is going to take."""
        return 3 + len(self._names) * effort.turns * (SLICE + SETTLE + CHANGE)

    def measure(self, machine: Machine, effort: Effort) -> Result:
        """Let the states take turns."""
        failed, rates = None, {name: list[float]() for name in self._names}
        try:
            with self.stage(machine) as stage:
                await_hops(stage)
                rates = take_turns(stage, effort.turns)
        except TROUBLE as error:
            failed = str(error)
        # The first turn warms up.
        samples = {name: tuple(map(Sample, each)) for name, each in rates.items()}
        arms = {name: Measured(name, each[:1], each[1:], failed=failed) for name, each in samples.items()}
        rows = compared(self.name, self.title, UNIT, self.ratios, arms)
        return Result(self.name, self.title, self.group, rows, list(arms.values()), UNIT)

    @property
    def _names(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for ratio in self.ratios for name in (ratio.theirs, ratio.ours)))


def await_hops(stage: Stage) -> None:
    """Wait until the pair hops in each state. Raises Failed."""
    for name, state in stage.states.items():
        deadline = time.monotonic() + START_SECONDS
        with state.on():
            before = hops(state)
            while hops(state) == before:
                if time.monotonic() > deadline:
                    raise Failed(f"{name}: nothing hopped within {START_SECONDS:.0f} s")
                time.sleep(0.005)


def take_turns(stage: Stage, turns: int) -> dict[str, list[float]]:
    """Hops a second in each state, a value a turn and one more. Raises Failed."""
    rates: dict[str, list[float]] = {name: [] for name in stage.states}
    order = list(stage.states)
    for _ in range(turns + 1):
        for name in order:
            with stage.states[name].on():
                time.sleep(SETTLE)
                rates[name].append(hops_a_second(stage, name))
        order.append(order.pop(0))
    for name, state in stage.states.items():
        hop, stack = status.traffic(state.traffic())
        if stack.messages > hop.messages * (1 - MOST.part):
            raise Failed(f"{name}: only {hop.messages} messages hopped; to the stack: {stack.reasons}")
    if not all(map(all, rates.values())):
        raise Failed("at times nothing hopped")
    return rates


def hops(state: State) -> int:
    """How many messages have hopped."""
    return status.traffic(state.traffic())[0].messages


def hops_a_second(stage: Stage, name: str) -> float:
    """For the time of a slice. Raises Failed if the pair is in another state, too."""
    own = stage.states[name]
    others = {other: state for other, state in stage.states.items() if state.traffic is not own.traffic}
    still = {other: hops(state) for other, state in others.items()}
    before, start = hops(own), time.perf_counter()
    time.sleep(SLICE)
    after, end = hops(own), time.perf_counter()
    for other, state in others.items():
        if hops(state) != still[other]:
            raise Failed(f"{name}: {hops(state) - still[other]} messages hopped by {other}")
    return (after - before) / (end - start)


@contextlib.contextmanager
def echo(size: str, machine: Machine, place: Place) -> Iterator[None]:
    """Request and response of our own meanwhile, between readers that block."""
    program, options = machine.program("rr"), (f"{LOCAL}:{PORT}", "--size", str(sizes.count(size)))
    times = ("--warm-ms", "0", "--run-ms", FOREVER)
    with serving(place, program, "serve", *options), beside(place, program, "ask", *options, *times):
        yield
