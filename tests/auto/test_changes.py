"""A service that is clean until its classes hop, and only then does what a socket in a sockmap cannot.

The connection that shows it first may be hit, as the README says; no later one may.
"""

import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.auto.watched import stop_watching
from tests.conformance.waiting import asleep_in
from tests.conftest import Scope
from tests.waiting import until

from .driver import class_of, driver

pytestmark = pytest.mark.bpf


@dataclass(frozen=True)
class Change:
    """``reasons``: of these the class shows one at once. ``worst``: all that the first connection may meet."""

    hazard: str
    end: str
    reasons: frozenset[str]
    worst: frozenset[str]

    def __str__(self) -> str:
        return f"{self.hazard}-{self.end}"


def change(hazard: str, end: str, reasons: str, worst: str) -> Change:
    return Change(hazard, end, frozenset(reasons.split()), frozenset(worst.split()))


CHANGES = [
    change("waitall", "server", "waitall", "short"),
    change("waitall", "client", "waitall", "short"),
    # Whoever polls for an urgent byte waits in vain for this one: it is the sender that can be told.
    change("oob", "client", "oob", "corrupt lost broken stuck"),
    change("zerocopy", "client", "zerocopy errqueue", "lost"),
    change("rcvlowat", "server", "rcvlowat", "short eagain"),
    change("timestamps", "server", "timestamps", "lost"),
    change("peek_offset", "server", "peek_offset", "corrupt stuck"),
    change("discard", "server", "discard", "broken"),
    change("splice", "server", "splice", "stuck"),
    change("splice", "client", "splice", "stuck"),
    change("sendfile", "server", "splice", "stuck"),
    change("signals", "client", "interrupted signals", "eagain"),
    change("stops", "client", "interrupted", "eagain"),
    change("threads", "client", "interrupted threads", "eagain"),
    change("forks", "client", "interrupted threads", "eagain"),
    change("resets", "server", "interrupted", "eagain"),
]


@pytest.mark.parametrize("watched", [True, False], ids=["watched", "unwatched"])
@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_later_connections_lose_nothing(hazard: Path, auto: Scope, change: Change, watched: bool) -> None:
    """First clean and hopping, with reads that are watched on or not; then one that offends; then many."""
    with driver(auto.popen, hazard, seed=1, deadline=2000) as running:
        assert running.order(20, 4, "plain").faults == {}
        assert running.order(20, 4, "plain").faults == {}
        states = {class_of(auto, running.port, role).state for role in ("client", "server")}
        assert states == {"hopping"}
        assert auto.hops.status().hop.messages > 100
        if not watched:
            stop_watching(auto)

        first = running.order(1, 1, change.hazard, change.end)
        # Not every signal, stop or reset meets a reader that sleeps: until one does.
        for _ in range(60 if "eagain" in change.worst else 0):
            if class_of(auto, running.port, change.end).state == "stack":
                break
            first = running.order(1, 1, change.hazard, change.end)
        known = class_of(auto, running.port, change.end)
        later = running.order(100, 10, change.hazard, change.end)
        before = auto.hops.status().hop.messages
        again = running.order(100, 10, change.hazard, change.end)
    print(known)
    assert set(first.faults) <= change.worst
    assert known.state == "stack"
    assert change.reasons & set(known.reasons)
    assert later.faults == again.faults == {}
    assert auto.hops.status().hop.messages == before


def test_who_is_killed_is_not_blamed(hazard: Path, auto: Scope) -> None:
    """A blocking read that ends with its process has told nobody anything: a restart costs a service nothing."""
    with driver(auto.popen, hazard, seed=1) as running:
        assert running.order(20, 4, "plain").faults == {}
        for number in (signal.SIGKILL, signal.SIGTERM):
            argv = [sys.executable, "-c", _READER, str(running.port)]
            with auto.popen(argv, stdout=subprocess.PIPE, text=True) as reader:
                assert reader.stdout
                assert reader.stdout.readline() == "reading\n"
                until(lambda: asleep_in("recvfrom", reader.pid), "it sleeps in recv")
                reader.send_signal(number)
        states = {class_of(auto, running.port, role).state for role in ("client", "server")}
        assert states == {"hopping"}


_READER = """
import socket, sys
connection = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
print("reading", flush=True)
connection.recv(1)
"""
