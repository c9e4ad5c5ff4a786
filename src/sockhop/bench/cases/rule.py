"""What deciding costs a hop: the program that decides, and one that only redirects, on the same sockets.

A socket keeps the programs that the map had when it went in (``sock_map_link()``). So both are called by one that
the sockets went in with (``entry``), and pay the same tail call.
"""

import contextlib
import ctypes
import functools
import os
from collections.abc import Iterator

from sockhop.bench import reference, sizes
from sockhop.bench.comparison import Ratio
from sockhop.bench.figures import Wanted
from sockhop.bench.machine import Machine, Place
from sockhop.bench.turns import Stage, State, Turns, echo
from sockhop.control import loading, tuning
from sockhop.control.pins import closing
from sockhop.control.settings import Settings
from sockhop.kernel import libbpf, maps, objects
from sockhop.kernel.abi import Traffic

#: Of the data plane, that both programs use.
SHARED = ("ends", "sockets")
CAPACITY = 64


@contextlib.contextmanager
def stage(size: str, machine: Machine) -> Iterator[Stage]:
    """A pair that hops in eager mode. Nothing is pinned. Raises Failed, and what loading does."""
    cgroup = machine.child("rule")
    programs = ("connections", *loading.VERDICTS)
    with contextlib.ExitStack() as stack:
        loaded = stack.enter_context(
            objects.loaded(loading.sizes(CAPACITY, loading.SLACK), without=loading.all_but(*programs))
        )
        settings = Settings(mode="eager", capacity=CAPACITY)
        maps.write_element(loaded.map_fd(".data.config"), tuning.config_of(settings))
        shared = {name: loaded.map_fd(name) for name in SHARED}
        unruled = stack.enter_context(reference.loaded("unruled", machine.scratch, shared))
        entry = stack.enter_context(reference.loaded("entry", machine.scratch))
        called = reference.map_fd(entry, "called")
        states = {
            "unruled": state(called, reference.program(unruled, "unruled"), reference.map_fd(unruled, "traffic")),
            "hop": state(called, loaded.program_fd("sockhop_send"), loaded.map_fd("traffic")),
        }
        loading.attach(loaded, "queue")
        libbpf.prog_attach(reference.program(entry, "entry"), shared["sockets"], libbpf.BPF_SK_MSG_VERDICT, 0)
        scope = stack.enter_context(closing(os.open(cgroup, os.O_RDONLY | os.O_DIRECTORY)))
        connections = loaded.program_fd("sockhop_connections")
        stack.enter_context(closing(libbpf.link_create(connections, scope, libbpf.BPF_CGROUP_SOCK_OPS, None)))
        stack.enter_context(echo(size, machine, Place(cgroup, machine.near, "0")))
        yield Stage(states)


def state(called: int, program: int, traffic: int) -> State:
    """What is sent is given to this program, which counts there."""
    return State(
        functools.partial(calling, called, program), functools.partial(maps.read_per_cpu, traffic, Traffic)
    )


@contextlib.contextmanager
def calling(called: int, program: int) -> Iterator[None]:
    """From now on."""
    maps.put(called, maps.ZERO, ctypes.c_uint32(program))
    yield


CASES = [
    Turns(
        f"rule-rr-{size}",
        f"request/response {sizes.words(size)}, with the rule and without",
        "request/response",
        (Ratio("hop", "unruled", Wanted(0.98)),),
        functools.partial(stage, size),
    )
    for size in ("1", "16K")
]
