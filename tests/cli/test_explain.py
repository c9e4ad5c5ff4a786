"""``explain``: what keeps a connection from hopping, met on real ones."""

import json
import os
import re
import socket
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest

from sockhop.control import words
from sockhop.kernel import cgroups
from sockhop.kernel.abi import Outcome, Reason
from tests.cli.connections import Connection, connected, visiting
from tests.cli.sandbox import Sandbox
from tests.cli.veth import THERE, over_veth
from tests.conformance.waiting import until_acknowledged
from tests.conftest import missing

IPPROTO_MPTCP = 262


def port_of(pair: Connection) -> str:
    return str(pair.server.getsockname()[1])


def explained(sandbox: Sandbox, target: str, code: int = 0) -> list[dict[str, Any]]:
    """What ``explain --json`` says."""
    done = sandbox.sockhop("explain", "--json", target)
    assert done.returncode == code, done
    shown = json.loads(done.stdout)
    assert shown["schema"] == 1
    found: list[dict[str, Any]] = shown["flows"]
    return found


def why(sandbox: Sandbox, pair: Connection, code: int = 0) -> tuple[bool, str, str, str]:
    """Whether the connection hops, and the reason as a code, in words, and with the fix."""
    (flow,) = explained(sandbox, port_of(pair), code)
    return flow["hops"], flow["code"], flow["text"], flow["fix"]


# -- what it is asked about ------------------------------------------------------------------------------------


def test_in_words(sandbox: Sandbox) -> None:
    sandbox.ok("up", "--all")
    with sandbox.connection() as pair:
        pair.talk(3)
        client, server = pair.client.getsockname()[1], pair.server.getsockname()[1]
        lines = sandbox.ok("explain", str(server)).splitlines()
        me = Path("/proc/self/comm").read_text().strip()
        root = cgroups.mount_point()
        assert lines[0] == f"127.0.0.1:{client} -> 127.0.0.1:{server}"
        for line, role, end in ((lines[1], "client", pair.client), (lines[2], "server", pair.server)):
            assert line.startswith(
                f"  {role}  {me} (pid {os.getpid()}, fd {end.fileno()}); {root}; network namespace "
            )
            assert line.endswith("; established")
        assert lines[3:] == ["  hops", ""]


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_targets(sandbox: Sandbox, address: str) -> None:
    sandbox.ok("up", "--all")
    with visiting(sandbox.root):
        pair = connected(address)
    with pair:
        port = pair.server.getsockname()[1]
        host = f"[{address}]" if ":" in address else address
        me = os.getpid()
        for target in (
            str(port),
            f"{host}:{port}",
            f"{me}/{pair.server.fileno()}",
            f"pid:{me}/{pair.client.fileno()}",
        ):
            (flow,) = explained(sandbox, target)
            assert flow["server"]["local"] == f"{host}:{port}"
        assert f"{host}:{port}" in {
            flow["server"]["local"] for flow in explained(sandbox, f"pid:{me}") if flow["server"]
        }


@pytest.mark.parametrize("target", ["", "redis", "0", "127.0.0.1", "::1:80", "pid:x", "7/", "4194305"])
def test_no_target(sandbox: Sandbox, target: str) -> None:
    done = sandbox.sockhop("explain", target)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("Error: ") == 1
    assert repr(target) in done.stderr


def test_nothing_that_matches(sandbox: Sandbox) -> None:
    sandbox.ok("up", "--all")
    with socket.socket() as unused, socket.create_server(("127.0.0.1", 0)) as listener:
        unused.bind(("127.0.0.1", 0))
        for target, message in (
            (str(unused.getsockname()[1]), "there is no TCP connection with port"),
            (f"127.0.0.2:{listener.getsockname()[1]}", "there is no TCP connection with 127.0.0.2 port"),
            (f"pid:{sandbox.holder.pid}", f"process {sandbox.holder.pid} has no TCP connection"),
            (f"{sandbox.holder.pid}/0", f"process {sandbox.holder.pid} has no TCP connection"),
            ("pid:4194304", "there is no process 4194304"),
        ):
            done = sandbox.sockhop("explain", target)
            assert (done.returncode, done.stdout) == (1, "")
            assert message in done.stderr
    with sandbox.connection():
        done = sandbox.sockhop("explain", f"{os.getpid()}/0")
        assert f"descriptor 0 of process {os.getpid()} is not a TCP connection" in done.stderr


def test_more_than_anybody_reads(sandbox: Sandbox) -> None:
    sandbox.ok("up", "--all")
    with visiting(sandbox.root), socket.create_server(("127.0.0.1", 0)) as listener:
        at = listener.getsockname()
        held = [(socket.create_connection(at), listener.accept()[0]) for _ in range(23)]
        done = sandbox.sockhop("explain", str(at[1]))
        for pair in held:
            for end in pair:
                end.close()
    assert done.stdout.count("  hops\n") == 20
    assert done.stderr == "sockhop: 3 more connections match: 3 hops. See sockhop flows\n"


# -- the service -----------------------------------------------------------------------------------------------


def test_not_up(sandbox: Sandbox) -> None:
    with sandbox.connection() as pair:
        hops, code, text, fix = why(sandbox, pair, 3)
    assert (hops, code, text) == (False, "down", "takes the stack because sockhop is not up")
    assert fix.startswith("sockhop up --all")


def test_paused_and_draining(sandbox: Sandbox) -> None:
    sandbox.ok("up", "--all")
    with sandbox.connection() as pair:
        sandbox.ok("pause")
        assert why(sandbox, pair) == (False, "paused", "takes the stack because hops are paused", "sockhop resume")
        sandbox.ok("resume")
        assert why(sandbox, pair)[0]
        pair.leave_unread(b"unread")
        sandbox.ok("down", "--now")
        assert why(sandbox, pair)[:3] == (
            False,
            "draining",
            "takes the stack because sockhop is draining after `down`",
        )
        assert pair.server.recv(6) == b"unread"
        sandbox.ok("down")


def test_out_of_scope_and_what_to_do(sandbox: Sandbox) -> None:
    """The fix that is named is a fix."""
    inside, outside = sandbox.cgroup("inside"), sandbox.cgroup("outside")
    sandbox.ok("up", "--cgroup", sandbox.inside(inside))
    with visiting(inside):
        listener = socket.create_server(("127.0.0.1", 0))
    with listener, visiting(outside):
        client = socket.create_connection(listener.getsockname())
        pair = Connection(client, listener.accept()[0])
    with pair:
        hops, code, text, fix = why(sandbox, pair)
        path = str(sandbox.inside(outside))
        assert (hops, code) == (False, "out_of_scope")
        assert text.endswith(f" is out of scope: its socket belongs to {path}")
        assert "the client (" in text
        assert fix == f"sockhop up --cgroup {path}, then sockhop adopt, or reconnect"
        sandbox.ok("up", "--cgroup", path)
        sandbox.ok("adopt")
        pair.talk(3)
        assert why(sandbox, pair)[0]


def test_the_other_end_cannot_be_seen(sandbox: Sandbox) -> None:
    """What sockhop itself has paired hops all the same."""
    with over_veth(sandbox, seen=False) as pair:
        sandbox.ok("up", "--all")
        hops, code, text, _ = why(sandbox, pair)
        assert (hops, code) == (False, "other_host")
        assert f"its other end, {THERE}:" in text
    with over_veth(sandbox, seen=False) as pair:
        pair.talk(1)
        assert why(sandbox, pair)[0]


def test_between_namespaces(sandbox: Sandbox) -> None:
    sandbox.ok("up", "--all")
    with over_veth(sandbox) as pair:
        pair.talk(2)
        assert why(sandbox, pair)[:2] == (True, "hops")


def test_the_map_is_full(sandbox: Sandbox) -> None:
    sandbox.ok("up", "--all", "--capacity", "2")
    with sandbox.connection() as first, sandbox.connection() as second:
        assert why(sandbox, first)[0]
        assert why(sandbox, second) == (
            False,
            "map_full",
            "takes the stack because the map is full: 2 sockets of 2",
            "sockhop up --capacity 4",
        )


# -- connections that were there before ------------------------------------------------------------------------


def test_made_before_up(sandbox: Sandbox) -> None:
    with sandbox.connection() as pair:
        sandbox.ok("up", "--all")
        hops, code, text, fix = why(sandbox, pair)
        assert (hops, code) == (False, "not_adopted")
        assert "it was made before `up`" in text
        assert fix.startswith("sockhop adopt")
        pair.client.settimeout(None)
        hops, code, text, fix = why(sandbox, pair)
        assert (hops, code, fix) == (False, "blocking", "reconnect: new connections hop")
        assert "the socket of the client (" in text
        pair.client.settimeout(1)
        sandbox.ok("adopt")
        pair.talk(3)
        assert why(sandbox, pair)[0]


def test_not_accepted_yet(sandbox: Sandbox) -> None:
    with (
        visiting(sandbox.root),
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()),
    ):
        sandbox.ok("up", "--all")
        (flow,) = explained(sandbox, str(listener.getsockname()[1]))
    assert flow["code"] == "not_accepted"
    assert flow["server"]["owners"] == []


def test_mptcp(sandbox: Sandbox) -> None:
    sandbox.ok("up", "--all")
    with visiting(sandbox.root), ExitStack() as stack:
        try:
            listener, client = (stack.enter_context(socket.socket(proto=IPPROTO_MPTCP)) for _ in range(2))
        except OSError as error:
            missing(f"this kernel makes no MPTCP sockets: {error}")
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        client.connect(listener.getsockname())
        stack.enter_context(listener.accept()[0])
        (flow,) = explained(sandbox, str(listener.getsockname()[1]))
    assert flow["code"] in ("mptcp", "kernel_socket")


# -- what is learned -------------------------------------------------------------------------------------------


def test_from_learning_to_hopping(sandbox: Sandbox) -> None:
    sandbox.ok("up", "--mode", "auto", "--all")
    with sandbox.connection() as pair:
        pair.talk(17)
        hops, code, text, _ = why(sandbox, pair)
        assert (hops, code) == (False, "learning")
        # Told after 16 reads or writes, and the client's first was a write.
        assert re.findall(r"0 of 3 closed connections or (\d+) of 64 reads", text) == ["16", "16"]
        pair.talk(64)
        hops, code, text, fix = why(sandbox, pair)
        assert (hops, code) == (False, "not_adopted")
        assert "it was made while sockhop was still learning" in text
        assert fix.startswith("sockhop adopt")
        sandbox.ok("adopt")
        pair.talk(3)
        assert why(sandbox, pair)[0]


@pytest.mark.parametrize("hopping", [False, True])
def test_a_hazard(sandbox: Sandbox, hopping: bool) -> None:
    """Of a class that learns, and of one that hops already; what is to be done is something to be done."""
    sandbox.ok("up", "--mode", "auto", "--all")
    with sandbox.connection() as pair:
        if hopping:
            pair.talk(80)
            sandbox.ok("adopt")
        pair.client.sendall(b"all")
        assert pair.server.recv(3, socket.MSG_WAITALL) == b"all"
        hops, code, text, fix = why(sandbox, pair)
        assert (hops, code) == (False, "class")
        assert text.endswith(words.DOES[Reason.WAITALL])
        assert "because the server (" in text
        assert f"sockhop classes --forget --port {port_of(pair)}" in fix
        sandbox.ok("classes", "--forget", "--port", port_of(pair))
        assert why(sandbox, pair)[1] == "learning"


def test_a_class_that_would_lose(sandbox: Sandbox) -> None:
    sandbox.ok("up", "--mode", "auto", "--all")
    with visiting(sandbox.root), socket.create_server(("127.0.0.1", 0)) as listener:
        for _ in range(4):
            with Connection(socket.create_connection(listener.getsockname()), listener.accept()[0]) as pair:
                pair.talk(1)
                pair.client.close()
                assert pair.server.recv(1) == b""
        with Connection(socket.create_connection(listener.getsockname()), listener.accept()[0]) as pair:
            hops, code, text, _ = why(sandbox, pair)
    assert (hops, code) == (False, "would_lose")
    assert words.DOES[Reason.SHORT_LIVED] in text
    assert "new connections are looked at again in " in text


def test_a_rule(sandbox: Sandbox, tmp_path: Path) -> None:
    with sandbox.connection() as pair:
        config = tmp_path / "config.toml"
        config.write_text(f'[[rule]]\naction = "never"\nport = {port_of(pair)}\n')
        sandbox.ok("up", "--all", "--config", config)
        hops, code, text, _ = why(sandbox, pair)
    assert (hops, code) == (False, "rule")
    assert 'a rule says "never" for the client (' in text


# -- the last message ------------------------------------------------------------------------------------------


def test_the_reader_does_not_keep_up(sandbox: Sandbox) -> None:
    sandbox.ok("up", "--all")
    with sandbox.connection() as pair:
        pair.client.setblocking(False)
        with suppress(BlockingIOError):
            while True:
                pair.client.send(b"x" * 65536)
        hops, code, text, _ = why(sandbox, pair)
    assert hops  # the other direction
    assert code in ("full", "unread", "window")
    assert text.startswith("hops from server to client; the other way it takes the stack because ")


def test_rcvlowat(sandbox: Sandbox) -> None:
    sandbox.ok("up", "--all")
    with sandbox.connection() as pair:
        pair.server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 2)
        pair.client.sendall(b"low")
        hops, code, text, _ = why(sandbox, pair)
    assert (hops, code) == (True, "rcvlowat")
    because = words.OUTCOMES[Outcome.RCVLOWAT][0]
    assert text == f"hops from server to client; the other way it takes the stack because {because}"


def test_recheck(sandbox: Sandbox) -> None:
    sandbox.ok("up", "--all")
    with sandbox.connection() as pair:
        pair.talk(2)
        sandbox.ok("recheck")
        pair.client.sendall(b"shown")
        assert why(sandbox, pair)[:2] == (True, "recheck")
        assert pair.server.recv(5) == b"shown"
        until_acknowledged(pair.client)
        pair.client.sendall(b"again")
        assert why(sandbox, pair)[:2] == (True, "hops")


def test_half_closed(sandbox: Sandbox) -> None:
    sandbox.ok("up", "--all")
    with sandbox.connection() as pair:
        pair.talk(1)
        pair.client.shutdown(socket.SHUT_WR)
        assert pair.server.recv(1) == b""
        pair.server.sendall(b"more")
        (flow,) = explained(sandbox, port_of(pair))
    assert flow["code"] == "closing"
