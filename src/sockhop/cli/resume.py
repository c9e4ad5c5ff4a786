"""``sockhop resume``."""

import click

from sockhop.cli import output
from sockhop.control import service


@click.command()
def command() -> int:
    """Let messages hop again."""
    service.change(lambda instance: instance.resume())
    output.message("hops are on")
    return 0
