"""``demo``: a real server and client, before and after."""

import json
import signal
from pathlib import Path

import pytest

from sockhop.kernel import cgroups
from tests.cli.sandbox import SOCKHOP, Sandbox
from tests.conformance.waiting import until


def test_the_numbers(sandbox: Sandbox) -> None:
    shown = json.loads(sandbox.ok("demo", "--json"))
    assert shown["schema"] == 1
    assert [row["test"] for row in shown["rows"]] == ["GET", "SET"]
    for row in shown["rows"]:
        assert row["hopped"] > 0.99 * row["messages"] > 0
        assert row["ratio"] == row["hop"] / row["tcp"]
    sandbox.until_clean()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_interrupted(sandbox: Sandbox, number: signal.Signals) -> None:
    with sandbox.popen(SOCKHOP, "demo") as demo:
        until(lambda: any("redis-benchmark" in name for name in names(sandbox)), "the demo has begun", 20)
        demo.send_signal(number)
        out, err = demo.communicate(timeout=20)
    assert (demo.returncode, out) == (128 + number, "")
    assert "Traceback" not in err
    sandbox.until_clean()


def test_without_redis(sandbox: Sandbox) -> None:
    done = sandbox.run("env", "PATH=/nowhere", SOCKHOP, "demo")
    assert (done.returncode, done.stdout) == (4, "")
    assert "redis-server is not installed. Install it: " in done.stderr
    assert sandbox.leftovers() == set()


def names(sandbox: Sandbox) -> list[str]:
    """Return what the processes of the sandbox are called."""
    found = []
    for pid in cgroups.pids(sandbox.root):
        try:
            found.append(Path(f"/proc/{pid}/comm").read_text())
        except (FileNotFoundError, ProcessLookupError):  # at open(), and at read()
            continue
    return found
