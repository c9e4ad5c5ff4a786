"""The results as tables for a terminal."""

import sys

from rich import box
from rich.console import Console
from rich.table import Table

from sockhop.bench import cells
from sockhop.bench.report import Report

#: What a line about an arm needs.
WIDE = 190
COLOURS = {"missed": "red", "noisy": "yellow", "failed": "bold red"}


def show(report: Report) -> None:
    """Print the ratios, what each arm is like, why anything failed, and the machine."""
    # A file or a pipe has no width of its own, and must not cut the table.
    console = Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else WIDE)
    console.print(_ratios(report))
    if console.width >= WIDE and any(result.arms for result in report.results):
        console.print(_arms(report))
    elif console.width < WIDE:
        console.print(f"a terminal of {WIDE} columns, --markdown and --html show each arm, too")
    for row in report.rows:
        if row.failed is not None:
            console.print(f"{row.key} failed: {row.failed}", style="red")
    console.print(report.summary())
    if advice := report.advice():
        console.print(advice, style="yellow")
    told = ", ".join(f"{name} {value}" for name, value in report.facts.items())
    console.print(f"{told} ({report.seconds:.0f} s)")


def _ratios(report: Report) -> Table:
    """A line a row."""
    grid = _grid("medians of per-round ratios, tails of all rounds, with their 95 % intervals")
    for name in ("measured", "versus"):
        grid.add_column(name, no_wrap=True)
    for name in cells.RATIO_COLUMNS:
        grid.add_column(name, justify="right" if name else "left", no_wrap=True)
    for results in report.groups.values():
        grid.add_section()
        for result in results:
            title = ""
            for row in result.rows:
                style = COLOURS.get(row.verdict, "")
                grid.add_row(
                    "" if row.title == title else row.title, row.versus, *cells.of_ratio(row), style=style
                )
                title = row.title
    return grid


def _arms(report: Report) -> Table:
    """A line an arm."""
    grid = _grid("each arm: medians of its samples")
    for name in ("measured", "arm"):
        grid.add_column(name, no_wrap=True)
    for name in cells.ARM_COLUMNS:
        grid.add_column(name, justify="right", no_wrap=True)
    for results in report.groups.values():
        grid.add_section()
        for result in results:
            for number, arm in enumerate(result.arms):
                grid.add_row("" if number else result.case, arm.arm, *cells.of_arm(result, arm))
    return grid


def _grid(title: str) -> Table:
    return Table(title=title, box=box.SIMPLE, title_justify="left")
