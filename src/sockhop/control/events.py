"""Events of connections, as ``trace`` shows them."""

import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from sockhop.control import places
from sockhop.control.classes import reasons
from sockhop.control.instance import Instance
from sockhop.errors import Locked
from sockhop.kernel.abi import ClassState, Event, EventKind, Outcome, Role

# The data plane writes events for as long as somebody renews this; a reader that is killed just stops.
LEASE_SECONDS = 3.0


@dataclass(frozen=True)
class Line:
    """One event. ``reason`` says why a connection went back to the stack."""

    seconds: float
    kind: str
    role: str
    local: str
    remote: str
    cookie: int
    netns_cookie: int
    reason: str | None


def line(event: Event) -> Line:
    """Return the event in words. One of a class has its cgroup's id as its cookie, and no remote end."""
    kind = EventKind(event.kind)
    if kind is EventKind.CLASS:
        state = ClassState(event.state).name.lower()
        why = ", ".join(reasons(event.reasons))
        return Line(
            seconds=event.time_ns / 1e9,
            kind="class",
            role=Role(event.role).name.lower(),
            local=f"port {event.local_port} of cgroup {event.cookie}",
            remote=state,
            cookie=event.cookie,
            netns_cookie=0,
            reason=why or None,
        )
    return Line(
        seconds=event.time_ns / 1e9,
        kind=kind.name.lower(),
        role=Role(event.role).name.lower(),
        local=_endpoint(event.family, bytes(event.local_address), event.local_port),
        remote=_endpoint(event.family, bytes(event.remote_address), event.remote_port),
        cookie=event.cookie,
        netns_cookie=event.netns_cookie,
        reason=Outcome(event.outcome).name.lower() if kind is EventKind.TO_STACK else None,
    )


def _endpoint(family: int, address: bytes, port: int) -> str:
    if family == socket.AF_INET6:
        return f"[{socket.inet_ntop(socket.AF_INET6, address)}]:{port}"
    return f"{socket.inet_ntop(socket.AF_INET, address[:4])}:{port}"


def follow(instance: Instance, show: Callable[[Line], None], wanted: Callable[[], bool]) -> bool:
    """Hand each event to ``show`` as long as ``wanted()``; it is asked at least every half second.

    Return False when it ended because the instance did.
    """
    place = instance.directory.stat().st_ino

    def renew() -> None:
        if instance.directory.stat().st_ino != place:
            raise FileNotFoundError
        until = time.monotonic_ns() + int(LEASE_SECONDS * 1e9)
        # As everybody who changes the configuration: it is read and written as a whole.
        with suppress(Locked), places.lock(LEASE_SECONDS / 3):
            instance.configure(lambda config: setattr(config, "trace_until_ns", until))

    with instance.events(lambda event: show(line(event))) as poll:
        renewed = 0.0
        while wanted():
            if time.monotonic() - renewed > LEASE_SECONDS / 3:
                try:
                    renew()
                except FileNotFoundError:
                    return False
                renewed = time.monotonic()
            with suppress(InterruptedError):  # Ctrl-Z and fg: epoll_wait(2) is not restarted
                poll(500)
    return True
