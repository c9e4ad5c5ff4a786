"""``down``: it leaves nothing, and loses nothing."""

import json
import os
import signal

import pytest

from tests.cli.connections import Reader, receive
from tests.cli.sandbox import SOCKHOP, Sandbox
from tests.conformance.waiting import until


def test_down_twice(sandbox: Sandbox) -> None:
    sandbox.ok("up", "--all")
    assert json.loads(sandbox.ok("down", "--json"))["state"] == "down"
    done = sandbox.sockhop("down")
    assert (done.returncode, done.stdout) == (3, "")
    assert "not up" in done.stderr
    assert sandbox.leftovers() == set()


def test_connections_go_on_through_the_stack(sandbox: Sandbox) -> None:
    sandbox.ok("up", "--all")
    with sandbox.connection() as pair:
        pair.talk(10)
        sandbox.ok("down")
        assert sandbox.leftovers() == set()
        pair.talk(10)
        # And into the next service they do not come.
        sandbox.ok("up", "--all")
        pair.talk(10)
        assert sandbox.status().sockets.tracked == 0


def test_what_it_has_learned_is_left(sandbox: Sandbox) -> None:
    sandbox.ok("up", "--mode", "auto", "--all")
    told = sandbox.sockhop("down").stderr
    assert told.endswith("left in the kernel but what it has learned, /sys/fs/bpf/sockhop/classes\n")


def test_unread_bytes_survive(sandbox: Sandbox) -> None:
    sandbox.ok("up", "--all")
    with sandbox.connection() as pair:
        pair.leave_unread(b"hopped,")
        done = sandbox.sockhop("down", "--wait", "0.1")
        assert (done.returncode, done.stdout) == (1, "")
        assert "draining" in done.stderr
        shown = json.loads(sandbox.ok("status", "--json"))
        assert (shown["state"], shown["hops"], shown["sockets"]["tracked"]) == ("draining", "paused", 1)
        pair.client.sendall(b"stack")
        assert receive(pair.server, 12) == b"hopped,stack"
        done = sandbox.sockhop("down")
        assert (done.returncode, done.stderr) == (0, "sockhop: down: nothing of sockhop is left in the kernel\n")
        pair.talk(3)
    assert sandbox.leftovers() == set()


def test_waiting_ends_when_the_bytes_are_read(sandbox: Sandbox) -> None:
    sandbox.ok("up", "--all")
    with sandbox.connection() as pair:
        pair.leave_unread(b"later")
        down = sandbox.popen(SOCKHOP, "down", "--wait", "20", "--json")
        until(lambda: sandbox.status().sockets.tracked == 1, "the empty end out")
        assert receive(pair.server, 5) == b"later"
        out, err = down.communicate(timeout=10)
        assert down.returncode == 0, err
        assert json.loads(out)["state"] == "down"
        pair.talk(3)
    assert sandbox.leftovers() == set()


def test_others_can_work_while_down_waits(sandbox: Sandbox) -> None:
    sandbox.ok("up", "--all")
    with sandbox.connection() as pair:
        pair.leave_unread(b"later")
        with sandbox.popen(SOCKHOP, "down", "--wait", "20") as down:
            until(lambda: sandbox.status().sockets.tracked == 1, "the empty end out")
            sandbox.ok("run", "--", "true")
            assert down.poll() is None
            # Brought up again, it is not taken down by the one that still waits.
            sandbox.ok("up", "--all")
            _, err = down.communicate(timeout=10)
            assert (down.returncode, err) == (
                1,
                "sockhop: somebody has brought it up again meanwhile: it stays up\n",
            )
        assert sandbox.status().state == "up"
        assert receive(pair.server, 5) == b"later"


def test_now_does_not_wait(sandbox: Sandbox) -> None:
    sandbox.ok("up", "--all")
    with sandbox.connection() as pair:
        pair.leave_unread(b"later")
        assert json.loads(sandbox.ok("down", "--now", "--json"))["state"] == "draining"
        assert receive(pair.server, 5) == b"later"
        sandbox.ok("down", "--now")
        pair.talk(3)
    assert sandbox.leftovers() == set()


def test_a_reader_asleep_is_not_left_behind(sandbox: Sandbox) -> None:
    sandbox.ok("up", "--all")
    with sandbox.connection() as pair:
        pair.talk()
        reader = Reader(pair.server)
        done = sandbox.sockhop("down", "--wait", "0.1")
        assert done.returncode == 1
        assert "sleeping readers" in done.stderr
        # Its peer as well: while anybody is inside a call on one end, the other stays too.
        assert sandbox.status().sockets.tracked == 2
        pair.client.sendall(b"wake up")
        assert reader.join() == b"wake up"
        sandbox.ok("down")
        reader = Reader(pair.server)
        pair.client.sendall(b"on the stack")
        assert reader.join() == b"on the stack"
    assert sandbox.leftovers() == set()


def test_up_while_draining(sandbox: Sandbox) -> None:
    sandbox.ok("up", "--all")
    with sandbox.connection() as old:
        old.leave_unread(b"old,")
        sandbox.ok("down", "--now")
        assert sandbox.sockhop("pause").returncode == 3
        sandbox.ok("up", "--all")
        assert sandbox.pins() == {"service", "replaced-0"}
        with sandbox.connection() as new:
            new.talk(5)
            assert sandbox.status().hop.messages == 10
            assert sandbox.status("replaced-0").state == "draining"
            # Each of them waits for its own, and is not forgotten.
            new.leave_unread(b"new")
            assert sandbox.sockhop("down", "--wait", "0.1").returncode == 1
            assert receive(new.server, 3) == b"new"
            done = sandbox.sockhop("down", "--wait", "0.1")
            assert (done.returncode, "draining" in done.stderr) == (1, True)
            assert json.loads(sandbox.ok("status", "--json"))["state"] == "draining"
            old.client.sendall(b"stack")
            assert receive(old.server, 9) == b"old,stack"
            sandbox.ok("down")
            new.talk()
            old.talk()
    assert sandbox.leftovers() == set()


def test_a_replaced_instance_is_collected_once_it_is_empty(sandbox: Sandbox) -> None:
    sandbox.ok("up", "--all")
    with sandbox.connection() as pair:
        pair.leave_unread(b"old")
        sandbox.ok("down", "--now")
        sandbox.ok("up", "--all")
        assert receive(pair.server, 3) == b"old"
        sandbox.ok("up", "--all")
        assert sandbox.pins() == {"service"}
        pair.talk()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, -signal.SIGTERM)])
def test_interrupted_while_it_waits(sandbox: Sandbox, number: signal.Signals, code: int) -> None:
    sandbox.ok("up", "--all")
    with sandbox.connection() as pair:
        pair.leave_unread(b"later")
        down = sandbox.popen(SOCKHOP, "down", "--wait", "20")
        until(lambda: sandbox.status().sockets.tracked == 1, "the empty end out")
        os.kill(down.pid, number)
        _, err = down.communicate(timeout=10)
        assert down.returncode == code
        assert "Traceback" not in err
        assert sandbox.status().state == "draining"
        assert receive(pair.server, 5) == b"later"
        sandbox.ok("down")
        pair.talk()
    assert sandbox.leftovers() == set()


@pytest.mark.parametrize("arguments", [["--now", "--wait", "1"], ["--wait", "-1"], ["--wait", "soon"], ["now"]])
def test_wrong_usage(sandbox: Sandbox, arguments: list[str]) -> None:
    assert sandbox.sockhop("down", *arguments).returncode == 2
