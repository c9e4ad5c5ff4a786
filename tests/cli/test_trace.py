"""``trace``: a line for each event of a connection that is made meanwhile."""

import json
import os
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sockhop.control.instance import Instance
from sockhop.kernel import cgroups
from tests.cli.connections import connected, visiting
from tests.cli.sandbox import SOCKHOP, Sandbox
from tests.conformance.waiting import asleep_in, until

_LINE = re.compile(r"(\d+\.\d{3})  (.{9})  (client|server)  (\S+) -> (\S+)(?:  (\w+))?\n")


@contextmanager
def tracing(sandbox: Sandbox, *options: str) -> Iterator["subprocess.Popen[str]"]:
    """Yield ``trace``, which sees what happens from now on."""
    instance = Instance.open(sandbox.bpffs / "service")
    assert instance is not None
    with sandbox.popen(SOCKHOP, "trace", *options) as trace:
        try:
            until(lambda: instance.config().trace_until_ns, "trace to begin")
            yield trace
        finally:
            trace.kill()


def end(trace: "subprocess.Popen[str]") -> str:
    """End it as Ctrl-C does; return what it printed."""
    trace.send_signal(signal.SIGINT)
    out, err = trace.communicate(timeout=10)
    assert (trace.returncode, err) == (0, "")
    return out


def until_closed(trace: "subprocess.Popen[str]") -> list[str]:
    """Return the lines up to the close of both ends of a connection."""
    assert trace.stdout is not None
    lines: list[str] = []
    while sum("closed" in line for line in lines) < 2:
        lines.append(trace.stdout.readline())
        assert lines[-1], lines
    return lines


def test_the_life_of_a_connection(sandbox: Sandbox) -> None:
    sandbox.ok("up", "--all")
    with tracing(sandbox) as trace:
        with sandbox.connection() as pair:
            client, server = (f"127.0.0.1:{end.getsockname()[1]}" for end in (pair.client, pair.server))
            pair.talk()
            sandbox.ok("recheck")
            pair.talk(20)
        lines = until_closed(trace)
        assert end(trace) == ""
    parts = [_LINE.fullmatch(line) for line in lines]
    assert all(parts), lines
    found = [[part and part.strip() for part in line.groups()] for line in parts if line]
    ends = {"client": [client, server], "server": [server, client]}
    for _, _, role, local, remote, _ in found:
        assert [local, remote] == ends[role or ""]
    events = {(kind, role, reason) for _, kind, role, _, _, reason in found}
    assert [line[1:3] for line in found[:2]] == [["connected", "client"], ["paired", "server"]]
    assert {line[1] for line in found[-2:]} == {"closed"}
    for role in ends:
        assert events >= {("to stack", role, "recheck"), ("hop on", role, None), ("closed", role, None)}
    times = [float(line[0] or "") for line in found]
    assert times == sorted(times)


def test_json_is_an_object_a_line(sandbox: Sandbox) -> None:
    sandbox.ok("up", "--all")
    sandbox.ok("pause")
    with tracing(sandbox, "--json", "--count", "4") as trace:
        with sandbox.connection() as pair:
            pair.talk()
        out, _ = trace.communicate(timeout=10)
    events = [json.loads(line) for line in out.splitlines()]
    assert [(event["kind"], event["role"], event["reason"]) for event in events] == [
        ("connected", "client", None),
        ("paired", "server", None),
        ("to_stack", "client", "paused"),
        ("to_stack", "server", "paused"),
    ]
    assert {event["schema"] for event in events} == {1}
    assert len({event["cookie"] for event in events}) == 2
    assert len({event["netns_cookie"] for event in events}) == 1


def test_ipv6(sandbox: Sandbox) -> None:
    sandbox.ok("up", "--all")
    with tracing(sandbox, "--json", "--count", "2") as trace:
        with visiting(sandbox.root):
            pair = connected("::1")
        with pair:
            out, _ = trace.communicate(timeout=10)
            ports = [end.getsockname()[1] for end in (pair.client, pair.server)]
    assert [json.loads(line)["local"] for line in out.splitlines()] == [f"[::1]:{port}" for port in ports]


def test_it_stops_when_it_should(sandbox: Sandbox) -> None:
    sandbox.ok("up", "--all")
    assert sandbox.ok("trace", "--seconds", "0") == ""
    assert sandbox.sockhop("trace", "--count", "0").returncode == 2
    with tracing(sandbox) as trace:
        assert end(trace) == ""
    with tracing(sandbox, "--seconds", "0.2") as trace:
        assert trace.wait(timeout=10) == 0


def test_there_is_one_at_a_time(sandbox: Sandbox) -> None:
    sandbox.ok("up", "--all")
    with tracing(sandbox) as trace:
        done = sandbox.sockhop("trace")
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith("sockhop: another sockhop trace is running")
        end(trace)
    sandbox.ok("trace", "--seconds", "0")


def test_whoever_reads_it_may_go(sandbox: Sandbox) -> None:
    sandbox.ok("up", "--all")
    with tracing(sandbox) as trace:
        assert trace.stdout is not None
        with sandbox.connection():
            assert "connected" in trace.stdout.readline()
            trace.stdout.close()
        # The next event meets a closed pipe.
        with sandbox.connection():
            assert trace.wait(timeout=10) == 1
        assert trace.stderr is not None
        assert trace.stderr.read() == ""


def test_stopped_and_continued(sandbox: Sandbox) -> None:
    sandbox.ok("up", "--all")
    with tracing(sandbox) as trace:
        for _ in range(3):
            until(lambda: asleep_in("epoll_wait", trace.pid), "trace asleep")
            trace.send_signal(signal.SIGSTOP)
            until(lambda: f"{trace.pid} (sockhop) T" in Path(f"/proc/{trace.pid}/stat").read_text(), "stopped")
            trace.send_signal(signal.SIGCONT)
        with sandbox.connection():
            assert trace.stdout is not None
            assert "connected" in trace.stdout.readline()
        end(trace)


@pytest.mark.parametrize("again", [False, True])
def test_the_service_goes_down_meanwhile(sandbox: Sandbox, again: bool) -> None:
    sandbox.ok("up", "--all")
    with tracing(sandbox) as trace:
        sandbox.ok("down")
        if again:
            sandbox.ok("up", "--all")
        _, err = trace.communicate(timeout=10)
    assert (trace.returncode, err) == (0, "sockhop: the service that was traced is gone\n")


def test_nothing_is_written_for_nobody(sandbox: Sandbox) -> None:
    """A trace that is killed leaves no work for the data plane behind: its lease ends by itself."""
    sandbox.ok("up", "--all")
    instance = Instance.open(sandbox.bpffs / "service")
    assert instance is not None
    with tracing(sandbox) as trace:
        os.kill(trace.pid, signal.SIGKILL)
        trace.wait()
        assert instance.config().trace_until_ns < 2**63
    with tracing(sandbox, "--count", "1") as trace, sandbox.connection():
        assert trace.wait(timeout=10) == 0


def test_classes_that_turn(sandbox: Sandbox) -> None:
    """A line each, with the path of the cgroup and the reason in words."""
    scope = sandbox.cgroup()
    inside = sandbox.inside(scope)
    sandbox.ok("up", "--mode", "auto", "--cgroup", inside)
    with sandbox.connection(scope) as pair, sandbox.connection(scope) as other:
        ports = [each.server.getsockname()[1] for each in (pair, other)]
        with tracing(sandbox) as trace:
            pair.talk(100)
            other.client.sendall(b"all")
            assert other.server.recv(3, socket.MSG_WAITALL) == b"all"
            assert trace.stdout is not None
            lines = [trace.stdout.readline().split("  ", 1)[1] for _ in range(3)]
        assert set(lines) == {
            f"class      client  port {ports[0]} of {inside}  hopping\n",
            f"class      server  port {ports[0]} of {inside}  hopping\n",
            f"class      server  port {ports[1]} of {inside}  stack: MSG_WAITALL\n",
        }
        with tracing(sandbox, "--json") as trace:
            pair.client.sendall(b"all")
            assert pair.server.recv(3, socket.MSG_WAITALL) == b"all"
            assert trace.stdout is not None
            # What the first has not read is still there.
            event = next(
                event
                for event in map(json.loads, trace.stdout)
                if event["port"] == ports[0] and event["class_reasons"]
            )
    assert event.pop("seconds") > 0
    assert event == {
        "schema": 1,
        "kind": "class",
        "role": "server",
        "local": None,
        "remote": None,
        "cookie": None,
        "netns_cookie": None,
        "reason": None,
        "cgroup": str(inside),
        "cgroup_id": cgroups.identity(scope),
        "port": ports[0],
        "state": "stack",
        "class_reasons": ["waitall"],
    }
