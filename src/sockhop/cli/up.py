"""``sockhop up``."""

from pathlib import Path

import click

from sockhop.cli import output
from sockhop.cli.options import json_option, mode_option, settings_options
from sockhop.control import service
from sockhop.control.settings import Settings
from sockhop.kernel import cgroups


@click.command()
@click.option(
    "--cgroup",
    "scopes",
    multiple=True,
    type=click.Path(path_type=Path),
    help="A cgroup to watch, with all below it. May be given several times.",
)
@click.option("--all", "everything", is_flag=True, help="Watch every process of this host.")
@mode_option
@settings_options
@json_option
def command(
    scopes: tuple[Path, ...],
    everything: bool,
    mode: str,
    capacity: int,
    recheck_seconds: float,
    as_json: bool,
) -> int:
    """Let new connections within the scopes hop, until `sockhop down`. Twice is once."""
    if bool(scopes) == everything:
        raise click.UsageError("say what to watch: either --cgroup PATH (as often as needed) or --all")
    paths = [cgroups.mount_point()] if everything else list(scopes)
    result = service.up(paths, Settings(mode=mode, capacity=capacity, recheck_seconds=recheck_seconds))
    if as_json:
        output.data(result.status.as_json())
        return 0
    if result.replaced:
        output.message("replaced another version; its connections go on through the stack")
    names = ", ".join(scope.cgroup for scope in result.status.scopes)
    output.message(
        f"up: new connections within {names} hop" if result.made or result.added else f"already up over {names}"
    )
    return 0
