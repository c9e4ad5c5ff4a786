"""Classes: services in a role, and what was learned about them."""

from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from sockhop.kernel import maps
from sockhop.kernel.abi import Blocking, ClassInfo, ClassKey, ClassState, Reason, Role


@dataclass(frozen=True)
class Class:
    """One class. Numbers are since it began to learn; sizes are in bytes.

    ``cgroup`` is the cgroup's id; ``state`` is ``learning``, ``hopping`` or ``stack``, since ``since_ns``
    (CLOCK_MONOTONIC); ``reasons`` say why it is kept on the stack. While it is ``blocking``, reads may block, and
    no connection with such reads has closed yet, so that their number is not enough to judge it by. One that is
    ``watched`` can be guarded only while reads are: it reads by io_uring, or may block after it has sent in bulk.
    """

    cgroup: int
    port: int
    role: str
    state: str
    reasons: tuple[str, ...]
    connections: int
    reads: int
    read_bytes: int
    writes: int
    written_bytes: int
    blocking: bool = False
    since_ns: int = 0
    watched: bool = False

    def as_json(self, where: dict[int, Path]) -> dict[str, Any]:
        """Return the object of ``classes --json``. ``where`` has the paths of cgroups by id."""
        path = where.get(self.cgroup)
        return {**asdict(self), "cgroup": str(path) if path else None, "cgroup_id": self.cgroup}

    def key(self) -> ClassKey:
        """Return what the class is found by in the kernel."""
        return ClassKey(self.cgroup, self.port, Role[self.role.upper()])


def read_classes(fd: int) -> list[Class]:
    """Return what the map of classes has, by cgroup, port and role."""
    found = [_class(key, info) for key, info in maps.items(fd, ClassKey, ClassInfo)]
    return sorted(found, key=lambda known: (known.cgroup, known.port, known.role))


def forget_classes(fd: int, known: list[Class]) -> None:
    """Remove classes: their services are new to sockhop from now on."""
    for each in known:
        maps.delete(fd, each.key())


@lru_cache(maxsize=4096)
def reasons(bits: int) -> tuple[str, ...]:
    """Return the names of the reasons in ``bits``."""
    return tuple(reason.name.lower() for reason in Reason if bits & 1 << reason)


def _class(key: ClassKey, info: ClassInfo) -> Class:
    return Class(
        key.cgroup,
        key.port,
        Role(key.role).name.lower(),
        # A hazard that was seen at the very moment of a judgement has the last word.
        ClassState(ClassState.STACK if info.reasons else info.state).name.lower(),
        reasons(info.reasons),
        info.connections,
        info.reads,
        info.read_bytes,
        info.writes,
        info.written_bytes,
        info.blocking == Blocking.SEEN,
        info.since_ns,
        bool(info.watched),
    )
