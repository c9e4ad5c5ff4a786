"""``sockhop classes``."""

from pathlib import Path

import click

from sockhop.cli import exits, output, targets
from sockhop.cli.options import json_option
from sockhop.control import learned, words
from sockhop.control.classes import Class
from sockhop.control.status import SCHEMA
from sockhop.kernel import cgroups


def _ports(_ctx: click.Context, _parameter: click.Parameter, values: tuple[int, ...]) -> set[int]:
    return {targets.port(value, str(value)) for value in values}


@click.command()
@click.option("--port", "ports", type=int, multiple=True, callback=_ports, help="Only this port; may be repeated.")
@click.option("--cgroup", type=click.Path(path_type=Path), help="Only services of this cgroup or one below it.")
@click.option(
    "--forget", is_flag=True, help="Forget them: they are learned anew. Live connections go by what is new."
)
@json_option
def command(ports: set[int], cgroup: Path | None, forget: bool, as_json: bool) -> int:
    """Show what was learned about each service, and what follows from it.

    A class is the server's end, or the clients' end, of a service: a cgroup and a port.
    """
    inside = cgroups.check(cgroup) if cgroup else None
    known = learned.read()
    where = cgroups.find({each.cgroup for each in known})
    wanted = [
        each
        for each in known
        if (not ports or each.port in ports)
        and (inside is None or (each.cgroup in where and where[each.cgroup].is_relative_to(inside)))
    ]
    if forget:
        learned.forget(wanted)
    if as_json:
        output.data({"schema": SCHEMA, "classes": [each.as_json(where) for each in wanted], "forgotten": forget})
    elif forget:
        output.message(f"forgot {len(wanted):,} classes: they are learned anew")
    else:
        _show(wanted, where)
    return exits.OK


def _show(known: list[Class], where: dict[int, Path]) -> None:
    output.table(
        ["cgroup", "port", "role", "state", "why", "connections", "reads", "per conn.", "read", "write"],
        [
            [
                str(where.get(each.cgroup, f"(gone: {each.cgroup})")),
                str(each.port),
                each.role,
                each.state,
                words.in_short(each.reasons),
                f"{each.connections:,}",
                f"{each.reads:,}",
                f"{each.reads / each.connections:,.1f}" if each.connections else "",
                output.size(each.read_bytes / each.reads) if each.reads else "",
                output.size(each.written_bytes / each.writes) if each.writes else "",
            ]
            for each in known
        ],
        numbers={1, 5, 6, 7, 8, 9},
    )
