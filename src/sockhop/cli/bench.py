"""``sockhop bench``."""

import click

from sockhop.bench import running, table
from sockhop.bench.comparison import QUICK, Effort
from sockhop.cli import exits, output
from sockhop.cli.options import json_option


@click.command()
@click.option("--list", "only_list", is_flag=True, help="Print the names of the cases.")
@click.option("--only", metavar="PATTERN", help="Cases that match, as a shell would: 'rr-*'.")
@click.option("--quick", is_flag=True, help="A rough answer in less than a minute.")
@json_option
def command(only_list: bool, only: str | None, quick: bool, as_json: bool) -> int:
    """Measure TCP, hops and Unix sockets side by side on this machine."""
    chosen = running.choose(only, quick)
    if not chosen:
        output.message(f"no case matches {only!r}: `sockhop bench --list` has their names")
        return exits.USAGE
    if only_list:
        click.echo("\n".join(case.name for case in chosen))
        return exits.OK
    found = running.measure(chosen, QUICK if quick else Effort(), lambda case: output.message(case.name))
    if as_json:
        output.data(found.as_json())
    else:
        table.show(found)
    return exits.OK
