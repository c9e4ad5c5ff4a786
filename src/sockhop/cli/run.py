"""``sockhop run``."""

import json
from pathlib import Path

import click

from sockhop.cli import exits, output
from sockhop.cli.options import accept_option, config_option, mode_option, settings_from, settings_options
from sockhop.control import config, resolve, runner


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
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
    if json_file and not _write(json_file, ""):  # before the command has run for nothing
        return exits.FAILED
    result = runner.run(list(argv), settings, rules, accept_data_loss=accept_data_loss)
    output.message(_summary(result))
    if json_file and not _write(json_file, json.dumps(result.status.as_json()) + "\n"):
        return result.code or exits.FAILED
    return result.code


def _write(path: Path, text: str) -> bool:
    try:
        path.write_text(text)
    except OSError as error:
        output.message(f"the counters cannot be written to {path}: {error.strerror}")
        return False
    return True


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
