"""The results for people and for programs."""

import os
import platform
import sys
from collections.abc import Sequence
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from sockhop.bench.figures import Row
from sockhop.control.status import SCHEMA

#: A load above this is somebody else's work.
BUSY = 0.5

COLOURS = {"met": "green", "missed": "red", "failed": "bold red", "": ""}


def quantity(value: float, unit: str) -> str:
    """A number with its unit, as one reads it."""
    if unit == "x":
        return f"{value:.3f}"
    if unit == "s":
        return f"{value * 1000:.1f} ms"
    if unit == "B":
        return f"{value:,.0f} B"
    for factor, prefix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= factor:
            return f"{value / factor:.2f} {prefix}{unit.removeprefix('/')}".replace(f"{prefix}s", f"{prefix}/s")
    return f"{value:.1f} {unit}"


def target(row: Row) -> str:
    """``>= 1.5``, or nothing."""
    if row.wanted is None:
        return ""
    limit = row.wanted.limit
    return f"≥ {limit:g}" if row.wanted.at_least else f"≤ {quantity(limit, row.unit)}"


def table(rows: Sequence[Row]) -> Table:
    """A line a row."""
    grid = Table(
        title="medians of per-round ratios, with their 95 % intervals", box=box.SIMPLE, title_justify="left"
    )
    grid.add_column("measured", no_wrap=True)
    grid.add_column("versus", no_wrap=True)
    for name in ("ours", "theirs", "result", "95 %", "wanted"):
        grid.add_column(name, justify="right", no_wrap=True)
    grid.add_column("")
    last: Row | None = None
    for row in rows:
        if last and last.case.partition("-")[0] != row.case.partition("-")[0]:
            grid.add_section()
        title = "" if last and last.title == row.title else row.title
        last = row
        if row.value is None or row.low is None or row.high is None:
            grid.add_row(title, row.versus, "", "", "", "", target(row), f"[{COLOURS['failed']}]failed")
            continue
        rates = [quantity(rate, row.rate_unit) for rate in row.rates] if row.rates else ["", ""]
        spread = f"{quantity(row.low, row.unit)} … {quantity(row.high, row.unit)}"
        doubt = "" if row.sure else "?"
        verdict = f"[{COLOURS[row.verdict]}]{row.verdict}{doubt}" if row.verdict else ""
        grid.add_row(title, row.versus, *rates, quantity(row.value, row.unit), spread, target(row), verdict)
    return grid


def _console() -> Console:
    """Standard output; a file or a pipe has no width of its own, and must not cut the table."""
    return Console() if sys.stdout.isatty() else Console(width=140)


def show(rows: Sequence[Row], facts: dict[str, object], seconds: float) -> None:
    """The table, then why anything failed, then the machine."""
    console = _console()
    console.print(table(rows))
    for row in rows:
        if row.failed is not None:
            console.print(f"{row.case} {row.versus} failed: {row.failed}", style="red", markup=False)
    missed = sum(row.verdict == "missed" for row in rows)
    failed = sum(row.verdict == "failed" for row in rows)
    met = sum(row.verdict == "met" for row in rows)
    console.print(f"{met} targets met, {missed} missed, {failed} measurements failed")
    told = ", ".join(f"{name} {value}" for name, value in facts.items())
    console.print(f"{told} ({seconds:.0f} s)", highlight=False)


def machine_facts() -> dict[str, object]:
    """What a reader needs to judge the numbers."""
    cpu = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return {
        "kernel": platform.release(),
        "cpu": cpu[0].partition(": ")[2] if cpu else platform.machine(),
        "cpus": os.cpu_count(),
        "congestion_control": Path("/proc/sys/net/ipv4/tcp_congestion_control").read_text().strip(),
        "load": os.getloadavg()[0],
    }


def as_json(rows: Sequence[Row], facts: dict[str, object], seconds: float) -> dict[str, object]:
    """The whole run, every sample included."""
    return {"schema": SCHEMA, **facts, "seconds": seconds, "rows": [row.as_json() for row in rows]}
