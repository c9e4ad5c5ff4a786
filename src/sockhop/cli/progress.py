"""How far a long command has come: a bar on a terminal, a line a step elsewhere. On stderr."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from sockhop.cli import output


class Steps:
    """Knows how long each step is expected to take, and corrects that by how long those before it took."""

    def __init__(self, total: float, bar: Progress | None) -> None:
        self._total = total
        self._bar = bar
        self._task = bar.add_task("", total=total, left="") if bar else None
        self._start = time.monotonic()
        self._before = 0.0
        """Seconds that the steps so far were expected to take."""
        self._current = 0.0

    def begin(self, text: str, seconds: float) -> None:
        """The next step begins, and is expected to take so long."""
        self._before += self._current
        self._current = seconds
        left = self.left(time.monotonic() - self._start)
        if self._bar and self._task is not None:
            self._bar.update(self._task, description=text, completed=self._before, left=left, refresh=True)
        else:
            output.message(f"{text}; {left}")

    def left(self, elapsed: float) -> str:
        """How long it is still going to take, ``elapsed`` seconds after the start, in words."""
        expected = self._total - self._before
        if self._before:
            expected *= elapsed / self._before
        return about(expected) + " left"


def about(seconds: float) -> str:
    """A time in words."""
    return f"about {seconds / 60:.0f} min" if seconds >= 90 else f"about {seconds:.0f} s"


@contextmanager
def shown(total: float) -> Iterator[Steps]:
    """Show the steps of something that is expected to take ``total`` seconds."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield Steps(total, None)
        return
    columns = (
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TextColumn("{task.fields[left]}"),
        TextColumn("{task.description}", markup=False),
    )
    # It is drawn when a step begins: a thread that draws all the time would disturb what is measured.
    with Progress(*columns, console=console, transient=True, auto_refresh=False) as bar:
        yield Steps(total, bar)
