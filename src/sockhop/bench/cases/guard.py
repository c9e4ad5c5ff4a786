"""What the guard of auto mode costs: its tracepoint comes and goes.

``empty`` is a program on the tracepoint that returns at once: what the kernel's own way to it takes.
"""

import contextlib
import functools
from collections.abc import Callable, Iterator
from pathlib import Path

from sockhop.bench import reference, sizes
from sockhop.bench.arms import Lesson, Plain
from sockhop.bench.cases import redis, rr
from sockhop.bench.comparison import Measure, Ratio
from sockhop.bench.effort import LESSON
from sockhop.bench.figures import Wanted
from sockhop.bench.machine import Failed, Machine, Place
from sockhop.bench.processes import beside, serving
from sockhop.bench.turns import FOREVER, Stage, Turns, echo
from sockhop.control import places
from sockhop.control.instance import Instance
from sockhop.control.pins import closing
from sockhop.control.settings import Settings
from sockhop.control.watching import GUARD, LOOKS_TO_STOP, Watch, program, tracepoint
from sockhop.kernel import signals

Pair = Callable[[Machine, Place], contextlib.AbstractContextManager[None]]


@contextlib.contextmanager
def stage(lesson: Measure, pair: Pair, machine: Machine) -> Iterator[Stage]:
    """A pair whose classes have learned from ``lesson``. Raises Failed."""
    cgroup = machine.child("guard")
    with contextlib.ExitStack() as stack:
        handle = stack.enter_context(reference.loaded("empty", machine.scratch))
        instance = stack.enter_context(learning(cgroup))
        lesson(machine, LESSON, Plain(machine, "tcp"), Lesson(cgroup))
        watch_no_more(instance)
        guard = stack.enter_context(instance.get(program(GUARD)))
        stack.enter_context(pair(machine, Place(cgroup, machine.near, "0")))
        yield Stage(
            {
                "unguarded": contextlib.nullcontext,
                "empty": functools.partial(attached, reference.program(handle, "empty")),
                "guarded": functools.partial(attached, guard),
            },
            instance.traffic,
        )


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
