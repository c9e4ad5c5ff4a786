"""``sockhop explain``."""

from collections import Counter

import click

from sockhop.cli import exits, output, targets
from sockhop.cli.flows import json_of
from sockhop.cli.options import json_option
from sockhop.control import flows
from sockhop.control.ends import End
from sockhop.control.explain import explain
from sockhop.control.pairing import Flow
from sockhop.control.status import SCHEMA
from sockhop.control.verdicts import Verdict
from sockhop.kernel import processes

MOST = 20


def _target(_ctx: click.Context, _parameter: click.Parameter, value: str) -> flows.Filter:
    return targets.parse(value)


@click.command()
@click.argument("target", callback=_target)
@json_option
def command(target: flows.Filter, as_json: bool) -> int:
    """Say of each connection that matches TARGET who is at its ends, and why it hops or does not.

    TARGET is PORT, IP:PORT, [IPv6]:PORT, pid:PID or PID/FD. A bare number is a port, unless it is above 65535:
    then it is a PID.
    """
    output.many_objects()
    picture = flows.look()
    rows = [(flow, explain(flow, picture.situation(flow))) for flow in picture.flows if target.matches(flow)]
    rows.sort(key=lambda row: [end.cookie for end in row[0].ends])
    if as_json:
        output.listing({"schema": SCHEMA}, "flows", (json_of(*row) for row in rows))
    else:
        for row in rows[:MOST]:
            _show(*row)
        if len(rows) > MOST:
            counts = Counter(verdict.code for _, verdict in rows[MOST:])
            each = ", ".join(f"{count:,} {code}" for code, count in counts.most_common())
            output.message(f"{len(rows) - MOST:,} more connections match: {each}. See sockhop flows")
    if not rows:
        output.message(_nothing(target, picture))
        return exits.FAILED
    return exits.NOT_UP if picture.situations["service"].state == "down" else exits.OK


def _show(flow: Flow, verdict: Verdict) -> None:
    end = flow.ends[0]
    client = flow.client.local if flow.client else end.remote
    server = flow.server.local if flow.server else end.remote
    click.echo(f"{client} -> {server}")
    for each in flow.ends:
        click.echo(f"  {each.role}  {_about(each)}")
    click.echo(f"  {verdict.text}")
    if verdict.fix:
        click.echo(f"  fix: {verdict.fix}")
    click.echo()


def _about(end: End) -> str:
    if end.owners is None:
        holders = "process unknown (this kernel does not tell)"
    else:
        holders = ", ".join(f"{owner.command} (pid {owner.pid}, fd {owner.descriptor})" for owner in end.owners)
    return "; ".join(
        [
            holders or "no process",
            end.cgroup_path or f"cgroup {end.cgroup}",
            f"network namespace {end.netns_cookie}",
            end.tcp_state,
        ]
    )


def _nothing(target: flows.Filter, picture: flows.Picture) -> str:
    if target.pid is not None:
        if processes.start_time(target.pid) is None:
            return f"there is no process {target.pid}"
        held = any(
            owner.pid == target.pid for flow in picture.flows for end in flow.ends for owner in end.owners or ()
        )
        if target.descriptor is not None and held:
            return f"descriptor {target.descriptor} of process {target.pid} is not a TCP connection"
        return f"process {target.pid} has no TCP connection"
    where = f"{target.address} port" if target.address else "port"
    return f"there is no TCP connection with {where} {target.port} at either end now"
