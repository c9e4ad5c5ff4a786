"""A run: which cases, one after the other, and what came of them."""

import os
import subprocess
import time
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from typing import Protocol

from sockhop.bench import alone, priority
from sockhop.bench.cases import (
    connect,
    control,
    guard,
    haproxy,
    http2,
    learned,
    many,
    memcached,
    memory,
    mixed,
    nginx,
    outside,
    pipeline,
    postgres,
    redis,
    routes,
    rr,
    rule,
    stream,
)
from sockhop.bench.effort import Effort
from sockhop.bench.figures import Row
from sockhop.bench.machine import Failed, Machine, set_up
from sockhop.bench.report import Report, machine_facts
from sockhop.bench.results import Result
from sockhop.control.accelerator import Accelerator
from sockhop.errors import NotPermitted, Unsupported
from sockhop.kernel import signals


class Case(Protocol):
    """Something that can be measured."""

    @property
    def name(self) -> str:
        """For --only."""

    @property
    def title(self) -> str:
        """For people."""

    @property
    def group(self) -> str:
        """What it is reported with."""

    @property
    def quick(self) -> bool:
        """Whether it belongs to the few that ``--quick`` measures."""

    def seconds(self, effort: Effort) -> float:
        """How long it is going to take."""

    def measure(self, machine: Machine, effort: Effort) -> Result:
        """Measure it; a failure is a result too."""


CASES: Sequence[Case] = [
    *rr.CASES,
    *rule.CASES,
    *pipeline.CASES,
    *stream.CASES,
    *many.CASES,
    *connect.CASES,
    *mixed.CASES,
    *routes.CASES,
    *outside.CASES,
    *redis.CASES,
    *memcached.CASES,
    *nginx.CASES,
    *haproxy.CASES,
    *http2.CASES,
    *postgres.CASES,
    *guard.CASES,
    *learned.CASES,
    *memory.CASES,
    *control.CASES,
]


def choose(patterns: Sequence[str], quick: bool) -> list[Case]:
    """The cases whose name matches one, as a shell would; without a pattern all, or the few that are quick."""
    if patterns:
        return [case for case in CASES if any(fnmatchcase(case.name, pattern) for pattern in patterns)]
    return [case for case in CASES if case.quick or not quick]


def measure(
    cases: Sequence[Case], effort: Effort, begins: Callable[[Case], None], congestion_control: str | None = None
) -> Report:
    """Measure the cases; ``begins`` is told of each. Ctrl-C and its kin end it early and leave nothing behind.

    ``congestion_control`` is another one of TCP's than the machine uses.
    Raises :class:`~sockhop.errors.SockhopError` where nothing can be measured.
    """
    if os.geteuid():
        raise NotPermitted(
            "a benchmark makes cgroups and network namespaces and loads BPF programs: run it as root, "
            "e.g. with sudo"
        )
    facts, results = machine_facts(congestion_control), list[Result]()
    interrupted, start = False, time.monotonic()
    try:
        with signals.interrupting(), priority.raised(), set_up(congestion_control) as machine:
            alone.require(machine.cgroup)
            with Accelerator(cgroup=machine.child("tried")):
                pass  # this kernel can be trusted with connections
            try:
                for case in cases:
                    begins(case)
                    results.append(_result(case, machine, effort))
            except KeyboardInterrupt:
                interrupted = True
    except KeyboardInterrupt:
        interrupted = True
    except (Failed, OSError, subprocess.SubprocessError) as error:
        if not results:
            raise Unsupported(f"the benchmark could not be set up: {error}") from error
        results.append(_failed("tidying", "taking away what was made for the run", "tidying", error))
    return Report(facts, results, effort, time.monotonic() - start, interrupted)


def _result(case: Case, machine: Machine, effort: Effort) -> Result:
    """What came of a case; whatever befalls it takes no other with it."""
    try:
        return case.measure(machine, effort)
    except Exception as error:  # noqa: BLE001 - of half an hour's results, this is one
        return _failed(case.name, case.title, case.group, error)


def _failed(name: str, title: str, group: str, error: Exception) -> Result:
    return Result(name, title, group, [Row(name, title, "", "", failed=f"{type(error).__name__}: {error}")])
