"""``pause``, ``resume`` and ``recheck``, in the middle of a connection."""

import pytest

from tests.cli.sandbox import Sandbox


def test_pause_and_resume_act_at_once(sandbox: Sandbox) -> None:
    sandbox.ok("up", "--all")
    with sandbox.connection() as pair:
        pair.talk(3)
        assert sandbox.ok("pause") == ""
        assert sandbox.status().hops == "paused"
        before = sandbox.status()
        assert before.hop.messages == 6
        pair.talk(5)
        after = sandbox.status()
        assert after.hop.messages == 6
        assert after.stack.reasons["paused"] - before.stack.reasons["paused"] == 10
        sandbox.ok("resume")
        pair.talk(5)
        assert sandbox.status().hops == "on"
        assert sandbox.status().hop.messages >= 6 + 8  # the first each way may find bytes still unacknowledged


def test_a_pause_outlives_another_up(sandbox: Sandbox) -> None:
    sandbox.ok("up", "--all")
    sandbox.ok("pause")
    for options in ([], ["--capacity", "1000"]):  # which takes a new data plane
        done = sandbox.sockhop("up", "--all", *options)
        assert (done.returncode, "hops are paused, as they were before" in done.stderr) == (0, True)
        assert sandbox.status().hops == "paused"
    sandbox.ok("pause")
    sandbox.ok("resume")
    assert sandbox.status().hops == "on"


def test_recheck_shows_each_direction_to_the_stack_once(sandbox: Sandbox) -> None:
    sandbox.ok("up", "--all")
    with sandbox.connection() as pair:
        pair.talk(3)
        assert sandbox.status().stack.reasons["recheck"] == 0
        sandbox.ok("recheck")
        pair.talk(1)
        assert sandbox.status().stack.reasons["recheck"] == 2
        pair.talk(20)
        shown = sandbox.status()
        assert shown.hop.messages > 6
        assert shown.hop.messages + shown.stack.messages == 48


@pytest.mark.parametrize("verb", ["pause", "resume", "recheck", "trace"])
def test_what_is_not_up_cannot_be_changed(sandbox: Sandbox, verb: str) -> None:
    done = sandbox.sockhop(verb)
    assert (done.returncode, done.stdout) == (3, "")
    assert "sockhop is not up. Start it with: sockhop up" in done.stderr
    assert sandbox.leftovers() == set()
