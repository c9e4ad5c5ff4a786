"""``sockhop flows``."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from sockhop.cli import exits, output, targets
from sockhop.cli.options import json_option
from sockhop.control import flows
from sockhop.control.ends import TCP_STATES, End, quoted
from sockhop.control.explain import explain
from sockhop.control.pairing import Flow
from sockhop.control.status import SCHEMA
from sockhop.control.verdicts import Verdict
from sockhop.kernel import cgroups

Row = tuple[Flow, Verdict]


def _messages(flow: Flow) -> int:
    return sum(end.messages for end in flow.ends)


def _hopped(flow: Flow) -> int:
    return sum(end.hopped_messages for end in flow.ends)


def _bytes(flow: Flow) -> int:
    return sum(end.hopped_bytes for end in flow.ends)


def _ports(flow: Flow) -> tuple[int, int]:
    end = flow.ends[0]
    ports = (end.local_port, end.remote_port)
    return ports if flow.server is end else ports[::-1]


def _process(end: End | None) -> str:
    if end is None or end.owners is None:
        return ""
    return " ".join(f"{owner.command}({owner.pid}/{owner.descriptor})" for owner in end.owners)


_SORTS: dict[str, Callable[[Row], Any]] = {
    "port": lambda row: _ports(row[0]),
    "address": lambda row: [(end.local_address, end.local_port) for end in row[0].ends],
    "process": lambda row: [_process(end) for end in row[0].ends],
    "state": lambda row: row[0].ends[0].tcp_state,
    "why": lambda row: row[1].code,
    "messages": lambda row: _messages(row[0]),
    "hopped": lambda row: _hopped(row[0]),
    "bytes": lambda row: _bytes(row[0]),
}


def _port(_ctx: click.Context, _parameter: click.Parameter, value: int | None) -> int | None:
    return None if value is None else targets.port(value, str(value))


def _address(_ctx: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    return None if value is None else targets.address(value)


@click.command()
@click.option("--port", type=int, callback=_port, help="Only connections with this port at either end.")
@click.option("--address", callback=_address, help="Only those with this IP address at either end.")
@click.option("--pid", type=click.IntRange(1), help="Only those of this process.")
@click.option("--cgroup", type=click.Path(path_type=Path), help="Only those of this cgroup or one below it.")
@click.option("--state", type=click.Choice(TCP_STATES[:11]), help="Only those of which an end is in this state.")
@click.option("--hopping/--not-hopping", "hopping", default=None, help="Only those that hop, or do not.")
@click.option("--sort", type=click.Choice(list(_SORTS)), default="port", show_default=True, help="Sort by this.")
@click.option("--reverse", is_flag=True, help="Largest first.")
@click.option("--limit", type=click.IntRange(1), help="Show at most so many.")
@json_option
def command(
    port: int | None,
    address: str | None,
    pid: int | None,
    cgroup: Path | None,
    state: str | None,
    hopping: bool | None,
    sort: str,
    reverse: bool,
    limit: int | None,
    as_json: bool,
) -> int:
    """List the TCP connections of this host: who is at their ends, whether they hop, and if not, why."""
    inside = cgroups.check(cgroup) if cgroup else None
    wanted = flows.Filter(port, address, pid, None, inside, state)
    output.many_objects()
    picture = flows.look()
    rows = [
        (flow, verdict)
        for flow in picture.flows
        if wanted.matches(flow)
        and ((verdict := explain(flow, picture.situation(flow))).hops == hopping or hopping is None)
    ]
    rows.sort(key=_SORTS[sort], reverse=reverse)
    shown = rows[:limit]
    if as_json:
        output.listing({"schema": SCHEMA, "total": len(rows)}, "flows", (json_of(*row) for row in shown))
    else:
        _show(shown)
        if len(shown) < len(rows):
            output.message(f"{len(rows) - len(shown):,} more are not shown")
    if picture.situations["service"].state == "down":
        output.message("sockhop is not up: nothing hops but what `sockhop run` runs")
        return exits.NOT_UP
    return exits.OK


def json_of(flow: Flow, verdict: Verdict) -> str:
    """Return the JSON object of a connection, as ``flows`` and ``explain`` have it."""
    return (
        f'{{"client": {flow.client.as_json() if flow.client else "null"}, '
        f'"server": {flow.server.as_json() if flow.server else "null"}, '
        f'"hops": {"true" if verdict.hops else "false"}, "code": "{verdict.code}", '
        f'"text": {quoted(verdict.text)}, "fix": {quoted(verdict.fix)}}}'
    )


def _show(rows: list[Row]) -> None:
    output.lines(
        [
            "client",
            "server",
            "client process",
            "server process",
            "state",
            "hops",
            "why",
            "messages",
            "hopped",
            "bytes",
        ],
        [
            [
                flow.client.local if flow.client else flow.ends[0].remote,
                flow.server.local if flow.server else flow.ends[0].remote,
                _process(flow.client),
                _process(flow.server),
                flow.ends[0].tcp_state,
                "yes" if verdict.hops else "no",
                "" if verdict.code == "hops" else verdict.code,
                f"{_messages(flow):,}",
                f"{_hopped(flow):,}",
                output.size(_bytes(flow)),
            ]
            for flow, verdict in rows
        ],
        numbers={7, 8, 9},
    )
