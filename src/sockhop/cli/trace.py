"""``sockhop trace``."""

import signal
import time
from dataclasses import asdict

import click

from sockhop.cli import exits, output
from sockhop.cli.options import json_option
from sockhop.control import events, service, words
from sockhop.control.status import SCHEMA


@click.command()
@click.option("--seconds", type=click.FloatRange(0, 86400), help="Stop after this long. [default: at Ctrl-C]")
@click.option("--count", type=click.IntRange(1), help="Stop after this many events.")
@json_option
def command(seconds: float | None, count: int | None, as_json: bool) -> int:
    """Show a line per event: connected, paired, hop on, back to stack with the reason, closed, class."""
    instance = service.current()
    deadline = None if seconds is None else time.monotonic() + seconds
    shown = 0
    stopped = False

    def stop(*_signal: object) -> None:
        nonlocal stopped
        stopped = True

    def wanted() -> bool:
        over = deadline is not None and time.monotonic() >= deadline
        return not (stopped or over or shown == count)

    def show(line: events.Line) -> None:
        nonlocal shown
        if not wanted():
            return
        shown += 1
        if as_json:
            output.data({"schema": SCHEMA, **asdict(line)})
            return
        click.echo(_text(line))

    # Not as an exception: one that is raised on the way from libbpf to us would be lost (ctypes).
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, stop)
    if not events.follow(instance, show, wanted):
        output.message("the service that was traced is gone")
    return exits.OK


def _text(line: events.Line) -> str:
    start = f"{line.seconds:.3f}  {line.kind.replace('_', ' '):<9}  {line.role}"
    if line.kind == "class":
        why = f": {words.in_short(line.class_reasons)}" if line.class_reasons else ""
        return f"{start}  port {line.port} of {line.cgroup or f'cgroup {line.cgroup_id}'}  {line.state}{why}"
    return f"{start}  {line.local} -> {line.remote}{f'  {line.reason}' if line.reason else ''}"
