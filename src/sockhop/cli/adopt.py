"""``sockhop adopt``."""

import click

from sockhop.cli import exits, output
from sockhop.cli.options import json_option
from sockhop.control import service
from sockhop.control.instance import Instance
from sockhop.control.status import SCHEMA


@click.command()
@json_option
def command(as_json: bool) -> int:
    """Take in, once, the connections that exist already and may hop by now."""
    counts: list[int] = []
    service.change(Instance.watch)  # there may be no agent that stopped it, any more
    service.change(lambda instance: counts.append(instance.walk()))
    if as_json:
        output.data({"schema": SCHEMA, "adopted": counts[0]})
    else:
        output.table(["adopted"], [[f"{counts[0]:,} sockets"]])
    return exits.OK
