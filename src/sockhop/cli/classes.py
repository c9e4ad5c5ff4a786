"""``sockhop classes``."""

import click

from sockhop.cli import exits, output
from sockhop.cli.options import json_option
from sockhop.control import service
from sockhop.control.classes import Class
from sockhop.control.instance import Instance
from sockhop.control.status import SCHEMA
from sockhop.kernel import cgroups


@click.command()
@click.option("--port", type=click.IntRange(1, 65535), help="Only services on this port.")
@click.option("--forget", is_flag=True, help="Forget them: they are learned anew.")
@json_option
def command(port: int | None, forget: bool, as_json: bool) -> int:
    """Show what was learned about each service, and why it is kept on the stack."""

    def wanted(instance: Instance) -> list[Class]:
        return [each for each in instance.classes() if port in (None, each.port)]

    known = wanted(service.current())
    where = cgroups.find({each.cgroup for each in known})
    if forget:
        service.change(lambda instance: instance.forget(wanted(instance)))
        output.message(f"{len(known)} classes forgotten")
    elif as_json:
        shown = [{**each.as_json(), "path": str(where.get(each.cgroup, ""))} for each in known]
        output.data({"schema": SCHEMA, "classes": shown})
    else:
        columns = ["cgroup", "port", "role", "state", "because", "connections", "reads", "each", "writes", "each"]
        rows = [_row(each, str(where.get(each.cgroup, f"gone: {each.cgroup}"))) for each in known]
        output.table(columns, rows, numbers={1, 5, 6, 7, 8, 9})
    return exits.OK


def _row(known: Class, path: str) -> list[str]:
    return [
        path,
        str(known.port),
        known.role,
        known.state,
        ", ".join(known.reasons),
        f"{known.connections:,}",
        f"{known.reads:,}",
        output.size(known.read_bytes / max(known.reads, 1)),
        f"{known.writes:,}",
        output.size(known.written_bytes / max(known.writes, 1)),
    ]
