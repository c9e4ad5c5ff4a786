"""The agent: what needs a process beside the data plane.

It notices changes of the firewall and has every direction rechecked at once, takes in connections that may hop by
now, and forgets classes of cgroups that are gone. Nothing that traffic depends on is its work: it may be killed at
any moment, and then only these things stop.
"""

import logging
import select
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from sockhop.control import walking
from sockhop.control.classes import Class
from sockhop.control.watching import Watch, Watched
from sockhop.errors import Locked, NotUp, SockhopError
from sockhop.kernel import cgroups, systemd
from sockhop.kernel.firewall import BURST_SECONDS, Change, Watcher

LOOK_SECONDS = 1.0  # for services and network namespaces that come and go
EXPIRE_SECONDS = 60.0
_LOCK_SECONDS = 0.1  # whoever holds it longer is waited for between other things
_LAST_SECONDS = 5.0  # the same when the agent ends
_NEVER = float("inf")

log = logging.getLogger(__name__)


class Hops(Watched, Protocol):
    """What the agent does with an instance: see :class:`~sockhop.control.instance.Instance`."""

    def recheck(self) -> None:
        """Make each direction show its next message to the stack."""

    def walk(self) -> int:
        """Take in the connections that may hop by now; return how many sockets that were."""

    def forget(self, known: list[Class]) -> None:
        """Forget these classes."""


class Service(Protocol):
    """Where instances come from: the module :mod:`sockhop.control.service`."""

    def identity(self) -> int | None:
        """Return a number that is this instance's own; None when none is up."""

    def change(self, action: Callable[[Hops], object], seconds: float = 10.0) -> None:
        """Do something to the instance. Raises :class:`NotUp` and :class:`Locked`."""


def say(event: str, level: int = logging.INFO, **fields: object) -> None:
    """Log an event by its name, with what belongs to it."""
    log.log(level, event, extra={"fields": fields})


def forget_gone(hops: Hops) -> None:
    """Forget the classes whose cgroup is no more: no socket of theirs will ever come."""
    known = hops.classes()
    there = cgroups.find({each.cgroup for each in known})
    gone = [each for each in known if each.cgroup not in there]
    if gone:
        hops.forget(gone)
    for each in gone:
        say("class_forgotten", why="its cgroup is gone", cgroup=each.cgroup, port=each.port, role=each.role)


def walk(hops: Hops) -> int:
    """Take in what may hop by now; return how many sockets that were."""
    count = hops.walk()
    if count:
        say("adopted", sockets=count)
    return count


def adopt(service: Service) -> int:
    """Take in what may hop by now, and learn on, once: there may be no agent. Return how many sockets went in.

    Raises :class:`NotUp` and :class:`Locked`.
    """
    counts: list[int] = []
    service.change(lambda hops: hops.watch())
    service.change(lambda hops: counts.append(walk(hops)))
    return counts[0]


class Agent:
    """Follows the service through ``up``, ``down`` and newer versions; see the module.

    :param service: the module of that name.
    :param interval: seconds from one :meth:`Instance.walk` to the next, at least.
    :param wake: a descriptor; when it is readable, :meth:`run` returns.
    """

    def __init__(self, service: Service, interval: float, wake: int) -> None:
        self._service, self._interval, self._wake = service, interval, wake
        self._serving: int | None = None
        self._watcher: Watcher | None = None
        self._watch = Watch()
        self._changes: set[Change] = set()  # for which a recheck is due
        self._complaints: dict[str, str] = {}
        self._status = ""
        self._tasks: dict[Callable[[], None], float] = {
            self._look: 0.0,
            self._recheck: _NEVER,
            self._walk: _NEVER,
            self._expire: _NEVER,
        }
        silence = systemd.watchdog_seconds()
        if silence:
            self._watchdog_interval = silence / 3
            self._tasks[self._feed_watchdog] = 0.0

    def run(self) -> None:
        """Work until woken."""
        say("started", interval=self._interval)
        try:
            while not self._is_woken(0):
                self._do_what_is_due()
                pause = max(0.0, min(self._tasks.values()) - time.monotonic())
                if self._watcher is None:
                    self._is_woken(pause)
                    continue
                self._note(self._watcher.wait(pause))
        finally:
            systemd.notify("STOPPING=1")
            if self._watcher is not None:
                # Nobody else may look after it.
                self._act("watch", lambda hops: hops.watch(), _LAST_SECONDS)
            if self._watcher is not None:
                self._watcher.close()
            say("stopped")

    def _is_woken(self, seconds: float) -> bool:
        return bool(select.select([self._wake], [], [], seconds)[0])

    def _do_what_is_due(self) -> None:
        # Each once: signals and firewalls are looked at in between, however long a task takes.
        now = time.monotonic()
        for task in list(self._tasks):
            if self._tasks[task] <= now:
                task()

    # -- what is done from time to time ------------------------------------------------------------------------

    def _look(self) -> None:
        self._tasks[self._look] = time.monotonic() + LOOK_SECONDS
        try:
            identity = self._service.identity()
            self._complaints.pop("look", None)
        except (SockhopError, OSError) as error:
            self._complain("look", error)
            identity = None
        if identity != self._serving:
            self._lose()
            if identity is not None:
                self._find(identity)
        elif self._watcher is not None:
            self._note(self._watcher.follow())
        self._tell_status()

    def _find(self, identity: int) -> None:
        self._serving = identity
        self._watch = Watch()
        self._watcher = Watcher(self._wake, self._tell_skipped)
        found = self._watcher.follow()
        say("service_found", watching=len(found))
        # Nobody has listened until now.
        self._note({Change("service", change.namespace) for change in found})
        self._tasks[self._walk] = self._tasks[self._expire] = 0.0

    def _lose(self) -> None:
        if self._watcher is None:
            return
        self._watcher.close()
        self._serving = self._watcher = None
        self._changes.clear()
        for task in (self._recheck, self._walk, self._expire):
            self._tasks[task] = _NEVER
        say("service_gone")

    def _walk(self) -> None:
        begun = time.monotonic()
        self._act("watch", self._watch.look)
        self._act("walk", walk)
        if self._serving is not None:
            self._tasks[self._walk] = time.monotonic() + walking.pause_since(begun, self._interval)

    def _expire(self) -> None:
        self._tasks[self._expire] = time.monotonic() + EXPIRE_SECONDS
        self._act("forget", forget_gone)

    def _feed_watchdog(self) -> None:
        self._tasks[self._feed_watchdog] = time.monotonic() + self._watchdog_interval
        systemd.notify("WATCHDOG=1")

    # -- rechecks ----------------------------------------------------------------------------------------------

    def _note(self, changes: set[Change]) -> None:
        if changes:
            self._changes |= changes
            self._tasks[self._recheck] = 0.0

    def _recheck(self) -> None:
        self._tasks[self._recheck] = time.monotonic() + BURST_SECONDS  # if it cannot be done now
        if self._act("recheck", lambda hops: hops.recheck()):
            self._tasks[self._recheck] = _NEVER
            whys = {change.what for change in self._changes}
            names = [] if whys == {"service"} else sorted({str(change.namespace) for change in self._changes})
            say("recheck", why=sorted(whys), namespace=names)
            self._changes.clear()

    # -- acting and telling ------------------------------------------------------------------------------------

    def _act(self, what: str, action: Callable[[Hops], object], seconds: float = _LOCK_SECONDS) -> bool:
        """Do something to the service; return whether it was done."""
        try:
            self._service.change(action, seconds)
        except Locked:
            return False
        except NotUp:
            self._lose()
            return False
        except (SockhopError, OSError) as error:
            self._complain(what, error)
            return False
        self._complaints.pop(what, None)
        return True

    def _complain(self, what: str, error: Exception) -> None:
        """Log an error; one that stays is told once."""
        text = str(error) or type(error).__name__
        if self._complaints.get(what) != text:
            self._complaints[what] = text
            say("error", logging.ERROR, doing=what, error=text)

    def _tell_skipped(self, namespace: Path, error: OSError) -> None:
        say("namespace_skipped", logging.WARNING, namespace=str(namespace), error=error.strerror)

    def _tell_status(self) -> None:
        """Tell systemd what goes on, if it is new, and the first time that it is ready."""
        status = "Waiting for: sockhop up"
        if self._watcher is not None:
            status = f"Watching nftables and tc in {self._watcher.count()} network namespaces"
        if status != self._status:
            systemd.notify(*([] if self._status else ["READY=1"]), f"STATUS={status}")
            self._status = status
