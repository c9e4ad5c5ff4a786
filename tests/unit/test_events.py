"""What an event of the data plane says in words."""

import socket

import pytest

from sockhop.control import events
from sockhop.kernel.abi import ClassState, Event, EventKind, Outcome, Reason


def event(kind: EventKind, outcome: Outcome = Outcome.HOP, **fields: int) -> Event:
    made = Event(time_ns=1_500_000_000, cookie=7, netns_cookie=9, kind=kind, outcome=outcome, **fields)
    made.local_port, made.remote_port = 40000, 80
    return made


def test_ipv4_and_ipv6_addresses_are_written_as_usual() -> None:
    four = event(EventKind.CONNECTED, family=socket.AF_INET)
    four.local_address[:4] = [127, 0, 0, 1]
    four.remote_address[:4] = [10, 1, 2, 3]
    assert events.line(four) == events.Line(
        1.5, "connected", "client", "127.0.0.1:40000", "10.1.2.3:80", 7, 9, None
    )
    six = event(EventKind.PAIRED, family=socket.AF_INET6, role=1)
    six.local_address[15] = 1
    six.remote_address[:] = list(socket.inet_pton(socket.AF_INET6, "2001:db8::2"))
    line = events.line(six)
    assert (line.role, line.local, line.remote) == ("server", "[::1]:40000", "[2001:db8::2]:80")


@pytest.mark.parametrize("kind", sorted(set(EventKind) - {EventKind.CLASS}))
def test_only_the_way_to_the_stack_has_a_reason(kind: EventKind) -> None:
    line = events.line(event(kind, Outcome.NAGLE_BURST, family=socket.AF_INET))
    assert line.kind == kind.name.lower()
    assert line.reason == ("nagle_burst" if kind is EventKind.TO_STACK else None)


def test_an_event_of_a_class() -> None:
    turned = event(EventKind.CLASS, role=1, state=ClassState.STACK, reasons=1 << Reason.SPLICE | 1 << Reason.OOB)
    line = events.line(turned, {7: "/sys/fs/cgroup/a"}.get)
    assert (line.kind, line.role, line.port, line.cgroup, line.cgroup_id) == (
        "class",
        "server",
        40000,
        "/sys/fs/cgroup/a",
        7,
    )
    assert (line.state, line.class_reasons, line.local, line.cookie) == ("stack", ("oob", "splice"), None, None)
    assert events.line(turned).cgroup is None
