"""``sockhop status``."""

import click

from sockhop.cli import exits, output
from sockhop.cli.options import json_option
from sockhop.control import service
from sockhop.control.status import Status


@click.command()
@json_option
def command(as_json: bool) -> int:
    """Show whether sockhop is up, over what, and what it did."""
    status = service.look()
    if as_json:
        output.data(status.as_json())
    elif status.state == "down":
        output.message("down")
    else:
        show(status)
    return exits.NOT_UP if status.state == "down" else exits.OK


def show(status: Status) -> None:
    """Print the status as a table."""
    rows = [
        ["state", f"{status.state}, hops {status.hops}"],
        ["scopes", "\n".join(scope.cgroup for scope in status.scopes) or "none"],
        ["sockets", f"{status.sockets.tracked:,} of {status.sockets.capacity:,}"],
        ["hop", f"{status.hop.messages:,} messages, {output.size(status.hop.bytes)}"],
        ["stack", f"{status.stack.messages:,} messages, {output.size(status.stack.bytes)}"],
    ]
    rows += [[f"  {name}", f"{count:,}"] for name, count in status.stack.reasons.items() if count]
    rows += [[f"refused {name}", f"{count:,}"] for name, count in status.sockets.refused.items() if count]
    output.table(["", ""], rows)
