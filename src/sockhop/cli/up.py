"""``sockhop up``."""

from pathlib import Path

import click

from sockhop.cli import output
from sockhop.cli.options import (
    accept_option,
    config_option,
    json_option,
    mode_option,
    settings_from,
    settings_options,
)
from sockhop.control import config, resolve, service
from sockhop.kernel import cgroups


@click.command()
@click.option(
    "--cgroup",
    "scopes",
    multiple=True,
    type=click.Path(path_type=Path),
    help="A cgroup to watch, with all below it. May be given several times.",
)
@click.option("--unit", "units", multiple=True, help="A systemd unit to watch. May be given several times.")
@click.option("--all", "everything", is_flag=True, help="Watch every process of this host.")
@mode_option
@settings_options
@accept_option
@config_option
@json_option
@click.pass_context
def command(
    context: click.Context,
    /,
    scopes: tuple[Path, ...],
    units: tuple[str, ...],
    everything: bool,
    config_file: Path | None,
    accept_data_loss: bool,
    as_json: bool,
    **_settings: float | str,
) -> int:
    """Let new connections within the scopes hop, until `sockhop down`. Twice is once.

    What the command line does not say comes from the configuration file, scopes too; where there is none, it stays
    as it is.
    """
    if everything and (scopes or units):
        raise click.UsageError("--all takes in everything: leave out --cgroup and --unit")
    found = config.load(config_file)
    settings, given = settings_from(context, found)
    if everything:
        paths = [cgroups.mount_point()]
    else:
        paths = [*scopes, *map(cgroups.of_unit, units)] or resolve.scope_paths(found)
    if not paths and service.identity() is None:
        raise click.UsageError(
            "say what to watch: --cgroup PATH or --unit NAME (as often as needed), or --all, "
            f"or [scopes] in {found.file or config.DEFAULT_PATH}"
        )
    rules = resolve.compile_rules(found) if found.file else None
    result = service.up(paths, settings, rules, given, accept_data_loss=accept_data_loss)
    if as_json:
        output.data(result.status.as_json())
        return 0
    if result.replaced:
        output.message("replaced the one that was up; its connections go on through the stack")
    names = ", ".join(scope.cgroup for scope in result.status.scopes)
    output.message(
        f"up: new connections within {names} hop"
        if result.made or result.added
        else f"already up over {names}; what is configured now is in force"
    )
    if result.status.hops == "paused":
        output.message("hops are paused, as they were before: everything takes the stack until sockhop resume")
    return 0
