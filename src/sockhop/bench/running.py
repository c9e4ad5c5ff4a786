"""A run: which cases, one after the other, and what came of them."""

import os
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Protocol

from sockhop.bench import priority
from sockhop.bench.cases import connect, control, learned, memory, nginx, outside, postgres, redis, rr, stream
from sockhop.bench.comparison import Effort
from sockhop.bench.figures import Row
from sockhop.bench.machine import Machine, set_up
from sockhop.errors import NotPermitted


class Case(Protocol):
    """Something that can be measured."""

    @property
    def name(self) -> str:
        """For --only."""

    @property
    def title(self) -> str:
        """For people."""

    def measure(self, machine: Machine, effort: Effort) -> list[Row]:
        """Rows; a failure is a row too."""


CASES: Sequence[Case] = [
    *rr.CASES,
    *stream.CASES,
    *redis.CASES,
    *nginx.CASES,
    *postgres.CASES,
    *learned.CASES,
    *outside.CASES,
    *connect.CASES,
    *memory.CASES,
    *control.CASES,
]


@dataclass(frozen=True)
class Run:
    """What was measured, as far as it went."""

    rows: list[Row]
    seconds: float
    interrupted: bool


def choose(pattern: str | None) -> list[Case]:
    """Return the cases whose name matches, as a shell would; all without a pattern."""
    return [case for case in CASES if not pattern or fnmatchcase(case.name, pattern)]


def measure(cases: Sequence[Case], effort: Effort, begins: Callable[[Case], None]) -> Run:
    """Measure the cases; ``begins`` is told of each. Ctrl-C and SIGTERM end it early and leave nothing behind.

    Raises :class:`~sockhop.errors.SockhopError` where nothing can be measured.
    """
    if os.geteuid():
        raise NotPermitted(
            "a benchmark makes cgroups and network namespaces and loads BPF programs: run it as root, "
            "e.g. with sudo"
        )
    rows: list[Row] = []
    interrupted, start = False, time.monotonic()
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with priority.raised(), set_up() as machine:
            for case in cases:
                begins(case)
                rows += case.measure(machine, effort)
    except KeyboardInterrupt:
        interrupted = True
    finally:
        signal.signal(signal.SIGTERM, before)
    return Run(rows, time.monotonic() - start, interrupted)
