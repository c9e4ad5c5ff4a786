"""Events of connections and classes, as ``trace`` shows them."""

import fcntl
import os
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache

from sockhop.control import places
from sockhop.control.classes import reasons
from sockhop.control.ends import endpoint
from sockhop.control.instance import Instance
from sockhop.control.pins import closing
from sockhop.errors import Locked
from sockhop.kernel import cgroups
from sockhop.kernel.abi import ClassState, Event, EventKind, Outcome, Role

# The data plane writes events for as long as somebody renews this; a reader that is killed just stops.
LEASE_SECONDS = 3.0


@dataclass(frozen=True)
class Line:
    """One event: of a connection's end, or, if ``kind`` is ``class``, of a class.

    ``reason`` says why a connection went back to the stack. A class has no addresses, but a ``cgroup`` (its path,
    or None once it is gone), the ``port`` of its service, and what is done with its sockets now: ``state`` and
    ``class_reasons``.
    """

    seconds: float
    kind: str
    role: str
    local: str | None
    remote: str | None
    cookie: int | None
    netns_cookie: int | None
    reason: str | None
    cgroup: str | None = None
    cgroup_id: int | None = None
    port: int | None = None
    state: str | None = None
    class_reasons: tuple[str, ...] | None = None


Paths = Callable[[int], str | None]


def line(event: Event, path: Paths = lambda _number: None) -> Line:
    """Return the event in words. ``path`` finds a cgroup's path by its id."""
    kind, role = EventKind(event.kind), Role(event.role).name.lower()
    seconds = event.time_ns / 1e9
    if kind is EventKind.CLASS:
        number = event.cookie  # where a connection has its socket's
        return Line(
            seconds,
            "class",
            role,
            *(None,) * 5,
            cgroup=path(number),
            cgroup_id=number,
            port=event.local_port,
            state=ClassState(ClassState.STACK if event.reasons else event.state).name.lower(),
            class_reasons=reasons(event.reasons),
        )
    return Line(
        seconds=seconds,
        kind=kind.name.lower(),
        role=role,
        local=endpoint(_address(event.family, event.local_address), event.local_port),
        remote=endpoint(_address(event.family, event.remote_address), event.remote_port),
        cookie=event.cookie,
        netns_cookie=event.netns_cookie,
        reason=Outcome(event.outcome).name.lower() if kind is EventKind.TO_STACK else None,
    )


def _paths() -> Paths:
    """How to find the path of a cgroup by its id: each is looked for once."""

    @cache
    def path(number: int) -> str | None:
        found = cgroups.find({number})
        return str(found[number]) if number in found else None

    return path


def _address(family: int, address: Iterable[int]) -> str:
    whole = bytes(address)
    return socket.inet_ntop(family, whole if family == socket.AF_INET6 else whole[:4])


@contextmanager
def _alone(instance: Instance) -> Iterator[None]:
    """Be the only one that follows the instance: of two, each would be handed a part of the events."""
    with closing(os.open(instance.directory, os.O_RDONLY | os.O_DIRECTORY)) as descriptor:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Locked(
                "another sockhop trace is running, and each event goes to one only. Try again when it has ended"
            ) from None
        yield


def follow(instance: Instance, show: Callable[[Line], None], wanted: Callable[[], bool]) -> bool:
    """Hand each event to ``show`` as long as ``wanted()``; it is asked at least every half second.

    Return False when it ended because the instance did. Raises :class:`~sockhop.errors.Locked` where somebody
    follows it already.
    """
    place = instance.directory.stat().st_ino

    def renew() -> None:
        if instance.directory.stat().st_ino != place:
            raise FileNotFoundError
        until = time.monotonic_ns() + int(LEASE_SECONDS * 1e9)
        # As everybody who changes the configuration: it is read and written as a whole.
        with suppress(Locked), places.lock(LEASE_SECONDS / 3):
            instance.configure(lambda config: setattr(config, "trace_until_ns", until))

    paths = _paths()
    with _alone(instance), instance.events(lambda event: show(line(event, paths))) as poll:
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
