"""Running the C programs of this directory: their results, their namespaces, and what the kernel says."""

import itertools
import json
import os
import shlex
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.conftest import missing
from tests.kernel_log import faults
from tests.waiting import PATIENCE, until

TIMES = int(os.environ.get("SOCKHOP_STRESS", "1"))
SEED = int(os.environ.get("SOCKHOP_SEED", "1"))

Popen = Callable[..., "subprocess.Popen[Any]"]
Totals = dict[str, Any]
"""The JSON line of a program."""

_numbers = itertools.count()


@dataclass(frozen=True)
class Place:
    """Where the two ends of each connection are: options of the programs."""

    name: str
    options: tuple[str, ...]

    def __str__(self) -> str:
        return self.name


LOOPBACK = tuple(Place(f"lo-{family}", ("--family", family)) for family in ("4", "6", "mapped"))


def run(popen: Popen, argv: list[Any], timeout: float = 100.0) -> Totals:
    """Run a program to its end and return its totals. AssertionError with its report if it found a fault."""
    command = shlex.join(map(str, argv))
    with popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            out, err = process.communicate(timeout=timeout * TIMES * PATIENCE)
        finally:
            process.kill()
    print(out, end="")
    assert process.returncode == 0, f"{command}: exit code {process.returncode}\n{out}{err}"
    totals: Totals = json.loads(out)
    return totals


@contextmanager
def quiet_kernel() -> Iterator[None]:
    """Check that the kernel reports no bug of its own (WARNING, BUG, leaks) while the block runs."""
    descriptor = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK)
    try:
        os.lseek(descriptor, 0, os.SEEK_END)
        yield
        said = []
        with suppress(BlockingIOError):
            while True:
                said.append(os.read(descriptor, 8192).decode(errors="replace"))
        assert not faults("".join(said)), "".join(said)
    finally:
        os.close(descriptor)


@contextmanager
def scarce_tcp_memory(limit: int) -> Iterator[Callable[[list[Any]], list[Any]]]:
    """A memory cgroup (version 1) whose sockets may use `limit` bytes; yields what puts a command into it.

    Missing where there is no such controller: only it can limit TCP alone, and only for processes of our own.
    """
    root = Path("/sys/fs/cgroup/memory")
    if not (root / "memory.kmem.tcp.limit_in_bytes").exists():
        missing("no memory controller of cgroup version 1 at /sys/fs/cgroup/memory")
    group = root / f"sockhop-stress-{os.getpid()}-{next(_numbers)}"
    group.mkdir()
    try:
        (group / "memory.kmem.tcp.limit_in_bytes").write_text(str(limit))
        yield lambda argv: ["sh", "-c", f'echo $$ > {group}/cgroup.procs && exec "$@"', "sh", *argv]
    finally:
        until(lambda: not (group / "cgroup.procs").read_text(), "the memory cgroup to be empty", 10.0)
        group.rmdir()


def _configure(*command: str, script: str | None = None) -> None:
    subprocess.run(command, check=True, input=script, text=True, capture_output=True, timeout=30)


def _ip(*arguments: str) -> None:
    _configure("ip", *arguments)


@contextmanager
def _namespace() -> Iterator[str]:
    name = f"sockhop-stress-{os.getpid()}-{next(_numbers)}"
    _ip("netns", "add", name)
    try:
        _ip("-n", name, "link", "set", "lo", "up")
        yield name
    finally:
        _ip("netns", "delete", name)


def _drop(namespace: str, per_mille: int) -> None:
    """Drop that share of the TCP packets which arrive in the namespace, at random."""
    rule = f"meta l4proto tcp numgen random mod 1000 < {per_mille} drop"
    table = f"table inet loss {{ chain c {{ type filter hook input priority 0; {rule}; }}; }}\n"
    _configure("nsenter", f"--net=/run/netns/{namespace}", "nft", "-f", "-", script=table)


@contextmanager
def two_namespaces(lost_per_mille: int = 0) -> Iterator[dict[str, Place]]:
    """The places "veth-4" and "veth-6": clients in one namespace of our own, servers in another."""
    with _namespace() as client, _namespace() as server:
        _ip("-n", client, "link", "add", "veth0", "type", "veth", "peer", "name", "veth0", "netns", server)
        for name, number in ((client, 1), (server, 2)):
            _ip("-n", name, "address", "add", f"192.0.2.{number}/24", "dev", "veth0")
            _ip("-n", name, "address", "add", f"2001:db8::{number}/64", "dev", "veth0", "nodad")
            _ip("-n", name, "link", "set", "veth0", "up")
            if lost_per_mille:
                _drop(name, lost_per_mille)
        ends = ("--client-netns", f"/run/netns/{client}", "--server-netns", f"/run/netns/{server}")
        yield {
            "veth-4": Place("veth-4", ("--family", "4", "--address", "192.0.2.2", *ends)),
            "veth-6": Place("veth-6", ("--family", "6", "--address", "2001:db8::2", *ends)),
        }
