"""``sockhop adopt``."""

import click

from sockhop.cli import exits, output
from sockhop.cli.options import json_option
from sockhop.control import agent, service
from sockhop.control.status import SCHEMA


@click.command()
@json_option
def command(as_json: bool) -> int:
    """Take in, once, the connections that exist already and may hop by now."""
    count = agent.adopt(service)
    if as_json:
        output.data({"schema": SCHEMA, "adopted": count})
    else:
        output.table(["adopted"], [[f"{count:,} sockets"]])
    return exits.OK
