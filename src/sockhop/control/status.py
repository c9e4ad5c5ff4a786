"""What ``status`` tells. Field names are those of the JSON that other tools rely on."""

from dataclasses import asdict, dataclass
from typing import Any

from sockhop.kernel.abi import Outcome, Refusal, Traffic
from sockhop.version import __version__

SCHEMA = 1


@dataclass(frozen=True)
class Scope:
    """A cgroup whose sockets may hop. ``cgroup`` is its path; ``id`` its inode number."""

    cgroup: str
    id: int


@dataclass(frozen=True)
class Sockets:
    """``tracked`` sockets are in the map now, of at most ``capacity``.

    ``refused`` counts ends of local pairs that were left out, by reason.
    """

    tracked: int
    capacity: int
    refused: dict[str, int]


@dataclass(frozen=True)
class Hops:
    """Messages and bytes handed over directly."""

    messages: int
    bytes: int


@dataclass(frozen=True)
class Stack:
    """Messages and bytes of tracked sockets that TCP/IP carried; ``reasons`` counts the messages."""

    messages: int
    bytes: int
    reasons: dict[str, int]


@dataclass(frozen=True)
class Status:
    """One instance at one moment.

    ``state`` is ``up``, ``draining`` or ``down``; ``hops`` is ``on`` or ``paused``.
    """

    version: str
    state: str
    hops: str
    scopes: tuple[Scope, ...]
    sockets: Sockets
    hop: Hops
    stack: Stack

    def as_json(self) -> dict[str, Any]:
        """Return the object of ``status --json``."""
        return {"schema": SCHEMA, **asdict(self), "scopes": [asdict(scope) for scope in self.scopes]}


def down() -> Status:
    """Return the status when there is no instance."""
    return Status(__version__, "down", "paused", (), Sockets(0, 0, refusals([])), *traffic([]))


def refusals(counters: list[Traffic]) -> dict[str, int]:
    """Sum the refusals of all CPUs, by name."""
    return {why.name.lower(): sum(cpu.refused[why] for cpu in counters) for why in Refusal}


def traffic(counters: list[Traffic]) -> tuple[Hops, Stack]:
    """Sum the messages and bytes of all CPUs; those that only another version has a reason for, too."""
    messages = {outcome: sum(cpu.messages[outcome] for cpu in counters) for outcome in Outcome}
    hop = Hops(messages.pop(Outcome.HOP), sum(cpu.bytes[Outcome.HOP] for cpu in counters))
    reasons = {outcome.name.lower(): count for outcome, count in messages.items()}
    all_messages, all_bytes = sum(sum(cpu.messages) for cpu in counters), sum(sum(cpu.bytes) for cpu in counters)
    return hop, Stack(all_messages - hop.messages, all_bytes - hop.bytes, reasons)
