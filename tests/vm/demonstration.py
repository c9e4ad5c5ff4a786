"""Run by name in a guest whose kernel `sockhop check` refuses: nothing hops there, and nothing is left."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sockhop.cli import exits
from sockhop.control import loading
from sockhop.control.probes.answers import Need
from sockhop.errors import Unsupported
from sockhop.kernel import mounts, objects
from tests.cli.broken import package

SOCKHOP = Path(sys.executable).with_name("sockhop")
TRY = """
from sockhop.control import places
from sockhop.control.instance import Instance
from sockhop.control.probes import suitability
from sockhop.control.probes.answers import Need
from sockhop.control.settings import Settings

settings = Settings(mode="eager", capacity=64)
with places.lock():
    instance = Instance.create(places.private(), settings)
    for answer in suitability.tried(instance, settings, [Need.AUTO]):
        print(answer.state, answer.reason)
    instance.unpin()
"""


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


def test_the_reason_is_so(lacking: list[dict[str, Any]], tmp_path: Path) -> None:
    """What keeps hops from this kernel first is shown; without it the rest may not even be tried."""
    first = next(answer["id"] for answer in lacking if answer["need"] == Need.HOPS)
    SHOWN[first](tmp_path)


def _programs_that_look_into_sockets_are_refused(_place: Path) -> None:
    """The verifier takes none of the programs that call those functions."""
    for name in ("connections", "send", "queue"):
        with (
            pytest.raises(Unsupported, match="this kernel refuses the data plane"),
            objects.loaded(loading.sizes(1), without=loading.all_but(name)),
        ):
            raise AssertionError(name)


def _hops_are_taken_for_bytes_of_tcp(place: Path) -> None:
    """To a data plane that does without the field, reading hops moves `copied_seq`."""
    blind = package(place, [("dataplane/socket.h", "psock->msg_tot_len", "psock->refcnt.refs.counter")])
    done = subprocess.run([sys.executable, "-c", TRY], env=blind, capture_output=True, text=True, check=True)
    # Nine bytes are unread, four of which have hopped; then two of those are read.
    assert done.stdout.startswith("missing FIONREAD says [5, 3] where 9 and 7 bytes are unread"), done.stdout


#: By the probe: a kernel that is refused for another has nobody yet who shows that it is so.
SHOWN: dict[str, Callable[[Path], None]] = {
    "sockets": _programs_that_look_into_sockets_are_refused,
    "queue_length": _hops_are_taken_for_bytes_of_tcp,
}


@pytest.mark.parametrize("command", [["up", "--all"], ["run", "--", "true"]], ids=lambda command: command[0])
def test_what_would_hop_is_refused(lacking: list[dict[str, Any]], command: list[str]) -> None:
    """With the exit code that means this machine, a reason, and nothing left behind."""
    done = sockhop(*command)
    assert done.returncode == exits.BLOCKED, done
    assert done.stderr.startswith("sockhop: "), done
    assert not list(mounts.require_bpffs().glob("sockhop/*-*"))
