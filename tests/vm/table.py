"""docs/kernels.md, from the results that are kept."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from sockhop.control.probes.answers import Support
from tests.vm.image import numbers
from tests.vm.places import CHECKOUT
from tests.vm.results import Result

PAGE = CHECKOUT / "docs/kernels.md"

HEAD = """\
# Kernels

`make vmtest` wrote this page. It boots kernels of Debian under QEMU, with the checkout inside, and keeps what it
finds in `build/vm/results`: each guest's console, its kernel log, and the outcome of every test.

## What hops where

What `sockhop check` found out, by trying. *full*: both modes. *eager only*: `--mode eager`, since what auto mode
watches cannot be watched. *refused*: nothing hops, and `up` and `run` end with exit code 4. The tests are the
conformance suite, random streams and Redis; on a kernel that is refused, those that show how. Hop / TCP is of
round trips of 1 KB: only a hint where there was no KVM, and the processor was emulated.
"""

DIFFERENCES = """
## What differs from TCP

How a socket in the map differs from one of plain TCP, by the names of the cases in `tests/conformance/cases`,
which say what is done and seen. *differs*: as README.md says. *TCP*: this kernel does it as TCP does. Auto mode
keeps services that would notice on the stack.
"""


def write(results: list[Result], page: Path = PAGE) -> None:
    """Write the page."""
    page.write_text(text(sorted(results, key=lambda result: numbers(result.release))))


def text(results: list[Result]) -> str:
    """The page's text; the results are in the order of its columns."""
    page = (
        HEAD
        + "\n"
        + "\n".join(_table(["kernel", "check", "tests", "hop / TCP", "kernel log"], map(_row, results)))
    )
    accelerated = [result for result in results if result.support != Support.REFUSED]
    known = {name: why for result in accelerated for name, why in (result.differences | result.mended).items()}
    rows = (
        [name, *(_differs(result, name) for result in accelerated), why] for name, why in sorted(known.items())
    )
    heading = ["case", *(_short(result) for result in accelerated), "the kernel's reason"]
    return page + "\n" + DIFFERENCES + "\n" + "\n".join(_table(heading, rows)) + "\n"


def _row(result: Result) -> list[str]:
    failed = f", {len(result.failed)} failed" if result.failed else ""
    skipped = f", {result.skipped} skipped" if result.skipped else ""
    return [
        result.release,
        "; ".join([result.support.replace("_", " ") or "unknown", *result.lacking.values()]),
        result.ended or f"{result.passed} passed{failed}{skipped}",
        f"{result.speed:.2f}" if result.speed else "",
        "; ".join(result.faults) or "clean",
    ]


def _differs(result: Result, name: str) -> str:
    if name in result.differences:
        return "differs"
    return "TCP" if name in result.mended else "not seen"


def _short(result: Result) -> str:
    return result.release.removesuffix("-amd64")


def _table(heading: list[str], rows: Iterable[list[str]]) -> list[str]:
    lines = [heading, ["---"] * len(heading), *rows]
    return [
        "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in line) + " |" for line in lines
    ]
