"""How long the control plane takes: ``up``, and ``status`` with 50,000 sockets; library and command."""

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sockhop.bench import idle
from sockhop.bench.effort import Effort
from sockhop.bench.figures import Row, Wanted, summarise
from sockhop.bench.machine import TROUBLE, Failed, Machine
from sockhop.bench.results import Result
from sockhop.control.accelerator import Accelerator
from sockhop.kernel import signals

SOCKETS = 50_000
COMMAND = str(Path(sys.executable).with_name("sockhop"))
NOT_UP = 3


def command(*argv: str) -> tuple[float, str]:
    """Run a sockhop command and return its seconds and its output. Raises Failed."""
    start = time.perf_counter()
    done = called(*argv)
    seconds = time.perf_counter() - start
    if done.returncode:
        raise Failed(f"sockhop {argv[0]}: status {done.returncode}: {done.stderr.strip()}")
    return seconds, done.stdout


def called(*argv: str) -> "subprocess.CompletedProcess[str]":
    """What came of a sockhop command. Raises what there is in TROUBLE."""
    return subprocess.run([COMMAND, *argv], capture_output=True, text=True, timeout=60, check=False)


@contextlib.contextmanager
def service(scope: Path) -> Iterator[float]:
    """``sockhop up`` meanwhile, and the seconds that it took.

    Raises Failed if it is up already: that one is somebody's.
    """
    found = called("status").returncode
    if found != NOT_UP:
        raise Failed(f"sockhop is up on this machine already, or cannot tell (status {found}): not touched")
    try:
        yield command("up", "--mode", "eager", "--cgroup", str(scope))[0]
    finally:
        take_down()


def take_down() -> None:
    """Say ``down``, Ctrl-C or not; an ``up`` that was ended half-way may have left nothing. Raises Failed."""
    with signals.deferred():
        done = called("down", "--wait", "10")
    if done.returncode not in (0, NOT_UP):
        raise Failed(f"sockhop down: status {done.returncode}: {done.stderr.strip()}")


def up_library(machine: Machine, effort: Effort) -> list[float]:
    """Seconds to enter an Accelerator."""
    scope, seconds = str(machine.child("hop")), []
    for _ in range(effort.rounds):
        start = time.perf_counter()
        with Accelerator(cgroup=scope, mode="eager"):
            seconds.append(time.perf_counter() - start)
    return seconds


def up_command(machine: Machine, effort: Effort) -> list[float]:
    """Seconds of the whole command, Python's start included."""
    scope, seconds = machine.child("hop"), []
    for _ in range(effort.rounds):
        with service(scope) as took:
            seconds.append(took)
    return seconds


def status_library(machine: Machine, effort: Effort) -> list[float]:
    """Seconds of Accelerator.status() while SOCKETS sockets hop."""
    scope, seconds = machine.child("hop"), []
    with (
        Accelerator(cgroup=str(scope), mode="eager") as hops,
        idle.connections(machine, scope, SOCKETS // 2),
    ):
        for _ in range(effort.rounds):
            start = time.perf_counter()
            status = hops.status()
            seconds.append(time.perf_counter() - start)
            prove(status.sockets.tracked)
    return seconds


def status_command(machine: Machine, effort: Effort) -> list[float]:
    """Seconds of ``sockhop status --json``, Python's start included."""
    scope, samples = machine.child("hop"), []
    with service(scope), idle.connections(machine, scope, SOCKETS // 2):
        for _ in range(effort.rounds):
            seconds, said = command("status", "--json")
            samples.append(seconds)
            prove(json.loads(said)["sockets"]["tracked"])
    return samples


def prove(tracked: int) -> None:
    """Raises Failed unless all the sockets were there while the time was taken."""
    if tracked < SOCKETS:
        raise Failed(f"only {tracked} of {SOCKETS} sockets are tracked")


@dataclass(frozen=True)
class Duration:
    """Something that must not take long."""

    name: str
    title: str
    limit: float
    """Seconds."""
    sample: Callable[[Machine, Effort], list[float]]
    lasts: float
    """Seconds, about."""
    quick: bool = False
    group = "control plane"

    def seconds(self, effort: Effort) -> float:
        """How long it is going to take."""
        return self.lasts + 0.5 * effort.rounds

    def measure(self, machine: Machine, effort: Effort) -> Result:
        """One row."""
        return Result(self.name, self.title, self.group, [self._row(machine, effort)])

    def _row(self, machine: Machine, effort: Effort) -> Row:
        wanted = Wanted(self.limit, at_least=False)
        try:
            samples = self.sample(machine, effort)
        except TROUBLE as error:
            return Row(self.name, self.title, "", "s", wanted=wanted, failed=str(error))
        return summarise(lambda **given: Row(self.name, self.title, "", "s", wanted=wanted, **given), samples)


CASES = [
    Duration("up", "Accelerator.__enter__()", 0.5, up_library, 1),
    Duration("up-command", "sockhop up", 0.5, up_command, 6),
    Duration("status", f"Accelerator.status(), {SOCKETS:,} sockets", 0.2, status_library, 15),
    Duration("status-command", f"sockhop status, {SOCKETS:,} sockets", 0.2, status_command, 18),
]
