"""``flows``: the connections of this host, put together."""

import json
import os
import resource
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sockhop.control import checks, flows
from sockhop.control.probes import machine
from sockhop.kernel import cgroups, libbpf
from tests.cli.connections import Connection, connected, visiting
from tests.cli.sandbox import SOCKHOP, Sandbox
from tests.cli.veth import HERE, THERE, over_veth


def listed(sandbox: Sandbox, *options: str | Path, code: int = 0) -> list[dict[str, Any]]:
    """What ``flows --json`` prints."""
    done = sandbox.sockhop("flows", "--json", *options)
    assert done.returncode == code, done
    shown = json.loads(done.stdout)
    assert set(shown) == {"schema", "total", "flows"}
    assert shown["schema"] == 1
    found: list[dict[str, Any]] = shown["flows"]
    return found


def port_of(pair: Connection) -> str:
    return str(pair.server.getsockname()[1])


def only(sandbox: Sandbox, pair: Connection, **options: Any) -> dict[str, Any]:
    """The one flow that has the connection's port."""
    (flow,) = listed(sandbox, "--port", port_of(pair), **options)
    return flow


def endpoint(end: socket.socket) -> str:
    address, port = end.getsockname()[:2]
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def test_names_of_processes_do_nothing_to_a_terminal(sandbox: Sandbox) -> None:
    name = Path("/proc/self/comm")
    before = name.read_text().rstrip("\n")
    sandbox.ok("up", "--all")
    name.write_text("\x1b[31mA\nB")
    try:
        with sandbox.connection() as pair:
            for verb in (["flows", "--port"], ["explain"]):
                shown = sandbox.ok(*verb, port_of(pair))
                assert ("?[31mA?B" in shown, "\x1b" in shown) == (True, False)
    finally:
        name.write_text(before)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_both_ends_with_all_that_is_known(sandbox: Sandbox, address: str) -> None:
    scope = sandbox.cgroup()
    sandbox.ok("up", "--cgroup", sandbox.inside(scope))
    with visiting(scope):
        pair = connected(address)
    with pair:
        pair.talk(5)
        flow = only(sandbox, pair)
        assert (flow["hops"], flow["code"], flow["text"], flow["fix"]) == (True, "hops", "hops", "")
        for role, here, there in (("client", pair.client, pair.server), ("server", pair.server, pair.client)):
            end = flow[role]
            assert end["role"] == role
            assert (end["local"], end["remote"]) == (endpoint(here), endpoint(there))
            assert end["tcp_state"] == "established"
            assert end["cgroup"] == str(sandbox.inside(scope))
            assert end["cgroup_id"] == cgroups.identity(scope)
            assert [(owner["pid"], owner["fd"]) for owner in end["owners"]] == [(os.getpid(), here.fileno())]
            assert end["owners"][0]["command"] == Path("/proc/self/comm").read_text().strip()
            assert {"in_scope", "paired", "tracked", "in_map", "has_file"} <= set(end["flags"])
            assert not {"observed", "blocks", "foreign", "peer_gone"} & set(end["flags"])
            assert (end["messages"], end["hopped_messages"], end["outcome"]) == (5, 5, "hop")
            assert end["hopped_bytes"] > 0
            assert (end["rule"], end["allowed"]) == ("learned", "hopping")


def test_a_table(sandbox: Sandbox) -> None:
    sandbox.ok("up", "--all")
    with sandbox.connection() as pair:
        pair.talk(2)
        heading, row = sandbox.ok("flows", "--port", port_of(pair)).splitlines()
        assert heading.split()[:2] == ["client", "server"]
        assert row.split()[:2] == [endpoint(pair.client), endpoint(pair.server)]
    assert f"({os.getpid()}/" in row
    assert " yes " in row


def test_in_auto_mode(sandbox: Sandbox) -> None:
    sandbox.ok("up", "--mode", "auto", "--all")
    with sandbox.connection() as pair:
        pair.talk(20)
        flow = only(sandbox, pair)
    assert (flow["hops"], flow["code"]) == (False, "learning")
    for role in ("client", "server"):
        assert "observed" in flow[role]["flags"]
        assert "tracked" not in flow[role]["flags"]
        assert flow[role]["class_state"] == "learning"


def test_from_one_namespace_to_another(sandbox: Sandbox) -> None:
    sandbox.ok("up", "--all")
    with over_veth(sandbox) as pair:
        pair.talk(3)
        flow = only(sandbox, pair)
    assert flow["hops"]
    assert flow["client"]["local"].startswith(f"{HERE}:")
    assert flow["server"]["local"].startswith(f"{THERE}:")
    assert flow["client"]["netns_cookie"] != flow["server"]["netns_cookie"]
    assert (flow["client"]["messages"], flow["server"]["messages"]) == (3, 3)


@pytest.mark.parametrize("seen", [True, False])
def test_ends_that_sockhop_does_not_know(sandbox: Sandbox, seen: bool) -> None:
    """Made before ``up``, so that nothing but TCP joins them."""
    with over_veth(sandbox, seen=seen) as pair:
        pair.talk(3)
        sandbox.ok("up", "--all")
        flow = only(sandbox, pair)
    assert flow["code"] == ("not_adopted" if seen else "other_host")
    assert (flow["server"] is None) == (not seen)


def test_a_connection_that_came_before_and_is_busy(sandbox: Sandbox) -> None:
    with sandbox.connection() as pair:
        pair.leave_unread(b"x" * 5000)
        sandbox.ok("up", "--all")
        flow = only(sandbox, pair)
        assert flow["client"]
        assert flow["server"]


def test_who_holds_a_socket(sandbox: Sandbox) -> None:
    sandbox.ok("up", "--all")
    with sandbox.connection() as pair:
        copy = os.dup(pair.client.fileno())
        child = subprocess.Popen(["cat"], stdin=subprocess.PIPE, pass_fds=[pair.client.fileno()])
        try:
            owners = only(sandbox, pair)["client"]["owners"]
        finally:
            os.close(copy)
            child.communicate()
        held = {(owner["pid"], owner["fd"], owner["command"]) for owner in owners}
        me = Path("/proc/self/comm").read_text().strip()
        assert held >= {(os.getpid(), pair.client.fileno(), me), (os.getpid(), copy, me)}
        assert (child.pid, pair.client.fileno(), "cat") in held


def test_filters(sandbox: Sandbox) -> None:
    inner, outer = sandbox.cgroup("inner"), sandbox.cgroup("outer")
    sandbox.ok("up", "--cgroup", sandbox.inside(inner))
    with sandbox.connection(inner) as hopping, sandbox.connection(outer) as other:
        ports = {port_of(hopping), port_of(other)}

        def found(*options: str | Path) -> set[str]:
            flows = listed(sandbox, *options)
            return {flow["server"]["local"].rpartition(":")[2] for flow in flows if flow["server"]} & ports

        assert found() == ports
        assert found("--cgroup", sandbox.inside(inner)) == {port_of(hopping)}
        assert found("--cgroup", sandbox.inside(sandbox.root)) == ports
        assert found("--hopping") == {port_of(hopping)}
        assert found("--not-hopping") == {port_of(other)}
        assert found("--pid", str(os.getpid())) == ports
        assert found("--pid", "1") == set()
        assert found("--address", "127.0.0.1") == ports
        assert found("--address", "::ffff:127.0.0.1") == ports
        assert found("--address", "::1") == set()
        assert found("--port", port_of(other)) == {port_of(other)}
        other.client.shutdown(socket.SHUT_WR)
        assert found("--state", "close_wait") == {port_of(other)}
        assert found("--state", "established") == {port_of(hopping)}


def test_order_and_number(sandbox: Sandbox) -> None:
    sandbox.ok("up", "--all")
    me = ("--pid", str(os.getpid()))
    with sandbox.connection() as quiet, sandbox.connection() as busy:
        quiet.talk(1)
        busy.talk(9)
        ours = [port_of(quiet), port_of(busy)]

        def order(*options: str) -> list[str]:
            found = [flow["server"]["local"].rpartition(":")[2] for flow in listed(sandbox, *me, *options)]
            return [port for port in found if port in ours]

        for key in ("messages", "hopped", "bytes"):
            assert order("--sort", key) == ours
            assert order("--sort", key, "--reverse") == ours[::-1]
        assert order() == order("--sort", "port") == sorted(ours, key=int)
        for key in ("address", "process", "state", "why"):
            assert sorted(order("--sort", key)) == sorted(ours)
        done = sandbox.sockhop("flows", *me, "--hopping", "--limit", "1")
        assert len(done.stdout.splitlines()) == 2
        assert done.stderr == "sockhop: 1 more are not shown\n"


@pytest.mark.parametrize(
    "options",
    [
        ("--port", "0"),
        ("--port", "65536"),
        ("--port", "x"),
        ("--address", "localhost"),
        ("--pid", "0"),
        ("--cgroup", "/nowhere"),
        ("--state", "open"),
        ("--sort", "beauty"),
        ("--limit", "0"),
    ],
)
def test_what_makes_no_sense(sandbox: Sandbox, options: tuple[str, str]) -> None:
    done = sandbox.sockhop("flows", *options)
    assert (done.returncode, done.stdout) == (2, "")
    assert options[1] in done.stderr


def test_not_up(sandbox: Sandbox) -> None:
    with sandbox.connection() as pair:
        assert only(sandbox, pair, code=3)["code"] == "down"
    assert sandbox.leftovers() == set()


def test_the_connections_of_a_run_are_its_own(sandbox: Sandbox) -> None:
    """Another data plane has them, and that one is asked too."""
    sandbox.ok("up", "--mode", "auto", "--all")
    script = (
        "import socket,sys\n"
        "l=socket.create_server(('127.0.0.1',0)); c=socket.create_connection(l.getsockname()); s=l.accept()[0]\n"
        "c.sendall(b'x'); s.recv(1); print(l.getsockname()[1], flush=True); sys.stdin.read()\n"
    )
    python = SOCKHOP.with_name("python")
    with sandbox.popen(SOCKHOP, "run", "--", python, "-c", script, stdin=subprocess.PIPE) as run:
        assert run.stdout is not None
        port = run.stdout.readline().strip()
        (flow,) = listed(sandbox, "--port", port)
        run.communicate()
    assert (flow["hops"], flow["code"]) == (True, "hops")


def test_a_kernel_that_does_not_tell_who_holds_sockets(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """The iterator is refused once; the data plane does without."""
    load = libbpf.object_load
    refusals = [PermissionError(1, "refused")]

    def refuse_once(handle: int) -> int:
        if refusals:
            raise refusals.pop()
        return load(handle)

    monkeypatch.setattr(libbpf, "object_load", refuse_once)
    with sandbox.connection() as pair:
        picture = flows.look()
        (flow,) = [flow for flow in picture.flows if flows.Filter(port=int(port_of(pair))).matches(flow)]
        assert [end.owners for end in flow.ends] == [None, None]
    refusals.append(PermissionError(1, "refused"))
    (probe,) = (probe for probe in machine.PROBES if probe.id == "owners")
    answer = checks.ask(probe)
    assert (answer.state, answer.need) == ("missing", "detail")
    assert "cannot tell which processes hold sockets" in answer.reason


def test_a_service_without_that_iterator(sandbox: Sandbox) -> None:
    sandbox.ok("up", "--all")
    (sandbox.bpffs / "service/owners").unlink()
    with sandbox.connection() as pair:
        flow = only(sandbox, pair)
        assert flow["hops"]
        assert (flow["client"]["owners"], flow["server"]["owners"]) == (None, None)
        assert "process unknown" in sandbox.ok("explain", port_of(pair))
    sandbox.ok("down")


@pytest.mark.timeout(120)
def test_fifty_thousand_sockets(sandbox: Sandbox, c_tool: Callable[[str], Path]) -> None:
    """Each has its line. The time is told, and not judged: other things run beside the tests."""
    scope = sandbox.cgroup()
    sandbox.ok("up", "--cgroup", sandbox.inside(scope))
    crowd = [c_tool("tests/stress/crowd.c"), "--connections", "25000", "--processes", "2"]
    with sandbox.popen(*map(str, crowd), cgroup=scope, stdin=subprocess.PIPE) as many:
        assert many.stdin is not None
        assert many.stdout is not None
        many.stdout.readline()
        many.stdin.write("open\n")
        many.stdin.flush()
        many.stdout.readline()
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        shown = sandbox.ok("flows", "--cgroup", sandbox.inside(scope))
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        many.stdin.write("close\n")
        many.stdin.flush()
        many.stdout.readline()
        many.stdin.close()
    assert len(shown.splitlines()) == 25_001
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"{seconds:.2f} s of CPU")
