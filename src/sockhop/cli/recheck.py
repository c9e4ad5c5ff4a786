"""``sockhop recheck``."""

import click

from sockhop.cli import output
from sockhop.control import service


@click.command()
def command() -> int:
    """Make each direction show its next message to the stack, and so to firewalls."""
    service.change(lambda instance: instance.recheck())
    output.message("every direction is rechecked with its next message")
    return 0
