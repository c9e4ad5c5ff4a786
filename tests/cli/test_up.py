"""``up`` and ``status``: scopes, idempotency, limits."""

import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from sockhop.kernel import cgroups, libbpf, maps
from tests.cli.sandbox import SOCKHOP, Sandbox
from tests.waiting import until


def status(sandbox: Sandbox) -> dict[str, Any]:
    """What ``status --json`` prints."""
    shown: dict[str, Any] = json.loads(sandbox.ok("status", "--json"))
    return shown


def scopes(sandbox: Sandbox) -> list[Path]:
    return [Path(scope["cgroup"]) for scope in status(sandbox)["scopes"]]


def hops(sandbox: Sandbox, cgroup: Path) -> bool:
    """Whether a new connection in the cgroup hops, both ways; it works in any case."""
    before = sandbox.status().hop.messages
    with sandbox.connection(cgroup) as pair:
        pair.talk(2)
        hopped = sandbox.status().hop.messages - before
    assert hopped in (0, 4)
    return hopped == 4


def test_from_up_to_down(sandbox: Sandbox) -> None:
    scope = sandbox.cgroup()
    inside = sandbox.inside(scope)
    done = sandbox.sockhop("up", "--cgroup", inside)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.startswith("sockhop: up")
    assert str(inside) in done.stderr
    with sandbox.connection(scope) as pair:
        pair.talk(10)
        shown = status(sandbox)
        assert (shown["schema"], shown["state"], shown["hops"]) == (1, "up", "on")
        assert shown["scopes"] == [{"cgroup": str(inside), "id": cgroups.identity(scope)}]
        assert shown["sockets"]["tracked"] == 2
        assert (shown["hop"]["messages"], shown["stack"]["messages"]) == (20, 0)
        table = sandbox.ok("status")
        assert str(inside) in table
        assert "20 messages" in table
    assert not hops(sandbox, sandbox.root)  # outside of the scope
    assert sandbox.ok("down") == ""
    assert sandbox.leftovers() == set()


def test_up_twice_is_one_up(sandbox: Sandbox) -> None:
    scope = sandbox.cgroup()
    sandbox.ok("up", "--cgroup", sandbox.inside(scope))
    instance = (sandbox.bpffs / "service").stat().st_ino
    with sandbox.connection(scope) as pair:
        pair.talk()
        again = sandbox.sockhop("up", "--cgroup", sandbox.inside(scope))
        assert (again.returncode, "already up" in again.stderr) == (0, True)
        pair.talk()
        assert sandbox.status().hop.messages == 4
    assert (sandbox.bpffs / "service").stat().st_ino == instance
    assert sandbox.pins() == {"service"}


def test_without_scopes_it_keeps_those_that_it_has(sandbox: Sandbox) -> None:
    scope = sandbox.cgroup()
    sandbox.ok("up", "--cgroup", sandbox.inside(scope))
    sandbox.ok("up")
    sandbox.ok("up", "--capacity", "16")
    assert scopes(sandbox) == [sandbox.inside(scope)]
    assert sandbox.status().sockets.capacity == 16
    with sandbox.connection(scope) as pair:
        pair.talk()
        pair.leave_unread(b"unread")
        assert sandbox.sockhop("down", "--now").returncode == 0
        done = sandbox.sockhop("up")
        assert (done.returncode, "say what to watch" in done.stderr) == (2, True)


def test_two_at_once_make_one_instance(sandbox: Sandbox) -> None:
    one, two = sandbox.cgroup("one"), sandbox.cgroup("two")
    both = [sandbox.popen(SOCKHOP, "up", "--cgroup", sandbox.inside(scope)) for scope in (one, two)]
    for up in both:
        _, err = up.communicate(timeout=20)
        assert up.returncode == 0, err
    assert sandbox.pins() == {"service"}
    assert scopes(sandbox) == [sandbox.inside(one), sandbox.inside(two)]


def test_another_scope_is_added(sandbox: Sandbox) -> None:
    one, two = sandbox.cgroup("one"), sandbox.cgroup("two")
    sandbox.ok("up", "--cgroup", sandbox.inside(one))
    assert not hops(sandbox, two)
    shown = json.loads(sandbox.ok("up", "--json", "--cgroup", sandbox.inside(two)))
    assert [scope["cgroup"] for scope in shown["scopes"]] == [str(sandbox.inside(s)) for s in (one, two)]
    assert hops(sandbox, one)
    assert hops(sandbox, two)


def test_a_scope_within_a_scope_is_covered(sandbox: Sandbox) -> None:
    outer = sandbox.cgroup("outer")
    inner = sandbox.cgroup("outer/inner")
    sandbox.ok("up", "--cgroup", sandbox.inside(outer))
    sandbox.ok("up", "--cgroup", sandbox.inside(inner))
    assert scopes(sandbox) == [sandbox.inside(outer)]
    assert hops(sandbox, inner)


def test_a_wider_scope_takes_the_place_of_those_within(sandbox: Sandbox) -> None:
    outer = sandbox.cgroup("outer")
    inner = sandbox.cgroup("outer/inner")
    sandbox.ok("up", "--cgroup", sandbox.inside(inner))
    with sandbox.connection(inner) as pair:
        sandbox.ok("up", "--cgroup", sandbox.inside(outer))
        assert scopes(sandbox) == [sandbox.inside(outer)]
        pair.talk()
        assert sandbox.status().hop.messages == 2
    assert hops(sandbox, outer)
    assert hops(sandbox, inner)


def test_all_is_everything_and_covers_what_was_there(sandbox: Sandbox) -> None:
    scope = sandbox.cgroup()
    sandbox.ok("up", "--cgroup", sandbox.inside(scope))
    sandbox.ok("up", "--all")
    assert scopes(sandbox) == [cgroups.mount_point()]
    assert hops(sandbox, scope)
    assert hops(sandbox, sandbox.root)
    sandbox.ok("up", "--cgroup", sandbox.inside(scope))
    assert scopes(sandbox) == [cgroups.mount_point()]


def test_scopes_given_together(sandbox: Sandbox) -> None:
    one, two = sandbox.cgroup("one"), sandbox.cgroup("two")
    sandbox.ok("up", "--cgroup", sandbox.inside(two), "--cgroup", sandbox.inside(one))
    assert scopes(sandbox) == [sandbox.inside(one), sandbox.inside(two)]


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["outer", "outer"], "named twice"),
        (["outer", "outer/inner/.."], "named twice"),
        (["outer", "outer/inner"], "is inside"),
        (["outer/inner", "outer"], "is inside"),
        (["outer", "gone"], "no such cgroup"),
        (["outer/cgroup.procs"], "is not a cgroup"),
        (["../../../../tmp"], "is not a cgroup"),
    ],
)
def test_scopes_that_cannot_be_watched(sandbox: Sandbox, names: list[str], words: str) -> None:
    sandbox.cgroup("outer/inner")
    options = [option for name in names for option in ("--cgroup", f"{cgroups.mount_point()}/{name}")]
    done = sandbox.sockhop("up", *options)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("sockhop: ")
    assert words in done.stderr
    assert done.stderr.count("\n") == 1
    assert sandbox.leftovers() == set()


def test_a_service_is_not_changed_by_an_up_that_fails(sandbox: Sandbox) -> None:
    scope = sandbox.inside(sandbox.cgroup())
    sandbox.ok("up", "--cgroup", scope)
    assert sandbox.sockhop("up", "--all", "--cgroup", scope).returncode == 2
    assert sandbox.sockhop("up", "--cgroup", f"{scope}/gone", "--cgroup", scope.parent).returncode == 2
    assert scopes(sandbox) == [scope]


def test_a_scope_that_vanishes(sandbox: Sandbox) -> None:
    scope = sandbox.cgroup()
    sandbox.ok("up", "--cgroup", sandbox.inside(scope))
    with sandbox.connection(scope) as pair:
        pair.talk()
        scope.rmdir()
        shown = status(sandbox)
        assert (shown["state"], shown["scopes"]) == ("up", [])
        pair.talk()
        assert sandbox.status().hop.messages == 4
        # Another one by the same name is another one.
        sandbox.cgroup()
        assert not hops(sandbox, scope)
        sandbox.ok("up", "--cgroup", sandbox.inside(scope))
        assert hops(sandbox, scope)
        pair.talk()
    sandbox.ok("down")
    assert sandbox.leftovers() == set()


def test_scopes_that_are_gone_are_let_go(sandbox: Sandbox) -> None:
    """There is room for 1024, and services are restarted all the time."""
    kept = sandbox.inside(sandbox.cgroup("kept"))
    sandbox.ok("up", "--cgroup", kept)
    for _ in range(3):
        scope = sandbox.cgroup()
        sandbox.ok("up", "--cgroup", sandbox.inside(scope))
        scope.rmdir()

    def are_let_go() -> bool:  # the kernel detaches them a moment later
        sandbox.ok("up", "--cgroup", kept)
        with sandbox.instance().get("scopes") as elements:
            return (len(list((sandbox.bpffs / "service").glob("scope-*"))), maps.count_keys(elements)) == (1, 1)

    until(are_let_go, "scopes that are gone let go")
    assert scopes(sandbox) == [kept]


_KILLED = """
import os, signal
from sockhop.cli import main
from sockhop.control.pins import Pins
pin = Pins.pin
Pins.pin = lambda *pinned: (pin(*pinned), os.kill(os.getpid(), signal.SIGKILL))
main()
"""


def test_a_scope_that_was_added_by_half(sandbox: Sandbox) -> None:
    """The next ``up`` finishes it: connections from before are adopted by the element, not by the link."""
    scope = sandbox.cgroup()
    sandbox.ok("up", "--cgroup", sandbox.inside(sandbox.cgroup("other")))
    with sandbox.connection(scope) as pair:
        options = ["up", "--mode", "eager", "--cgroup", str(sandbox.inside(scope))]
        assert sandbox.run(sys.executable, "-c", _KILLED, *options).returncode == -signal.SIGKILL
        assert sandbox.inside(scope) in scopes(sandbox)
        sandbox.ok("up", "--cgroup", sandbox.inside(scope))
        sandbox.ok("adopt")
        pair.talk(3)
        assert sandbox.status().hop.messages > 0


@contextmanager
def occupied(sandbox: Sandbox, cgroup: Path) -> Iterator[None]:
    """Have a program attached to the cgroup in the way that allows no other."""
    descriptor = os.open(cgroup, os.O_RDONLY)
    try:
        with sandbox.instance().get("connections") as program:
            libbpf.prog_attach(program, descriptor, libbpf.BPF_CGROUP_SOCK_OPS, 0)
        yield
    finally:
        os.close(descriptor)


def test_a_scope_that_somebody_else_occupies(sandbox: Sandbox) -> None:
    """Of scopes given together all are watched, or none."""
    kept, free, taken = (sandbox.cgroup(name) for name in ("kept", "kept2/free", "taken"))
    sandbox.ok("up", "--cgroup", sandbox.inside(kept), "--cgroup", sandbox.inside(free))
    with occupied(sandbox, taken):
        options = [word for scope in (free.parent, taken) for word in ("--cgroup", str(sandbox.inside(scope)))]
        done = sandbox.sockhop("up", *options, "--recheck-seconds", "7")
        assert (done.returncode, done.stdout) == (2, "")
        assert f"{sandbox.inside(taken)} cannot be watched: somebody else's sock_ops program" in done.stderr
        assert "bpftool cgroup tree" in done.stderr
    assert scopes(sandbox) == [sandbox.inside(kept), sandbox.inside(free)]
    assert sandbox.instance().config().recheck_ns == 30_000_000_000
    assert hops(sandbox, free)


def test_names_with_brackets_and_spaces_are_shown_as_they_are(sandbox: Sandbox) -> None:
    scope = sandbox.cgroup("user [1] :smile: ünï")
    sandbox.ok("up", "--cgroup", sandbox.inside(scope))
    assert scopes(sandbox) == [sandbox.inside(scope)]
    assert str(sandbox.inside(scope)) in sandbox.ok("status")


def test_connections_made_before_are_left_alone(sandbox: Sandbox) -> None:
    with sandbox.connection() as pair:
        pair.talk()
        sandbox.ok("up", "--all")
        pair.talk()
        assert sandbox.status().sockets.tracked == 0
        assert sandbox.status().hop.messages == 0
    assert hops(sandbox, sandbox.root)


def test_a_full_map_means_the_stack(sandbox: Sandbox) -> None:
    sandbox.ok("up", "--all", "--capacity", "2")
    with sandbox.connection() as first, sandbox.connection() as second:
        first.talk()
        second.talk()
        shown = sandbox.status()
        assert (shown.sockets.tracked, shown.sockets.capacity) == (2, 2)
        assert shown.sockets.refused["map_full"] > 0
        assert (shown.hop.messages, shown.stack.messages) == (2, 0)
    assert hops(sandbox, sandbox.root)


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--all", "--cgroup", "/sys/fs/cgroup"],
        ["--all", "--capacity", "1"],
        ["--all", "--capacity", "5000000"],
        ["--all", "--capacity", "many"],
        ["--all", "--recheck-seconds", "0"],
        ["--all", "--recheck-seconds", "86401"],
        ["--all", "--recheck-seconds", "-1"],
        ["--everything"],
        ["more"],
    ],
)
def test_wrong_usage(sandbox: Sandbox, arguments: list[str]) -> None:
    done = sandbox.sockhop("up", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Error: " in done.stderr
    assert "Traceback" not in done.stderr
    assert sandbox.pins() == set()


def test_status_where_nothing_is_up(sandbox: Sandbox) -> None:
    done = sandbox.sockhop("status", "--json")
    assert done.returncode == 3
    assert json.loads(done.stdout)["state"] == "down"
    done = sandbox.sockhop("status")
    assert (done.returncode, done.stdout, done.stderr) == (3, "", "sockhop: down\n")
    assert sandbox.leftovers() == set()


def test_the_two_ways_to_ask_for_help(sandbox: Sandbox) -> None:
    text = sandbox.ok("--help")
    for verb in ("check", "run", "up", "down", "status", "pause", "resume", "recheck", "trace", "config", "demo"):
        assert f"  {verb} " in text
    assert sandbox.ok("-h") == text
    assert "--cgroup" in sandbox.ok("up", "-h")
    assert sandbox.sockhop("fly").returncode == 2
