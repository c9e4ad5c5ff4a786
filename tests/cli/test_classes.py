"""``classes`` and ``adopt``: what was learned, in the default mode."""

import json
import socket
from typing import Any

import pytest

from sockhop.kernel import cgroups
from tests.cli.connections import Connection, visiting
from tests.cli.sandbox import Sandbox


def known(sandbox: Sandbox, *options: str) -> list[dict[str, Any]]:
    """What ``classes --json`` prints."""
    shown = json.loads(sandbox.ok("classes", "--json", *options))
    assert shown["schema"] == 1
    classes: list[dict[str, Any]] = shown["classes"]
    return classes


def test_learned_and_kept_beyond_down(sandbox: Sandbox) -> None:
    sandbox.ok("up", "--mode", "auto", "--all")
    with sandbox.connection() as pair:
        pair.talk(100)
        assert sandbox.status().hop.messages == 0
    classes = known(sandbox)
    assert [(each["role"], each["state"], each["reasons"]) for each in classes] == [
        ("client", "hopping", []),
        ("server", "hopping", []),
    ]
    port = str(classes[0]["port"])
    assert "hopping" in sandbox.ok("classes", "--port", port)
    sandbox.ok("down")
    assert sandbox.pins() == {"classes"}
    sandbox.ok("up", "--mode", "auto", "--all")
    assert known(sandbox, "--port", port) == classes
    sandbox.ok("classes", "--forget")
    assert known(sandbox) == []
    sandbox.ok("down")


def test_adopt(sandbox: Sandbox) -> None:
    with sandbox.connection() as pair:
        for end in (pair.client, pair.server):
            end.setblocking(False)
        sandbox.ok("up", "--mode", "eager", "--all")
        assert json.loads(sandbox.ok("adopt", "--json"))["adopted"] == 2
        assert sandbox.status().sockets.tracked == 2
        sandbox.ok("down", "--wait", "5")


def test_without_a_service(sandbox: Sandbox) -> None:
    for verb in ("classes", "adopt"):
        done = sandbox.sockhop(verb)
        assert (done.returncode, done.stdout) == (3, "")
        assert "sockhop is not up" in done.stderr


def test_a_change_of_mode_is_a_new_data_plane(sandbox: Sandbox) -> None:
    """And what is given again, or not given, changes nothing."""
    sandbox.ok("up", "--mode", "auto", "--recheck-seconds", "7", "--all")
    before = (sandbox.bpffs / "service").stat().st_ino
    sandbox.ok("up", "--mode", "auto", "--all")
    sandbox.ok("up", "--mode", "auto", "--recheck-seconds", "8", "--all")
    assert (sandbox.bpffs / "service").stat().st_ino == before
    sandbox.ok("up", "--mode", "eager", "--all")
    assert (sandbox.bpffs / "service").stat().st_ino != before
    sandbox.ok("down")


# -- the table -------------------------------------------------------------------------------------------------


def test_what_is_shown_of_a_class(sandbox: Sandbox) -> None:
    scope = sandbox.cgroup()
    sandbox.ok("up", "--mode", "auto", "--cgroup", sandbox.inside(scope))
    with visiting(scope), socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        for _ in range(2):
            with Connection(socket.create_connection(listener.getsockname()), listener.accept()[0]) as pair:
                for _ in range(10):
                    pair.client.sendall(b"question")
                    assert pair.server.recv(100) == b"question"
                    pair.server.sendall(b"ok")
                    assert pair.client.recv(100) == b"ok"
                pair.client.close()
                assert pair.server.recv(100) == b""
    client, server = known(sandbox, "--port", str(port))
    for each in (client, server):
        assert (each["cgroup"], each["cgroup_id"]) == (str(sandbox.inside(scope)), cgroups.identity(scope))
        assert (each["port"], each["state"], each["reasons"]) == (port, "learning", [])
        assert (each["connections"], each["reads"], each["writes"]) == (2, 20, 20)
    assert (client["role"], client["read_bytes"], client["written_bytes"]) == ("client", 40, 160)
    assert (server["role"], server["read_bytes"], server["written_bytes"]) == ("server", 160, 40)
    rows = [line.split() for line in sandbox.ok("classes").splitlines() if str(port) in line]
    inside = str(sandbox.inside(scope))
    assert [inside, str(port), "client", "learning", "2", "20", "10.0", "2", "B", "8", "B"] in rows
    assert [inside, str(port), "server", "learning", "2", "20", "10.0", "8", "B", "2", "B"] in rows


def test_reasons_in_words_and_forgetting(sandbox: Sandbox) -> None:
    sandbox.ok("up", "--mode", "auto", "--all")
    with sandbox.connection() as one, sandbox.connection() as other:
        ports = [str(pair.server.getsockname()[1]) for pair in (one, other)]
        for pair in (one, other):
            pair.client.sendall(b"all")
            assert pair.server.recv(3, socket.MSG_WAITALL) == b"all"
        assert "MSG_WAITALL" in sandbox.ok("classes", "--port", ports[0])
        found = known(sandbox, "--port", ports[0], "--port", ports[1])
        assert {(each["role"], *each["reasons"]) for each in found} == {("client",), ("server", "waitall")}
        assert sandbox.ok("classes", "--forget", "--port", ports[0]) == ""
        assert {str(each["port"]) for each in known(sandbox)} == {ports[1]}


def test_classes_of_a_cgroup(sandbox: Sandbox) -> None:
    inner, outer = sandbox.cgroup("inner"), sandbox.cgroup("outer")
    sandbox.ok("up", "--mode", "auto", "--all")
    for scope in (inner, outer):
        sandbox.connection(scope).close()
    (path,) = {each["cgroup"] for each in known(sandbox, "--cgroup", str(sandbox.inside(inner)))}
    assert path == str(sandbox.inside(inner))
    assert len(known(sandbox, "--cgroup", str(cgroups.mount_point()))) == 4
    gone = cgroups.identity(inner)
    inner.rmdir()
    assert None in {each["cgroup"] for each in known(sandbox)}
    assert f"(gone: {gone})" in sandbox.ok("classes")


def test_what_was_learned_is_shown_when_nothing_is_up(sandbox: Sandbox) -> None:
    sandbox.ok("up", "--mode", "auto", "--all")
    sandbox.connection().close()
    before = known(sandbox)
    sandbox.ok("down")
    assert known(sandbox) == before != []
    sandbox.ok("classes", "--forget")
    assert known(sandbox) == []


@pytest.mark.parametrize("options", [("--port", "0"), ("--port", "x"), ("--cgroup", "/nowhere")])
def test_what_makes_no_sense(sandbox: Sandbox, options: tuple[str, str]) -> None:
    done = sandbox.sockhop("classes", *options)
    assert (done.returncode, done.stdout) == (2, "")
    assert options[1] in done.stderr
