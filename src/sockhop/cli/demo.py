"""``sockhop demo``."""

import click

from sockhop.cli import exits, output
from sockhop.cli.options import json_option
from sockhop.control import demo
from sockhop.control.status import SCHEMA


@click.command()
@json_option
def command(as_json: bool) -> int:
    """Run a real Redis client and server, before and after, in under 20 seconds."""
    results = demo.compare()
    if as_json:
        output.data({"schema": SCHEMA, "rows": [row.as_json() for row in results]})
        return exits.OK
    output.table(
        [
            "redis-benchmark, 50 clients",
            "TCP, requests/s",
            "hop, requests/s",
            "ratio",
            "messages that hopped",
        ],
        [
            [
                row.test,
                f"{row.tcp:,.0f}",
                f"{row.hop:,.0f}",
                f"{row.ratio:.2f} x",
                f"{row.hopped:,} of {row.messages:,}",
            ]
            for row in results
        ],
        numbers={1, 2, 3, 4},
    )
    return exits.OK
