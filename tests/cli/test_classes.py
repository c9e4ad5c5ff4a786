"""``classes`` and ``adopt``: what was learned, in the default mode."""

import json
from typing import Any

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
