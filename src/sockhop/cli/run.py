"""``sockhop run``."""

import json
import os
import stat
from pathlib import Path
from typing import TextIO

import click

from sockhop.cli import exits, output
from sockhop.cli.options import accept_option, config_option, mode_option, settings_from, settings_options
from sockhop.control import config, resolve, runner


@click.command(context_settings={"allow_interspersed_args": False})
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write the counters to this file.")
@mode_option
@settings_options
@accept_option
@config_option
@click.argument("argv", metavar="-- CMD [ARG]...", nargs=-1, required=True, type=click.UNPROCESSED)
@click.pass_context
def command(
    context: click.Context,
    /,
    json_file: Path | None,
    config_file: Path | None,
    accept_data_loss: bool,
    argv: tuple[str, ...],
    **_settings: float | str,
) -> int:
    """Run a command, and all that it starts, with hops on; end with its exit code."""
    found = config.load(config_file)
    settings, _ = settings_from(context, found)
    rules = resolve.compile_rules(found)
    try:
        # Before the command has run for nothing, and once: whoever reads from a FIFO reads to the first end.
        counters = json_file.open("a") if json_file else None
    except OSError as error:
        output.message(f"the counters cannot be written to {json_file}: {error.strerror}")
        return exits.FAILED
    result = runner.run(list(argv), settings, rules, accept_data_loss=accept_data_loss)
    output.message(_summary(result))
    try:
        if counters:
            _write(counters, json.dumps(result.status.as_json()) + "\n")
    except OSError as error:
        output.message(f"the counters cannot be written to {json_file}: {error.strerror}")
        return result.code or exits.FAILED
    return result.code


def _write(file: TextIO, text: str) -> None:
    """Let the text be all that is in the file; close it."""
    with file:
        if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            file.truncate(0)
        file.write(text)


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
