"""Connections: their ends in every network namespace, and who holds them."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from sockhop.control import ends, loading, places, walking
from sockhop.control.ends import CGROUP, COOKIE, FLAGS, End, Owner, Record
from sockhop.control.instance import Instance
from sockhop.control.pairing import Flow, paired
from sockhop.control.situation import DOWN, Situation, situation_of
from sockhop.errors import NotOurs, SockhopError
from sockhop.kernel import cgroups, maps, objects
from sockhop.kernel.abi import FlowFlag


@dataclass(frozen=True)
class Picture:
    """All connections at one moment, and what the data planes were doing.

    ``situations`` are by the name that an end has as its ``instance``; that of the service is ``service``.
    """

    flows: list[Flow]
    situations: dict[str, Situation]

    def situation(self, flow: Flow) -> Situation:
        """Return what holds for the connection: that of the data plane that has its ends, or might."""
        for end in flow.ends:
            if end.has(FlowFlag.PAIRED) or end.has(FlowFlag.IN_SCOPE):
                return self.situations[end.instance]
        return self.situations["service"]


@dataclass(frozen=True)
class Filter:
    """Which connections are wanted; what is None matches all.

    ``address`` and ``port`` are those of either end, of the same if both are given. ``descriptor`` is one of
    process ``pid``. ``cgroup`` is at or above that of either end's socket. ``state`` is one of ``TCP_STATES``.
    """

    port: int | None = None
    address: str | None = None
    pid: int | None = None
    descriptor: int | None = None
    cgroup: Path | None = None
    state: str | None = None

    def matches(self, flow: Flow) -> bool:
        """Whether the connection is wanted."""
        both = flow.ends
        return (
            ((self.port is None and self.address is None) or any(map(self._has_endpoint, both)))
            and (self.pid is None or any(map(self._has_owner, both)))
            and (self.cgroup is None or any(map(self._is_inside, both)))
            and (self.state is None or any(end.tcp_state == self.state for end in both))
        )

    def _has_endpoint(self, end: End) -> bool:
        return any(
            self.port in (None, port) and self.address in (None, address)
            for address, port in (
                (end.local_address, end.local_port),
                (end.remote_address, end.remote_port),
            )
        )

    def _has_owner(self, end: End) -> bool:
        return any(
            owner.pid == self.pid and self.descriptor in (None, owner.descriptor) for owner in end.owners or ()
        )

    def _is_inside(self, end: End) -> bool:
        # Not by paths: there may be very many ends.
        return f"{end.cgroup_path}/".startswith(f"{self.cgroup}/".replace("//", "/"))


def look() -> Picture:
    """Return all connections that can be seen from here, service up or not.

    Raises :class:`~sockhop.errors.NotPermitted` and :class:`~sockhop.errors.Unsupported`, and
    :class:`~sockhop.errors.SockhopError` for a service that another version has made.
    """
    with _sources() as sources:
        records: dict[int, tuple[Record, str]] = {}
        for name, read, _ in sources:
            for record in (record for written in read("flows") for record in ends.records(written)):
                known = records.get(record[COOKIE])
                if known is None or _rank(record) > _rank(known[0]):
                    records[record[COOKIE]] = (record, name)
        owners = _owners(sources[0][1])
        paths = _paths({record[CGROUP] for record, _ in records.values()})
        made = [ends.end(record, name, paths, owners) for record, name in records.values()]
        situations = {"service": DOWN, **{name: situation for name, _, situation in sources}}
        return Picture(list(paired(made)), situations)


_Read = Callable[[str], list[bytes]]


@contextmanager
def _sources() -> Iterator[list[tuple[str, _Read, Situation]]]:
    """Yield who can be asked: a name, how to run its iterator of a name, and its situation."""
    found: list[tuple[str, _Read, Situation]] = []
    for instance in _instances():
        with suppress(FileNotFoundError):  # it has gone meanwhile
            situation = situation_of(instance)
            found.append((instance.directory.name, _reader(instance), situation))
    with ExitStack() as stack:
        if not found:
            links = stack.enter_context(loading.viewer())
            found.append(("service", lambda name: _run(links, name), DOWN))
        yield found


def _instances() -> list[Instance]:
    """All of this version, the service first."""
    try:
        entries = sorted(places.root().iterdir(), key=lambda entry: (entry.name != "service", entry.name))
    except FileNotFoundError:
        return []
    found = []
    for entry in entries:
        if not places.is_instance(entry.name):
            continue
        with suppress(NotOurs, FileNotFoundError):
            instance = Instance.open(entry)
            if instance and instance.config().build == objects.build_id():
                found.append(instance)
            elif instance and entry.name == "service":
                raise SockhopError(
                    "the service was made by another version of sockhop, whose connections this one cannot read. "
                    "Let this one take over, with `sockhop up` as before"
                )
    return found


def _reader(instance: Instance) -> _Read:
    def read(name: str) -> list[bytes]:
        with suppress(FileNotFoundError):  # the kernel refused the iterator, or the instance has gone meanwhile
            if name != "owners":
                return walking.everywhere(instance, name)
            with instance.get(name) as link:
                return [maps.run_iterator(link)]
        return []

    return read


def _run(links: dict[str, int], name: str) -> list[bytes]:
    if name not in links:
        return []
    return [maps.run_iterator(links[name])] if name == "owners" else walking.in_each(links[name])


def _rank(record: Record) -> int:
    """How much a data plane has to say of an end."""
    flags = record[FLAGS]
    told = (FlowFlag.TRACKED, FlowFlag.OBSERVED, FlowFlag.PAIRED, FlowFlag.IN_SCOPE)
    return next((len(told) - place for place, flag in enumerate(told) if flags >> flag & 1), 0)


def _owners(read: _Read) -> dict[int, tuple[Owner, ...]] | None:
    """Who holds each socket, by its cookie. None if the kernel does not tell."""
    written = read("owners")
    if not written:
        return None
    found: dict[int, tuple[Owner, ...]] = {}
    for cookie, pid, descriptor, command in ends.owner_records(written[0]):
        owner = Owner(pid, descriptor, ends.command_text(command))
        known = found.get(cookie)
        found[cookie] = (*known, owner) if known else (owner,)
    return found


def _paths(wanted: set[int]) -> dict[int, str]:
    return {number: str(path) for number, path in cgroups.find(wanted - {0}).items()}
