"""How things are printed: data to stdout, as a table or JSON; messages to stderr."""

import gc
import json
import os
import sys
from collections.abc import Iterable
from typing import Any

import click


def many_objects() -> None:
    """Prepare for very many objects that live until the process ends, which is soon.

    The garbage collector would look at them again and again for nothing: half of the time that ``flows`` takes.
    """
    gc.disable()


def message(text: str) -> None:
    """Say something to the user, apart from the data."""
    click.echo(f"sockhop: {text}", err=True)


def finish() -> None:
    """Write what has been printed. Raises OSError; at the interpreter's own end it would be too late to say so."""
    sys.stdout.flush()


def give_up() -> None:
    """Let go of what could not be written: the interpreter would try once more as it ends, and end with 120."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def data(value: dict[str, Any]) -> None:
    """Print one JSON object."""
    _write(json.dumps(value))


def listing(value: dict[str, Any], name: str, parts: Iterable[str]) -> None:
    """Print one JSON object, of which ``name`` lists very many ``parts``, which are JSON already."""
    head = json.dumps({**value, name: []}).removesuffix("]}")
    _write(f"{head}{', '.join(parts)}]}}")


def _write(text: str) -> None:
    """Print what is data, as it is: click.echo() would look for colours in all of it."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def table(columns: list[str], rows: list[list[str]], numbers: set[int] | None = None) -> None:
    """Print rows under headings; the columns whose index is in ``numbers`` are right-aligned."""
    # rich takes longer to import than `up` takes to work.
    from rich import box  # noqa: PLC0415
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    sheet = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for index, column in enumerate(columns):
        right = index in (numbers or set())
        sheet.add_column(column, justify="right" if right else "left", no_wrap=right, overflow="fold")
    for row in rows:
        sheet.add_row(*row)
    console = Console(
        file=sys.stdout,
        width=None if sys.stdout.isatty() else 120,
        highlight=False,
        markup=False,  # a cgroup may have brackets in its name
        emoji=False,
        # rich drops only the colours; bold headings are escape codes too.
        color_system=None if os.environ.get("NO_COLOR") else "auto",
    )
    console.print(sheet)


def lines(columns: list[str], rows: list[list[str]], numbers: set[int] | None = None) -> None:
    """Print rows under headings, a line each however long: for more rows than :func:`table` has the time for."""
    widths = [max(map(len, cells)) for cells in zip(columns, *rows, strict=True)]
    right = numbers or set()
    padded = "  ".join(f"{{:{'>' if index in right else '<'}{width}}}" for index, width in enumerate(widths))
    # One string: a write a line would take longer than all the rest.
    _write("\n".join(padded.format(*row).rstrip() for row in [columns, *rows]))


def size(count: float) -> str:
    """Return a number of bytes as people read it."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"
