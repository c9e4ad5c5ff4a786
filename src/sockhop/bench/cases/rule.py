"""What deciding costs a hop: the program that decides, and one that only redirects, on the same sockets."""

import contextlib
import functools
import os
from collections.abc import Iterator

from sockhop.bench import reference, sizes
from sockhop.bench.comparison import Ratio
from sockhop.bench.figures import Wanted
from sockhop.bench.machine import Machine, Place
from sockhop.bench.turns import Stage, Turns, echo
from sockhop.control import loading, tuning
from sockhop.control.pins import closing
from sockhop.control.settings import Settings
from sockhop.kernel import libbpf, maps, objects
from sockhop.kernel.abi import Traffic

#: Of the data plane, that both programs use.
SHARED = ("ends", "sockets", "traffic")
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
        for name in loading.VERDICTS:
            loading.attach(loaded, name)
        shared = {name: loaded.map_fd(name) for name in SHARED}
        handle = stack.enter_context(reference.loaded("unruled", machine.scratch, shared))
        scope = stack.enter_context(closing(os.open(cgroup, os.O_RDONLY | os.O_DIRECTORY)))
        connections = loaded.program_fd("sockhop_connections")
        stack.enter_context(closing(libbpf.link_create(connections, scope, libbpf.BPF_CGROUP_SOCK_OPS, None)))
        stack.enter_context(echo(size, machine, Place(cgroup, machine.near, "0")))
        yield Stage(
            {
                "unruled": functools.partial(sending_by, shared["sockets"], reference.program(handle, "unruled")),
                "hop": functools.partial(sending_by, shared["sockets"], loaded.program_fd("sockhop_send")),
            },
            functools.partial(maps.read_per_cpu, shared["traffic"], Traffic),
        )


@contextlib.contextmanager
def sending_by(sockets: int, program: int) -> Iterator[None]:
    """What is sent is given to this program, from now on."""
    libbpf.prog_attach(program, sockets, libbpf.BPF_SK_MSG_VERDICT, 0)
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
