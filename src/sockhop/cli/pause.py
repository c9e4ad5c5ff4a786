"""``sockhop pause``."""

import click

from sockhop.cli import output
from sockhop.control import service


@click.command()
def command() -> int:
    """Send every message through the stack, at once; nothing is unloaded."""
    service.change(lambda instance: instance.pause())
    output.message("paused: everything takes the stack")
    return 0
