"""The command: which cases, how long, and what becomes of the results."""

import argparse
import os
import signal
import time
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Protocol

from rich.console import Console

from benchmarks import priority, report
from benchmarks.cases import connect, control, learned, memory, nginx, outside, postgres, redis, rr, stream
from benchmarks.comparison import QUICK, Effort
from benchmarks.figures import Row
from benchmarks.machine import Failed, Machine, set_up


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


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="benchmarks/run.py", description=__doc__)
    parser.add_argument("--only", metavar="PATTERN", help="cases that match, as a shell would: 'rr-*'")
    parser.add_argument("--quick", action="store_true", help="a rough answer in less than a minute")
    parser.add_argument("--json", action="store_true", help="print every sample as JSON instead of a table")
    parser.add_argument("--list", action="store_true", help="print the names of the cases")
    return parser.parse_args()


def main() -> int:
    """Exit status: 0 when all was measured, whatever the targets say; 1 when not; 2 usage."""
    options = arguments()
    messages = Console(stderr=True)
    chosen = [case for case in CASES if not options.only or fnmatchcase(case.name, options.only)]
    if options.list or not chosen:
        names = "\n".join(case.name for case in CASES)
        print(names) if options.list else messages.print(f"no case matches {options.only!r}; there are:\n{names}")
        return 0 if options.list else 2
    if os.geteuid():
        messages.print("benchmarks make cgroups and network namespaces and load BPF programs: run them as root")
        return 1
    facts, start = report.machine_facts(), time.monotonic()
    if os.getloadavg()[0] > 0.5:
        messages.print(
            f"this machine is busy (load {os.getloadavg()[0]:.2f}): expect wide intervals", style="yellow"
        )
    rows: list[Row] = []
    interrupted = False
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # leaves nothing behind either
    try:
        with priority.raised(), set_up() as machine:
            for case in chosen:
                messages.print(f"measuring {case.name}: {case.title}", highlight=False)
                rows += case.measure(machine, QUICK if options.quick else Effort())
    except Failed as error:
        messages.print(f"the benchmark could not be set up: {error}", style="red", markup=False)
        return 1
    except KeyboardInterrupt:
        messages.print("interrupted: what was measured so far", style="red")
        interrupted = True
    seconds = time.monotonic() - start
    if options.json:
        print(report.as_json(rows, facts, seconds))
    else:
        report.show(report.console(), rows)
        print(", ".join(f"{name} {value}" for name, value in facts.items()), f"({seconds:.0f} s)")
    return 130 if interrupted else int(any(row.verdict == "failed" for row in rows))
