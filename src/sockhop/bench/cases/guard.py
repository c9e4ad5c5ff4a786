"""What the guard of auto mode costs: its tracepoint comes and goes while one pair of programs runs on.

Samples that start their programs anew differ by more than what is looked for here: where those come to lie in
memory and caches decides. In one pair that runs on, nothing else changes. ``empty`` is a program on the tracepoint
that returns at once: what the kernel's own way to it takes.
"""

import contextlib
import functools
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sockhop.bench import reference, sizes
from sockhop.bench.arms import MOST, Lesson, Plain
from sockhop.bench.cases import redis, rr
from sockhop.bench.cases.native import PORT
from sockhop.bench.comparison import Measure, Ratio, compared
from sockhop.bench.effort import LESSON, Effort
from sockhop.bench.figures import Wanted
from sockhop.bench.machine import LOCAL, Failed, Machine, Place
from sockhop.bench.processes import START_SECONDS, beside, serving
from sockhop.bench.results import Measured, Result
from sockhop.bench.sample import Sample
from sockhop.control import places
from sockhop.control.instance import Instance
from sockhop.control.pins import closing
from sockhop.control.settings import Settings
from sockhop.control.watching import GUARD, LOOKS_TO_STOP, Watch, program, tracepoint
from sockhop.errors import SockhopError
from sockhop.kernel import signals
from sockhop.kernel.abi import Outcome

#: Seconds that a state is measured for, and those before in which caches get used to it.
SLICE, SETTLE = 0.03, 0.003
#: How often each state takes its turn, for a round of the effort; and what changing it takes.
TURNS, CHANGE = 25, 0.006
#: Milliseconds and requests: more than any case takes.
FOREVER = "100000000"
UNIT = "/s"
STATES = ("unguarded", "empty", "guarded")
RATIOS = (
    Ratio("guarded", "unguarded", Wanted(0.98)),
    Ratio("empty", "unguarded"),
    Ratio("guarded", "empty"),
)

State = Callable[[], contextlib.AbstractContextManager[None]]


@dataclass(frozen=True)
class Guard:
    """One pair of programs."""

    name: str
    title: str
    lesson: Measure
    """What its classes learn from."""
    pair: Callable[[Machine, Place], contextlib.AbstractContextManager[None]]
    """It runs meanwhile."""
    quick: bool = False

    def seconds(self, effort: Effort) -> float:
        """How long it is going to take."""
        return 3 + 3 * TURNS * effort.rounds * (SLICE + SETTLE + CHANGE)

    def measure(self, machine: Machine, effort: Effort) -> Result:
        """Let the states take turns."""
        failed, rates = None, {name: list[float]() for name in STATES}
        try:
            rates = self._rates(machine, TURNS * effort.rounds)
        except (Failed, SockhopError, OSError) as error:
            failed = str(error)
        # The first turn warms up.
        samples = {name: tuple(map(Sample, each)) for name, each in rates.items()}
        arms = {name: Measured(name, each[:1], each[1:], failed=failed) for name, each in samples.items()}
        rows = [
            compared(self.name, self.title, UNIT, ratio, arms[ratio.ours], arms[ratio.theirs]) for ratio in RATIOS
        ]
        return Result(self.name, self.title, "auto mode", rows, list(arms.values()), UNIT)

    def _rates(self, machine: Machine, turns: int) -> dict[str, list[float]]:
        """Hops a second in each state, a value a turn and one more. Raises Failed."""
        cgroup = machine.child("guard")
        with contextlib.ExitStack() as stack:
            handle = stack.enter_context(reference.loaded("empty", machine.scratch))
            instance = stack.enter_context(learning(cgroup))
            self.lesson(machine, LESSON, Plain(machine, "tcp"), Lesson(cgroup))
            watch_no_more(instance)
            guard = stack.enter_context(instance.get(program(GUARD)))
            stack.enter_context(self.pair(machine, Place(cgroup, machine.near, "0")))
            await_hops(instance)
            states: dict[str, State] = {
                "unguarded": contextlib.nullcontext,
                "empty": functools.partial(attached, reference.program(handle, "empty")),
                "guarded": functools.partial(attached, guard),
            }
            rates = take_turns(instance, states, turns)
            prove(instance)
            return rates


@contextlib.contextmanager
def learning(cgroup: Path) -> Iterator[Instance]:
    """An instance that watches this cgroup in auto mode. Raises :class:`~sockhop.errors.SockhopError`."""
    instance = None
    try:
        with places.lock(), signals.deferred():
            instance = Instance.create(places.private(), Settings())
            instance.attach(cgroup)
        yield instance
    finally:
        if instance is not None:
            instance.drain(10)
            with places.lock(), signals.deferred():
                instance.unpin()


def watch_no_more(instance: Instance) -> None:
    """Attach nothing to reads, once all that was learned hops. Raises Failed if anything does not."""
    watch = Watch()
    for _ in range(LOOKS_TO_STOP):
        watch.look(instance)
    known = instance.classes()
    if instance.is_watching() or not known or any(each.state != "hopping" for each in known):
        raise Failed(f"what should have been learned was not: {known}")
    instance.guard_no_more()


@contextlib.contextmanager
def attached(descriptor: int) -> Iterator[None]:
    """A program is attached to its tracepoint meanwhile."""
    with closing(tracepoint(descriptor)):
        yield


def hops(instance: Instance) -> int:
    """How many messages have hopped."""
    return sum(cpu.messages[Outcome.HOP] for cpu in instance.traffic())


def await_hops(instance: Instance) -> None:
    """Wait until the pair hops. Raises Failed."""
    deadline = time.monotonic() + START_SECONDS
    while not hops(instance):
        if time.monotonic() > deadline:
            raise Failed(f"nothing hopped within {START_SECONDS:.0f} s")
        time.sleep(0.005)


def prove(instance: Instance) -> None:
    """Raises Failed unless what was measured were hops."""
    status = instance.status()
    if status.stack.messages > status.hop.messages * (1 - MOST):
        raise Failed(f"only {status.hop.messages} messages hopped; to the stack: {status.stack.reasons}")


def take_turns(instance: Instance, states: Mapping[str, State], turns: int) -> dict[str, list[float]]:
    """Hops a second in each state, a value a turn and one more. Raises Failed."""
    rates: dict[str, list[float]] = {name: [] for name in states}
    order = list(states)
    for _ in range(turns + 1):
        for name in order:
            with states[name]():
                time.sleep(SETTLE)
                rates[name].append(hops_a_second(instance))
        order.append(order.pop(0))
    if not all(map(all, rates.values())):
        raise Failed("at times nothing hopped")
    return rates


def hops_a_second(instance: Instance) -> float:
    """For the time of a slice."""
    before, start = hops(instance), time.perf_counter()
    time.sleep(SLICE)
    after, end = hops(instance), time.perf_counter()
    return (after - before) / (end - start)


@contextlib.contextmanager
def echo(size: str, machine: Machine, place: Place) -> Iterator[None]:
    """Request and response of our own, between readers that block."""
    program, options = machine.program("rr"), (f"{LOCAL}:{PORT}", "--size", str(sizes.count(size)))
    times = ("--warm-ms", "0", "--run-ms", FOREVER)
    with serving(place, program, "serve", *options), beside(place, program, "ask", *options, *times):
        yield


@contextlib.contextmanager
def store(machine: Machine, place: Place) -> Iterator[None]:
    """Redis: readers that do not block."""
    client = [
        machine.program("redis-benchmark"),
        "-p",
        redis.PORT,
        "-c",
        str(redis.MANY),
        "-n",
        FOREVER,
        "-t",
        "get",
    ]
    with serving(place, *redis.server(machine), ready=redis.READY), beside(place, *client):
        yield


def case(size: str) -> Guard:
    """One of our own pairs."""
    return Guard(
        f"guard-rr-{size}",
        f"request/response {sizes.words(size)}, guarded",
        rr.sample(size),
        functools.partial(echo, size),
    )


CASES: Sequence[Guard] = [
    *map(case, ("1", "16K")),
    Guard(
        "guard-redis",
        "redis GET, 50 clients, guarded",
        functools.partial(redis.requests, "get", redis.MANY, 1, "1cpu"),
        store,
    ),
]
