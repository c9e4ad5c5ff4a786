"""``sockhop down``."""

from pathlib import Path

import click

from sockhop.cli import exits, output
from sockhop.cli.options import json_option
from sockhop.control import places, service

DEFAULT_WAIT = 5.0


@click.command()
@click.option(
    "--wait",
    "seconds",
    type=click.FloatRange(0, 86400),
    help=f"How many seconds to wait for sockets to become empty. [default: {DEFAULT_WAIT}]",
)
@click.option("--now", is_flag=True, help="Do not wait: pause, take in nothing new, leave the rest to drain.")
@json_option
def command(seconds: float | None, now: bool, as_json: bool) -> int:
    """Turn hops off and leave the kernel as it was, without losing a byte."""
    if now and seconds is not None:
        raise click.UsageError("--now and --wait exclude each other")
    status = service.down(0.0 if now else DEFAULT_WAIT if seconds is None else seconds)
    if as_json:
        output.data(status.as_json())
    elif status.state == "down":
        output.message(f"down: nothing of sockhop is left in the kernel{_but(places.left())}")
    elif status.state == "up":
        output.message("somebody has brought it up again meanwhile: it stays up")
    else:
        output.message(
            f"draining: {status.sockets.tracked} sockets have unread bytes or sleeping readers, or are busy, and "
            "go on through the stack. Nothing is lost; `sockhop down` finishes when they are done"
        )
    return exits.OK if status.state == "down" or (now and status.state == "draining") else exits.FAILED


def _but(left: list[Path]) -> str:
    others = [str(pin) for pin in left if pin != places.classes()]
    parts = ["what it has learned, " + str(places.classes())] if len(others) < len(left) else []
    if others:
        parts.append("what others of its processes use, " + ", ".join(others))
    return f" but {', and '.join(parts)}" if parts else ""
