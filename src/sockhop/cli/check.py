"""``sockhop check``."""

from dataclasses import asdict

import click

from sockhop.cli import exits, output
from sockhop.cli.options import json_option
from sockhop.control import checks
from sockhop.control.probes.answers import Support, support
from sockhop.control.status import SCHEMA

_WORDS = {
    Support.FULL: "this machine can hop",
    Support.EAGER_ONLY: "this machine can hop, but applications may notice: only with --mode eager. See the table",
    Support.REFUSED: "this machine cannot hop: see the table",
}


@click.command()
@json_option
def command(as_json: bool) -> int:
    """Find out, by trying, what this kernel and machine allow."""
    answers = checks.run_checks()
    found = support(answers)
    capable = found is not Support.REFUSED
    if as_json:
        output.data(
            {
                "schema": SCHEMA,
                "capable": capable,
                "support": found,
                "answers": [asdict(answer) for answer in answers],
            }
        )
    else:
        output.table(
            ["probe", "answer", "reason", "fix"],
            [[answer.id, answer.state, answer.reason, answer.fix] for answer in answers],
        )
        output.message(_WORDS[found])
    return exits.OK if capable else exits.BLOCKED
