"""``sockhop run``."""

import json
from pathlib import Path

import click

from sockhop.cli import output
from sockhop.cli.options import mode_option, settings_options
from sockhop.control import runner
from sockhop.control.settings import Settings


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write the counters to this file.")
@mode_option
@settings_options
@click.argument("argv", metavar="-- CMD [ARG]...", nargs=-1, required=True, type=click.UNPROCESSED)
def command(json_file: Path | None, capacity: int, recheck_seconds: float, argv: tuple[str, ...]) -> int:
    """Run a command, and all that it starts, with hops on; end with its exit code."""
    with_file = json_file.open("w") if json_file else None
    try:
        result = runner.run(list(argv), Settings(capacity=capacity, recheck_seconds=recheck_seconds))
        if with_file:
            json.dump(result.status.as_json(), with_file)
            with_file.write("\n")
    finally:
        if with_file:
            with_file.close()
    output.message(_summary(result))
    return result.code


def _summary(result: runner.Result) -> str:
    hop, stack = result.status.hop, result.status.stack
    total = hop.messages + stack.messages
    share = f" ({100 * hop.messages / total:.1f} %)" if total else ""
    text = f"{hop.messages:,} of {total:,} messages{share} and {output.size(hop.bytes)} hopped"
    reasons = ", ".join(f"{name} {count:,}" for name, count in stack.reasons.items() if count)
    if reasons:
        text += f"; stack: {reasons}"
    if result.draining:
        text += f"; {result.draining} sockets of processes that go on are still draining"
    return text
