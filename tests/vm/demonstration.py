"""Run by name in a guest whose kernel `sockhop check` refuses: nothing hops there, and nothing is left."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sockhop.cli import exits
from sockhop.kernel import mounts

SOCKHOP = Path(sys.executable).with_name("sockhop")


def sockhop(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a verb to its end."""
    return subprocess.run([SOCKHOP, *arguments], capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def lacking() -> list[dict[str, Any]]:
    """The probes that this kernel does not pass."""
    done = sockhop("check", "--json")
    assert done.returncode == exits.BLOCKED, done
    return [answer for answer in json.loads(done.stdout)["answers"] if answer["state"] == "missing"]


def test_a_reason_is_given(lacking: list[dict[str, Any]]) -> None:
    assert lacking
    for answer in lacking:
        assert answer["reason"], answer
        assert answer["fix"], answer


@pytest.mark.parametrize("command", [["up", "--all"], ["run", "--", "true"]], ids=lambda command: command[0])
def test_what_would_hop_is_refused(lacking: list[dict[str, Any]], command: list[str]) -> None:
    """With the exit code that means this machine, a reason, and nothing left behind."""
    done = sockhop(*command)
    assert done.returncode == exits.BLOCKED, done
    assert done.stderr.startswith("sockhop: "), done
    assert not list(mounts.require_bpffs().glob("sockhop/*-*"))
