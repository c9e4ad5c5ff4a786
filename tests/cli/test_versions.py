"""Another version of sockhop finds this one's pins."""

import json
from pathlib import Path

import pytest

from tests.cli.broken import package
from tests.cli.connections import receive
from tests.cli.sandbox import Sandbox

SAME = [("dataplane/maps.h", "1 << 20", "1 << 19")]
"""What stands in maps is the same."""

LONGER = [
    ("dataplane/abi.h", "OUTCOME_CLASS,\n", "OUTCOME_CLASS,\n\tOUTCOME_MORE,\n"),
    ("kernel/abi.py", "CLASS = 12\n", "CLASS = 12\n    MORE = 13\n"),
    ("dataplane/abi.h", "see is_small_write() */\n", "see is_small_write() */\n\t__u64 more;\n"),
    (
        "kernel/abi.py",
        '("small_bytes", ctypes.c_uint32),',
        '("small_bytes", ctypes.c_uint32), ("more", ctypes.c_uint64),',
    ),
    ("dataplane/abi.h", "since nothing watches reads */\n", "since nothing watches reads */\n\t__u64 more;\n"),
    ("kernel/abi.py", '("missed", ctypes.c_uint32),', '("missed", ctypes.c_uint32), ("more", ctypes.c_uint64),'),
    ("dataplane/abi.h", "  /* bits of enum reason */\n};", "\n\t__u64 more;\n};"),
    (
        "kernel/abi.py",
        '("reasons", ctypes.c_uint32),\n    )',
        '("reasons", ctypes.c_uint32), ("more", ctypes.c_uint64),\n    )',
    ),
]
"""Configuration, gauge and classes have a field more, and messages an outcome more."""


@pytest.fixture(scope="module", params=[SAME, LONGER], ids=["same", "longer"])
def other(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment in which another version is found: one compiled from a changed source."""
    return package(tmp_path_factory.mktemp("other"), request.param)


def test_a_newer_version_replaces_this_one(sandbox: Sandbox, other: dict[str, str]) -> None:
    one, two = sandbox.cgroup("one"), sandbox.cgroup("two")
    sandbox.ok("up", "--cgroup", sandbox.inside(one))
    with sandbox.connection(one) as busy, sandbox.connection(one) as idle:
        busy.talk(10)
        busy.leave_unread(b"hopped,")
        done = sandbox.sockhop("up", "--cgroup", sandbox.inside(two), env=other)
        assert (done.returncode, done.stdout) == (0, "")
        assert "replaced the one that was up" in done.stderr
        assert sandbox.pins() == {"service", "replaced-0"}
        assert sandbox.status("replaced-0").sockets.tracked == 1
        # The scopes go over to the new one, and new connections with them.
        assert {Path(scope.cgroup) for scope in sandbox.status().scopes} == {one, two}
        for scope in (one, two):
            with sandbox.connection(scope) as new:
                before = sandbox.status().hop.messages
                new.talk(5)
                assert sandbox.status().hop.messages == before + 10
        # Those of the old one go on, and lose nothing.
        busy.client.sendall(b"stack")
        assert receive(busy.server, 12) == b"hopped,stack"
        busy.talk(10)
        idle.talk(10)
        sandbox.ok("up", "--cgroup", sandbox.inside(two), env=other)
        assert sandbox.pins() == {"service"}
        busy.talk(10)
        # This version knows what the other one made.
        assert json.loads(sandbox.ok("status", "--json"))["hop"]["messages"] > 0
        sandbox.ok("pause")
        sandbox.ok("down")
        idle.talk(10)
    assert sandbox.leftovers() == set()


def test_the_same_version_again_is_no_replacement(sandbox: Sandbox, other: dict[str, str]) -> None:
    sandbox.ok("up", "--all", env=other)
    instance = (sandbox.bpffs / "service").stat().st_ino
    done = sandbox.sockhop("up", "--all", env=other)
    assert "already up" in done.stderr
    assert (sandbox.bpffs / "service").stat().st_ino == instance


def test_back_and_forth_with_sockets_in_each(sandbox: Sandbox, other: dict[str, str]) -> None:
    sandbox.ok("up", "--all")
    with sandbox.connection() as first:
        first.leave_unread(b"first")
        sandbox.ok("up", "--all", env=other)
        with sandbox.connection() as second:
            second.leave_unread(b"second")
            sandbox.ok("up", "--all")
            assert sandbox.pins() == {"service", "replaced-0", "replaced-1"}
            assert sandbox.sockhop("down", "--wait", "0.1").returncode == 1
            assert receive(second.server, 6) == b"second"
            assert receive(first.server, 5) == b"first"
            sandbox.ok("down", env=other)
            first.talk()
            second.talk()
    assert sandbox.leftovers() == set()


def test_what_another_version_has_learned(sandbox: Sandbox, other: dict[str, str]) -> None:
    sandbox.ok("up", "--mode", "auto", "--all", env=other)
    with sandbox.connection() as pair:
        pair.talk(100)
    classes = json.loads(sandbox.ok("classes", "--json"))["classes"]
    assert [(each["role"], each["state"]) for each in classes] == [("client", "hopping"), ("server", "hopping")]
    done = sandbox.sockhop("flows")
    assert (done.returncode, done.stdout) == (1, "")
    assert "made by another version of sockhop" in done.stderr
    sandbox.ok("adopt")
    sandbox.ok("up", "--mode", "auto", "--all")
    # Learned anew, or what still fits is kept.
    assert json.loads(sandbox.ok("classes", "--json"))["classes"] in (classes, [])
    with sandbox.connection() as pair:
        pair.talk(100)
    sandbox.ok("down")
    assert sandbox.leftovers() == {"classes"}
