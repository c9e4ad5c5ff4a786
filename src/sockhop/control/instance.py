"""One data plane in the kernel, pinned in a directory of its own.

Everything that keeps traffic right is in these pins and needs no process:

    config      array: pause, epoch, limits            sockets   the sockhash, with its two programs
    traffic     per-CPU counters                       events    ring buffer of trace
    gauge       how many sockets are tracked           classes   what was learned
    rules       the user's                             scopes    ids of the cgroups
    candidates, matches   of the search for pairs
    connections the sock_ops program                   drain, discover, adopt   iterator links
    received, sent, splices…  links of what watches applications, unless eager
    scope-ID    a link of that program to the cgroup with this id

The maps' last reference must not go while sockets are inside: the kernel would throw away what is unread
(``sock_hash_free``). So the directory goes only when the map is empty.
"""

import ctypes
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from sockhop.control import status, tuning
from sockhop.control.classes import Class, forget_classes, read_classes
from sockhop.control.settings import Settings
from sockhop.errors import BadScope, KernelError, NotOurs
from sockhop.kernel import cgroups, libbpf, maps, namespaces, objects, watching
from sockhop.kernel.abi import MAGIC, ClassInfo, ClassKey, Config, Event, Gauge, Rule, Traffic
from sockhop.version import __version__

# The names of maps and programs in the object, by the name of their pin.
_MAPS = {
    "config": ".data.config",
    "gauge": ".data.gauge",
    **{
        name: name
        for name in ("sockets", "traffic", "events", "classes", "rules", "scopes", "candidates", "matches")
    },
}
_ITERATORS = ("drain", "discover", "adopt")
# What watches applications, unless eager.
_WATCHERS = ("received", "sent", "splice_watched", "splice_called", "operations")
# CAPACITY_SLACK of entering.h, twice: for the server ends, and for the clients of one moment.
_SLACK = 2048
_SCOPE = "scope-"
MAKING, GOING = "-making", "-going"


class _CgroupLinkInfo(ctypes.Structure):
    """``struct bpf_link_info`` of a link to a cgroup."""

    _fields_ = (
        ("type", ctypes.c_uint32),
        ("id", ctypes.c_uint32),
        ("prog_id", ctypes.c_uint32),
        ("cgroup_id", ctypes.c_uint64),
        ("attach_type", ctypes.c_uint32),
    )


@contextmanager
def _fd(number: int) -> Iterator[int]:
    try:
        yield number
    finally:
        os.close(number)


@dataclass(frozen=True)
class Instance:
    """The data plane pinned in ``directory``."""

    directory: Path

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
            making._load(settings, classes)
            making.directory.rename(directory)
        except BaseException:
            making.unpin()
            raise
        return cls(directory)

    def _load(self, settings: Settings, classes: Path | None) -> None:
        room = settings.capacity + _SLACK
        sizes = dict.fromkeys(("sockets", "arrived", "next_seq", "candidates", "matches"), room)
        watchers = () if settings.mode == "eager" else _WATCHERS
        with (
            _known(classes) as known,
            objects.loaded(
                sizes,
                reused={} if known is None else {"classes": known},
                without=[f"sockhop_{name}" for name in _WATCHERS if name not in watchers],
            ) as loaded,
        ):
            sockets = loaded.map_fd("sockets")
            maps.write_element(loaded.map_fd(".data.config"), tuning.config_of(settings))
            libbpf.prog_attach(loaded.program_fd("sockhop_send"), sockets, libbpf.BPF_SK_MSG_VERDICT, 0)
            libbpf.prog_attach(loaded.program_fd("sockhop_queue"), sockets, libbpf.BPF_SK_SKB_VERDICT, 0)
            for pin, name in _MAPS.items():
                self._pin(loaded.map_fd(name), pin)
            self._pin(loaded.program_fd("sockhop_connections"), "connections")
            for name in _ITERATORS:
                program = loaded.program_fd(f"sockhop_{name}")
                self._pin_link(libbpf.link_create(program, 0, libbpf.BPF_TRACE_ITER, None), name)
            if watchers:
                self._watch(loaded)
            if classes and known is None:
                classes.unlink(missing_ok=True)
                libbpf.obj_pin(loaded.map_fd("classes"), str(classes).encode())

    def _pin(self, fd: int, name: str) -> None:
        libbpf.obj_pin(fd, str(self.directory / name).encode())

    def _watch(self, loaded: objects.LoadedObject) -> None:
        for name in ("received", "sent"):
            self._pin_link(watching.raw(loaded.program_fd(f"sockhop_{name}")), name)
        try:
            for number, address in enumerate(_splice_pointers(loaded)):
                for cpu in watching.online_cpus():
                    link = watching.watchpoint(loaded.program_fd("sockhop_splice_watched"), cpu, address)
                    self._pin_link(link, f"splices-{number}-{cpu}")
        except OSError:  # no debug registers, or somebody else has them
            for pin in self.directory.glob("splices-*"):
                pin.unlink()
            called = loaded.program_fd("sockhop_splice_called")
            self._pin_link(watching.tracepoint(called, "syscalls", "sys_enter_splice"), "splices")

    def _pin_link(self, link: int, name: str) -> None:
        with _fd(link):
            self._pin(link, name)

    @classmethod
    def open(cls, directory: Path) -> "Instance | None":
        """Return the instance pinned in ``directory``, or None. Raises :class:`NotOurs` for foreign pins."""
        if not directory.exists():
            return None
        instance = cls(directory)
        try:
            with instance._get("config") as fd:
                ours = maps.info(fd, maps.MapInfo).value_size == ctypes.sizeof(Config)
                ours = ours and maps.read_element(fd, Config).magic == MAGIC
        except OSError:
            ours = False
        if not ours and directory.exists():
            raise NotOurs(
                f"{directory} holds pins that this sockhop did not make (no readable config of ours). Nothing was "
                "touched. If they are nobody's, remove them: rm -r " + str(directory)
            )
        return instance if ours else None

    @contextmanager
    def _get(self, name: str) -> Iterator[int]:
        with _fd(libbpf.obj_get(str(self.directory / name).encode())) as fd:
            yield fd

    # -- scopes ------------------------------------------------------------------------------------------------

    def attach(self, cgroup: Path) -> None:
        """Watch the sockets that are made in this cgroup from now on, and below it.

        A scope that is there already stays. Raises :class:`BadScope` and :class:`KernelError`.
        """
        number = cgroups.identity(cgroup)
        if number in self.scope_ids():
            return
        descriptor = os.open(cgroup, os.O_RDONLY | os.O_DIRECTORY)
        try:
            with (
                self._get("connections") as program,
                _fd(libbpf.link_create(program, descriptor, libbpf.BPF_CGROUP_SOCK_OPS, None)) as link,
            ):
                self._pin(link, f"{_SCOPE}{number}")
            with self._get("scopes") as scopes:
                maps.put(scopes, ctypes.c_uint64(number), ctypes.c_uint32(1))
        except OSError as error:
            raise KernelError(f"watching {cgroup} failed: {error}", error.errno or 0) from error
        finally:
            os.close(descriptor)

    def detach(self, number: int) -> None:
        """Stop watching the cgroup with this id. Sockets that hop go on."""
        (self.directory / f"{_SCOPE}{number}").unlink(missing_ok=True)
        with self._get("scopes") as scopes:
            maps.delete(scopes, ctypes.c_uint64(number))

    def scope_ids(self) -> list[int]:
        """Return the ids of the cgroups that are watched. One that was removed no longer is."""
        found = []
        for pin in sorted(self.directory.glob(f"{_SCOPE}*")):
            with self._get(pin.name) as fd:
                # The kernel detaches the link when the cgroup goes (bpf_cgroup_link_auto_detach).
                if maps.info(fd, _CgroupLinkInfo).cgroup_id:
                    found.append(int(pin.name.removeprefix(_SCOPE)))
        return found

    def scopes(self) -> tuple[status.Scope, ...]:
        """Return the watched cgroups with their paths, by path."""
        found = cgroups.find(set(self.scope_ids()))
        return tuple(
            sorted((status.Scope(str(path), number) for number, path in found.items()), key=lambda s: s.cgroup)
        )

    # -- configuration -----------------------------------------------------------------------------------------

    def config(self) -> Config:
        """Return the configuration as it is in the kernel."""
        with self._get("config") as fd:
            return maps.read_element(fd, Config)

    def configure(self, change: Callable[[Config], None]) -> None:
        """Read the configuration, let ``change`` change it, write it back."""
        with self._get("config") as fd:
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
        with self._get("gauge") as fd:
            return int(maps.read_element(fd, Gauge).tracked)

    def left(self) -> int:
        """Return how many sockets are in the map, closed ones with unread bytes among them; takes a while."""
        with self._get("sockets") as fd:
            return maps.count_keys(fd)

    def status(self) -> status.Status:
        """Return the instance's status."""
        config = self.config()
        with self._get("traffic") as fd:
            counters = maps.read_per_cpu(fd, Traffic)
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

    @contextmanager
    def events(self, receive: Callable[[Event], None]) -> Iterator[Callable[[int], int]]:
        """Yield ``poll(milliseconds)``, which hands each event to ``receive``. One reader at a time."""
        with self._get("events") as fd, maps.ring(fd, Event, receive) as poll:
            yield poll

    # -- classes and rules -------------------------------------------------------------------------------------

    def classes(self) -> list[Class]:
        """Return what was learned about each service."""
        with self._get("classes") as fd:
            return read_classes(fd)

    def forget(self, known: list[Class]) -> None:
        """Forget these classes: they are learned anew."""
        with self._get("classes") as fd:
            forget_classes(fd, known)

    def rules(self) -> list[Rule]:
        """Return the rules that are in force."""
        with self._get("rules") as fd:
            return [maps.read(fd, ctypes.c_uint32(index), Rule) for index in range(self.config().rules)]

    def set_rules(self, rules: list[Rule]) -> None:
        """Put these rules in force, the first that matches first; every end looks again at its next message."""

        def change(config: Config) -> None:
            config.rules = len(rules)
            config.generation = (config.generation + 1) & 0xFFFFFFFF

        self.configure(lambda config: setattr(config, "rules", 0))  # while they are half written
        with self._get("rules") as fd:
            for index, rule in enumerate(rules):
                maps.put(fd, ctypes.c_uint32(index), rule)
        self.configure(change)

    # -- taking in ---------------------------------------------------------------------------------------------

    def walk(self) -> int:
        """Look at every connection in scope: those that may hop go in, those that may no longer leave.

        A connection goes in that exists already, if its class allows it and neither end blocks in ``recv``.
        Return how many ends went in.
        """
        before = self._adopted()
        # The second search finds the marks of the first, wherever the ends are.
        for names in (("drain", "discover"), ("discover", "adopt")):
            for name in names:
                self._everywhere(name)
        for name in ("candidates", "matches"):
            with self._get(name) as fd:
                maps.empty(fd)
        return self._adopted() - before

    def _adopted(self) -> int:
        with self._get("gauge") as fd:
            return int(maps.read_element(fd, Gauge).adopted)

    def _everywhere(self, iterator: str) -> None:
        """Run an iterator over the sockets of every network namespace."""
        with self._get(iterator) as link:
            maps.run_iterator(link)
            for namespace in namespaces.network_namespaces()[1:]:
                # It has gone meanwhile, or entering it takes a CAP_SYS_ADMIN that we lack (setns(2)).
                with suppress(OSError):
                    namespaces.inside(namespace, lambda: maps.run_iterator(link))

    # -- leaving -----------------------------------------------------------------------------------------------

    def drain(self, seconds: float) -> int:
        """Close, then take sockets out until none is left or the time is over; return how many are left."""
        self.close()
        deadline = time.monotonic() + seconds
        pause = 0.001
        while True:
            self._everywhere("drain")
            left = self.left()
            if not left or time.monotonic() >= deadline:
                return left
            time.sleep(min(pause, max(0.0, deadline - time.monotonic())))
            pause = min(pause * 2, 0.1)

    def unpin(self) -> None:
        """Remove the pins: the scopes first, so that nothing enters a map that is going.

        Under another name, ending in ``GOING``: half of the pins are never taken for an instance.
        """
        going = self.directory
        if not going.name.endswith((MAKING, GOING)):
            going = self.directory.rename(going.with_name(going.name + GOING))
        for pin in sorted(going.iterdir(), key=lambda pin: not pin.name.startswith(_SCOPE)):
            pin.unlink(missing_ok=True)
        going.rmdir()

    def move(self, directory: Path) -> "Instance":
        """Return the instance, pinned in another directory now."""
        return Instance(self.directory.rename(directory))


def _splice_pointers(loaded: objects.LoadedObject) -> list[int]:
    """Where the kernel looks up how to splice from a TCP socket: one address a family (splices.bpf.h)."""
    with ExitStack() as stack:
        for family in (socket.AF_INET, socket.AF_INET6):
            with suppress(OSError):  # no IPv6 here
                listener = stack.enter_context(socket.socket(family))
                listener.listen()
        program = loaded.program_fd("sockhop_operations")
        link = stack.enter_context(_fd(libbpf.link_create(program, 0, libbpf.BPF_TRACE_ITER, None)))
        return sorted(set(memoryview(maps.run_iterator(link)).cast("Q")))


@contextmanager
def _known(pin: Path | None) -> Iterator[int | None]:
    """Yield the table of classes pinned there, or None if there is none that this version can go on with."""
    if pin is None or not pin.exists():
        yield None
        return
    with _fd(libbpf.obj_get(str(pin).encode())) as fd:
        about = maps.info(fd, maps.MapInfo)
        fits = (about.key_size, about.value_size) == (ctypes.sizeof(ClassKey), ctypes.sizeof(ClassInfo))
        yield fd if fits else None


def check_scopes(paths: list[Path]) -> list[Path]:
    """Return the scopes, absolute. Raises :class:`BadScope` for one that is no cgroup, named twice, or nested."""
    checked = [cgroups.check(path) for path in paths]
    for index, path in enumerate(checked):
        if path in checked[:index]:
            raise BadScope(f"{path} is named twice: name each scope once")
        above = [other for other in checked if other in path.parents]
        if above:
            raise BadScope(f"{path} is inside {above[0]}, which covers it: leave one of the two out")
    return checked
