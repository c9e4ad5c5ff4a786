"""Running the C programs of this directory: their results, their namespaces, and what the kernel says."""

import itertools
import json
import os
import shlex
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
            out, err = process.communicate(timeout=timeout * TIMES)
        finally:
            process.kill()
    print(out, end="")
    assert process.returncode == 0, f"{command}: exit code {process.returncode}\n{out}{err}"
    totals: Totals = json.loads(out)
    return totals


def eventually(condition: Callable[[], bool], seconds: float = 10.0) -> bool:
    """Wait until the condition holds. False if it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


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
        marks = ("WARNING:", "BUG:", "Oops", "general protection", "refcount_t", "blocked for more than")
        assert not [line for line in said if any(mark in line for mark in marks)], "".join(said)
    finally:
        os.close(descriptor)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, timeout=30)


@contextmanager
def _namespace() -> Iterator[str]:
    name = f"sockhop-stress-{os.getpid()}-{next(_numbers)}"
    _ip("netns", "add", name)
    try:
        _ip("-n", name, "link", "set", "lo", "up")
        yield name
    finally:
        _ip("netns", "delete", name)


@contextmanager
def two_namespaces() -> Iterator[dict[str, Place]]:
    """The places "veth-4" and "veth-6": clients in one namespace of our own, servers in another."""
    with _namespace() as client, _namespace() as server:
        _ip("-n", client, "link", "add", "veth0", "type", "veth", "peer", "name", "veth0", "netns", server)
        for name, number in ((client, 1), (server, 2)):
            _ip("-n", name, "address", "add", f"192.0.2.{number}/24", "dev", "veth0")
            _ip("-n", name, "address", "add", f"2001:db8::{number}/64", "dev", "veth0", "nodad")
            _ip("-n", name, "link", "set", "veth0", "up")
        ends = ("--client-netns", f"/run/netns/{client}", "--server-netns", f"/run/netns/{server}")
        for path in (ends[1], ends[3]):
            assert Path(path).exists()
        yield {
            "veth-4": Place("veth-4", ("--family", "4", "--address", "192.0.2.2", *ends)),
            "veth-6": Place("veth-6", ("--family", "6", "--address", "2001:db8::2", *ends)),
        }
