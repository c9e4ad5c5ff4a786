"""Idle connections: opening many, and weighing what the kernel holds."""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

from sockhop.bench.machine import LOCAL, Machine, Place
from sockhop.bench.processes import TALKING, await_line, serving, started

FIRST_PORT = 5100
#: A process may have 20,000 descriptors at most on many machines.
EACH = 12_500

#: Where BPF maps, programs, socket storage, psocks and sockets live; page cache and user memory do not. Nor do
#: inodes: whoever looks into /proc while we weigh makes one for each descriptor.
FIELDS = ("SUnreclaim:", "Percpu:", "VmallocUsed:")


@contextlib.contextmanager
def connections(machine: Machine, cgroup: Path, count: int) -> Iterator[None]:
    """``count`` connections that have exchanged a byte each way and then do nothing. Raises Failed."""
    program = machine.program("idle")
    place = Place(cgroup, machine.near, "0,1")
    with contextlib.ExitStack() as stack:
        for number, first in enumerate(range(0, count, EACH)):
            address = f"{LOCAL}:{FIRST_PORT + number}"
            stack.enter_context(serving(place, program, "serve", address))
            command = place.command(program, "hold", address, "--connections", str(min(EACH, count - first)))
            holder = stack.enter_context(started(command, **TALKING))
            await_line(holder, "holding", 30)
        yield


def kernel_memory() -> int:
    """Bytes that the kernel holds for itself, when they have come to rest.

    Sockets and psocks are freed after a grace period, so an earlier sample's may still be there.
    """
    deadline = time.monotonic() + 3
    last, calm = _held(), 0
    while calm < 10 and time.monotonic() < deadline:
        time.sleep(0.05)
        now = _held()
        calm = calm + 1 if abs(now - last) < 128 * 1024 else 0
        last = now
    return last


def _held() -> int:
    lines = [line.split() for line in Path("/proc/meminfo").read_text().splitlines()]
    return sum(int(words[1]) * 1024 for words in lines if words[0] in FIELDS)
