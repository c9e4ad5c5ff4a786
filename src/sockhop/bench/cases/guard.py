"""What the guard of auto mode costs: its tracepoint comes and goes.

``empty`` is a program on the tracepoint that returns at once: what the kernel's own way to it takes.
"""

import contextlib
import functools
from collections.abc import Callable, Iterator

from sockhop.bench import reference, sizes
from sockhop.bench.arms import Lesson, Plain
from sockhop.bench.cases import redis, rr
from sockhop.bench.comparison import Measure, Ratio
from sockhop.bench.effort import LESSON
from sockhop.bench.figures import Wanted
from sockhop.bench.machine import Failed, Machine, Place
from sockhop.bench.processes import beside, serving
from sockhop.bench.turns import FOREVER, On, Stage, State, Turns, echo
from sockhop.control.accelerator import Accelerator
from sockhop.control.instance import Instance
from sockhop.control.pins import closing
from sockhop.control.watching import GUARD, LOOKS_TO_STOP, program, tracepoint

Pair = Callable[[Machine, Place], contextlib.AbstractContextManager[None]]


class Shown(Accelerator):
    """One that shows what it has pinned."""

    @property
    def instance(self) -> Instance:
        """Inside the block."""
        return self._up()


@contextlib.contextmanager
def stage(lesson: Measure, pair: Pair, machine: Machine) -> Iterator[Stage]:
    """A pair whose classes have learned from ``lesson``. Raises Failed."""
    cgroup = machine.child("guard")
    with contextlib.ExitStack() as stack:
        handle = stack.enter_context(reference.loaded("empty", machine.scratch))
        # Not tried anew: see running.measure().
        hops = stack.enter_context(Shown(cgroup=cgroup, accept_data_loss=True))
        lesson(machine, LESSON, Plain(machine, "tcp"), Lesson(cgroup))
        watch_no_more(hops)
        guard = stack.enter_context(hops.instance.get(program(GUARD)))
        stack.enter_context(pair(machine, Place(cgroup, machine.near, "0")))
        states: dict[str, On] = {
            "unguarded": contextlib.nullcontext,
            "empty": functools.partial(attached, reference.program(handle, "empty")),
            "guarded": functools.partial(attached, guard),
        }
        traffic = hops.instance.traffic
        yield Stage({name: State(on, traffic) for name, on in states.items()})


def watch_no_more(hops: Shown) -> None:
    """Attach nothing to reads, once all that was learned hops. Raises Failed if anything does not."""
    for _ in range(LOOKS_TO_STOP):
        hops.walk()
    known = hops.classes()
    if hops.instance.is_watching() or not known or any(each.state != "hopping" for each in known):
        raise Failed(f"what should have been learned was not: {known}")
    hops.instance.guard_no_more()


@contextlib.contextmanager
def attached(descriptor: int) -> Iterator[None]:
    """A program is attached to its tracepoint meanwhile."""
    with closing(tracepoint(descriptor)):
        yield


@contextlib.contextmanager
def store(machine: Machine, place: Place) -> Iterator[None]:
    """Redis: readers that do not block."""
    client = [machine.program("redis-benchmark"), "-p", redis.PORT, "-c", str(redis.MANY), "-t", "get"]
    with serving(place, *redis.server(machine), ready=redis.READY), beside(place, *client, "-n", FOREVER):
        yield


def case(name: str, title: str, lesson: Measure, pair: Pair) -> Turns:
    """One pair."""
    ratios = (
        Ratio("guarded", "unguarded", Wanted(0.98)),
        Ratio("empty", "unguarded"),
        Ratio("guarded", "empty"),
    )
    return Turns(f"guard-{name}", f"{title}, guarded", "auto mode", ratios, functools.partial(stage, lesson, pair))


CASES = [
    *(
        case(f"rr-{size}", f"request/response {sizes.words(size)}", rr.sample(size), functools.partial(echo, size))
        for size in ("1", "16K")
    ),
    case(
        "redis",
        "redis GET, 50 clients",
        functools.partial(redis.requests, "get", redis.MANY, 1, "1cpu"),
        store,
    ),
]
