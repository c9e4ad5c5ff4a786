"""One data plane in the kernel, pinned in a directory of its own.

Everything that keeps traffic right is in these pins and needs no process:

    config      array: pause, epoch, limits            sockets   the sockhash, with its two programs
    traffic     per-CPU counters                       events    ring buffer of trace
    gauge       how many sockets are tracked           classes   what was learned
    rules       the user's                             scopes    ids of the cgroups
    candidates, matches   of the search for pairs
    connections the sock_ops program                   drain, discover, adopt, flows, owners   iterator links
    received, taken           links of what watches applications, unless eager
    received-program, taken-program   to make these again: see :mod:`sockhop.control.watching`
    scope-ID    a link of that program to the cgroup with this id

The maps' last reference must not go while sockets are inside: the kernel would throw away what is unread
(``sock_hash_free``). So the directory goes only when the map is empty.
"""

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sockhop.control import loading, scopes, status, walking, watching
from sockhop.control.classes import Class, forget_classes, read_classes
from sockhop.control.pins import Pins
from sockhop.control.settings import Settings
from sockhop.errors import NotOurs
from sockhop.kernel import maps
from sockhop.kernel.abi import ANY_ROLE, MAGIC, MAX_PORT, Action, Config, Event, Gauge, Rule, Traffic
from sockhop.version import __version__

MAKING, GOING = "-making", "-going"
_AGAINST_ALL = Rule(action=Action.NEVER, last_port=MAX_PORT, roles=ANY_ROLE)


@dataclass(frozen=True)
class Instance(Pins):
    """The data plane pinned in ``directory``."""

    # -- making and finding ------------------------------------------------------------------------------------

    @classmethod
    def create(cls, directory: Path, settings: Settings, classes: Path | None = None) -> "Instance":
        """Load a data plane and pin it, whole or not at all: under another name first, ending in ``MAKING``.

        ``classes`` is where the table of classes is pinned that it goes on with, or will be.
        Raises what :func:`sockhop.kernel.objects.loaded` raises, and :class:`KernelError`.
        """
        making = cls(directory.with_name(directory.name + MAKING))
        making.directory.mkdir(mode=0o700)
        try:
            loading.load(making, settings, classes)
            making.directory.rename(directory)
        except BaseException:
            making.unpin()
            raise
        return cls(directory)

    @classmethod
    def open(cls, directory: Path) -> "Instance | None":
        """Return the instance pinned in ``directory``, or None. Raises :class:`NotOurs` for foreign pins."""
        if not directory.exists():
            return None
        instance = cls(directory)
        try:
            with instance.get("config") as fd:
                ours = maps.is_element(fd) and maps.read_element(fd, Config).magic == MAGIC
        except OSError:
            ours = False
        if not ours and directory.exists():
            raise NotOurs(
                f"{directory} holds pins that this sockhop did not make (no readable config of ours). Nothing was "
                "touched. If they are nobody's, remove them: rm -r " + str(directory)
            )
        return instance if ours else None

    # -- scopes ------------------------------------------------------------------------------------------------

    def attach(self, cgroup: Path) -> int:
        """Watch the sockets that are made in this cgroup from now on, and below it; return its id.

        A scope that is there already stays. Raises :class:`BadScope` and :class:`KernelError`.
        """
        return scopes.attach(self, cgroup)

    def detach(self, number: int) -> None:
        """Stop watching the cgroup with this id. Sockets that hop go on."""
        scopes.detach(self, number)

    def scopes(self) -> tuple[status.Scope, ...]:
        """Return the watched cgroups with their paths, by path."""
        return scopes.found(self)

    # -- configuration -----------------------------------------------------------------------------------------

    def config(self) -> Config:
        """Return the configuration as it is in the kernel."""
        with self.get("config") as fd:
            return maps.read_element(fd, Config)

    def configure(self, change: Callable[[Config], None]) -> None:
        """Read the configuration, let ``change`` change it, write it back."""
        with self.get("config") as fd:
            config = maps.read_element(fd, Config)
            change(config)
            maps.write_element(fd, config)

    def pause(self) -> None:
        """Send every message through the stack from now on."""
        self.configure(lambda config: setattr(config, "paused", 1))

    def resume(self) -> None:
        """Let messages hop again."""
        self.configure(lambda config: setattr(config, "paused", 0))

    def recheck(self) -> None:
        """Make each direction show its next message to the stack."""
        self.configure(lambda config: setattr(config, "epoch", (config.epoch + 1) & 0xFFFFFFFF))

    def close(self) -> None:
        """Pause, and let no new pair in."""

        def change(config: Config) -> None:
            config.paused = config.closed = 1

        self.configure(change)

    # -- looking -----------------------------------------------------------------------------------------------

    def tracked(self) -> int:
        """Return how many sockets were taken in and are not closed."""
        return int(self.gauge().tracked)

    def gauge(self) -> Gauge:
        """Return what goes up and down."""
        return walking.gauge(self)

    def left(self) -> int:
        """Return how many sockets are in the map, closed ones with unread bytes among them; takes a while."""
        return walking.left(self)

    def status(self) -> status.Status:
        """Return the instance's status."""
        config = self.config()
        counters = self.traffic()
        return status.Status(
            __version__,
            "draining" if config.closed else "up",
            "paused" if config.paused else "on",
            self.scopes(),
            status.Sockets(
                self.left() if config.closed else self.tracked(), config.capacity, status.refusals(counters)
            ),
            *status.traffic(counters),
        )

    def traffic(self) -> list[Traffic]:
        """Return the counters of each CPU."""
        with self.get("traffic") as fd:
            return maps.read_per_cpu(fd, Traffic)

    @contextmanager
    def events(self, receive: Callable[[Event], None]) -> Iterator[Callable[[int], int]]:
        """Yield ``poll(milliseconds)``, which hands each event to ``receive``. One reader at a time."""
        with self.get("events") as fd, maps.ring(fd, Event, receive) as poll:
            yield poll

    # -- classes and rules -------------------------------------------------------------------------------------

    def classes(self) -> list[Class]:
        """Return what was learned about each service."""
        with self.get("classes") as fd:
            return read_classes(fd)

    def forget(self, known: list[Class]) -> None:
        """Forget these classes: they are learned anew."""
        with self.get("classes") as fd:
            forget_classes(fd, known)

    def rules(self) -> list[Rule]:
        """Return the rules that are in force."""
        with self.get("rules") as fd:
            return [maps.read(fd, ctypes.c_uint32(index), Rule) for index in range(self.config().rules)]

    def set_rules(self, rules: list[Rule]) -> None:
        """Put these rules in force, the first that matches first; every end looks again at its next message.

        Those that are in force already stay, but who put them there may have been killed before it told the ends.
        """
        if list(map(bytes, rules)) != list(map(bytes, self.rules())):
            self._replace_rules(rules)
        self.configure(lambda config: setattr(config, "generation", (config.generation + 1) & 0xFFFFFFFF))

    def _replace_rules(self, rules: list[Rule]) -> None:
        """Write rules behind one against all, which goes last: killed half-way, nothing hops that should not."""
        with self.get("rules") as fd:
            maps.put(fd, maps.ZERO, _AGAINST_ALL)
            self.configure(lambda config: setattr(config, "rules", 1))
            for index, rule in enumerate(rules[1:], 1):
                maps.put(fd, ctypes.c_uint32(index), rule)
            self.configure(lambda config: setattr(config, "rules", len(rules)))
            if rules:
                maps.put(fd, maps.ZERO, rules[0])

    # -- watching ----------------------------------------------------------------------------------------------

    def can_watch(self) -> bool:
        """Whether reads can be watched, and not: neither in eager mode nor by versions that always did."""
        return watching.can(self)

    def is_watching(self) -> bool:
        """Whether connections are learned from."""
        return bool(self.config().watched)

    def is_guarding(self) -> bool:
        """Whether sockets may go into the map."""
        return bool(self.config().guarded)

    def watch(self) -> None:
        """Watch reads from now on, so that classes can learn, and guard what hops."""
        if self.can_watch():
            self.guard()
            watching.attach(self, watching.READS)
            if not self.is_watching():
                self.configure(lambda config: setattr(config, "watched", 1))

    def guard(self) -> None:
        """Guard what hops from now on, so that sockets may go in."""
        watching.attach(self, watching.GUARD)
        if not self.is_guarding():
            self.configure(lambda config: setattr(config, "guarded", 1))

    def say_unwatched(self) -> None:
        """Let no more connections be learned from."""
        self.configure(lambda config: setattr(config, "watched", 0))

    def say_unguarded(self) -> None:
        """Let no more sockets in."""
        self.configure(lambda config: setattr(config, "guarded", 0))

    def watch_no_more(self) -> None:
        """Watch reads no more: when no connection is observed, and none will be."""
        watching.detach(self, watching.READS)

    def guard_no_more(self) -> None:
        """Guard no more: when no socket is in the map, and none will be."""
        watching.detach(self, watching.GUARD)

    # -- taking in ---------------------------------------------------------------------------------------------

    def walk(self) -> int:
        """Look at every connection in scope: those that may hop go in, those that may no longer leave.

        A connection goes in that exists already, if its class allows it and neither end blocks in ``recv``.
        Return how many ends went in.
        """
        return walking.adopt(self)

    # -- leaving -----------------------------------------------------------------------------------------------

    def drain(self, seconds: float) -> int:
        """Close, then take sockets out until none is left or the time is over; return how many are left."""
        self.close()
        return walking.drain(self, seconds)

    def unpin(self) -> None:
        """Remove the pins: the scopes first, so that nothing enters a map that is going.

        Under another name, ending in ``GOING``: half of the pins are never taken for an instance.
        """
        going = self.directory
        if not going.name.endswith((MAKING, GOING)):
            going = self.directory.rename(going.with_name(going.name + GOING))
        for pin in sorted(going.iterdir(), key=lambda pin: not pin.name.startswith(scopes.PREFIX)):
            pin.unlink(missing_ok=True)
        going.rmdir()

    def move(self, directory: Path) -> "Instance":
        """Return the instance, pinned in another directory now."""
        return Instance(self.directory.rename(directory))
