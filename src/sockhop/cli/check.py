"""``sockhop check``."""

from dataclasses import asdict

import click

from sockhop.cli import exits, output
from sockhop.cli.options import json_option
from sockhop.control import checks
from sockhop.control.status import SCHEMA


@click.command()
@json_option
def command(as_json: bool) -> int:
    """Find out, by trying, what this kernel and machine allow."""
    answers = checks.run_checks()
    capable = checks.is_capable(answers)
    if as_json:
        output.data({"schema": SCHEMA, "capable": capable, "answers": [asdict(answer) for answer in answers]})
    else:
        output.table(
            ["probe", "answer", "reason", "fix"],
            [[answer.id, answer.state, answer.reason, answer.fix] for answer in answers],
        )
        output.message("this machine can hop" if capable else "this machine cannot hop: see the table")
    return exits.OK if capable else exits.BLOCKED
