"""``sockhop bench``."""

import os

import click

from sockhop.bench import report, running
from sockhop.bench.comparison import QUICK, Effort
from sockhop.cli import exits, output
from sockhop.cli.options import json_option

INTERRUPTED = 130


@click.command()
@click.option("--list", "only_list", is_flag=True, help="Print the names of the cases.")
@click.option("--only", metavar="PATTERN", help="Cases that match, as a shell would: 'rr-*'.")
@click.option("--quick", is_flag=True, help="A rough answer in less than a minute.")
@json_option
def command(only_list: bool, only: str | None, quick: bool, as_json: bool) -> int:
    """Measure TCP, hops and Unix sockets side by side on this machine."""
    chosen = running.choose(only)
    if not chosen:
        output.message(f"no case matches {only!r}: `sockhop bench --list` has their names")
        return exits.USAGE
    if only_list:
        click.echo("\n".join(case.name for case in chosen))
        return exits.OK
    facts = report.machine_facts()
    if os.getloadavg()[0] > report.BUSY:
        output.message(f"this machine is busy (load {os.getloadavg()[0]:.2f}): expect wide intervals")
    run = running.measure(
        chosen,
        QUICK if quick else Effort(),
        lambda case: output.message(f"measuring {case.name}: {case.title}"),
    )
    if run.interrupted:
        output.message("interrupted: what was measured so far")
    if as_json:
        output.data(report.as_json(run.rows, facts, run.seconds))
    else:
        report.show(run.rows, facts, run.seconds)
    if run.interrupted:
        return INTERRUPTED
    return exits.FAILED if any(row.verdict == "failed" for row in run.rows) else exits.OK
