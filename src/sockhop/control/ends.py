"""Ends of connections, as the data plane tells of them."""

import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sockhop.control.classes import reasons
from sockhop.kernel import abi
from sockhop.kernel.abi import Action, ClassState, FlowFlag, Outcome, Role

# include/net/tcp_states.h, from 1 on.
TCP_STATES = (
    "established",
    "syn_sent",
    "syn_recv",
    "fin_wait1",
    "fin_wait2",
    "time_wait",
    "close",
    "close_wait",
    "last_ack",
    "listen",
    "closing",
    "new_syn_recv",
    "bound_inactive",
)
_MAPPED = bytes(10) + b"\xff\xff"


@dataclass(frozen=True, slots=True)
class Owner:
    """A process that holds a socket. ``command`` is its name, of at most 15 characters (``comm``)."""

    pid: int
    descriptor: int
    command: str

    def as_json(self) -> str:
        """Return the JSON object of ``flows --json``."""
        return f'{{"pid": {self.pid}, "fd": {self.descriptor}, "command": {quoted(self.command)}}}'


@dataclass(frozen=True, slots=True)
class End:
    """One socket of a connection.

    ``owners`` is None where the kernel does not tell them. ``class_state`` is None where nothing was learned yet;
    ``allowed`` is what the class and the rules say together. ``messages`` and what hopped count from when the
    socket went into the map. ``instance`` is the name of the data plane that knows most of it. ``snd`` and ``rcv``
    are TCP's next sequence numbers.
    """

    cookie: int
    peer: int
    netns_cookie: int
    role: str
    tcp_state: str
    local_address: str
    local_port: int
    remote_address: str
    remote_port: int
    cgroup: int
    cgroup_path: str | None
    owners: tuple[Owner, ...] | None
    flags: int
    action: str
    allowed: str
    class_state: str | None
    class_reasons: tuple[str, ...]
    hazards: tuple[str, ...]
    outcome: str
    messages: int
    hopped_messages: int
    hopped_bytes: int
    snd: int
    rcv: int
    instance: str

    def has(self, flag: FlowFlag) -> bool:
        """Whether this is so of the end."""
        return bool(self.flags >> flag & 1)

    @property
    def local(self) -> str:
        """The end's own address and port."""
        return endpoint(self.local_address, self.local_port)

    @property
    def remote(self) -> str:
        """What the end is connected to, as it sees it."""
        return endpoint(self.remote_address, self.remote_port)

    @property
    def server_port(self) -> int:
        """The port of the class."""
        return self.local_port if self.role == "server" else self.remote_port

    def as_json(self) -> str:
        """Return the JSON object of ``flows --json``.

        As text: there may be very many, and most of their parts are alike.
        """
        owners = "null" if self.owners is None else f"[{', '.join([each.as_json() for each in self.owners])}]"
        return (
            f'{{"cookie": {self.cookie}, "netns_cookie": {self.netns_cookie}, "role": "{self.role}", '
            f'"local": "{self.local}", "remote": "{self.remote}", "tcp_state": "{self.tcp_state}", '
            f'"cgroup": {quoted(self.cgroup_path)}, "cgroup_id": {self.cgroup}, "owners": {owners}, '
            f'"flags": {quoted(flag_names(self.flags))}, "rule": "{self.action}", "allowed": "{self.allowed}", '
            f'"class_state": {quoted(self.class_state)}, "class_reasons": {quoted(self.class_reasons)}, '
            f'"hazards": {quoted(self.hazards)}, "outcome": "{self.outcome}", "messages": {self.messages}, '
            f'"hopped_messages": {self.hopped_messages}, "hopped_bytes": {self.hopped_bytes}}}'
        )


@lru_cache(maxsize=65536)
def quoted(value: str | tuple[str, ...] | None) -> str:
    """Return the value in JSON."""
    return json.dumps(value)


def endpoint(address: str, port: int) -> str:
    """Return an address and a port as they are written together."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


@lru_cache(maxsize=65536)
def address_text(address: bytes) -> str:
    """Return 16 bytes as text; IPv4 that is mapped into IPv6 as IPv4."""
    if address.startswith(_MAPPED):
        return socket.inet_ntop(socket.AF_INET, address[12:])
    return socket.inet_ntop(socket.AF_INET6, address)


@lru_cache(maxsize=4096)
def command_text(command: bytes) -> str:
    """Return the name of a command as text that does nothing to a terminal: a process chooses its own name."""
    text = command.partition(b"\0")[0].decode(errors="replace")
    return "".join(letter if letter.isprintable() else "?" for letter in text)


@lru_cache(maxsize=4096)
def flag_names(flags: int) -> tuple[str, ...]:
    """Return the names of these bits."""
    return tuple(flag.name.lower() for flag in FlowFlag if flags >> flag & 1)


_HAS_CLASS = 1 << FlowFlag.HAS_CLASS
_ROLES = tuple(role.name.lower() for role in Role)
_OUTCOMES = tuple(outcome.name.lower() for outcome in Outcome)
_ACTIONS = tuple(action.name.lower() for action in Action)
_CLASS_STATES = tuple(state.name.lower() for state in ClassState)


# A record as a tuple, in the order of its fields: there may be very many, and a field of a ctypes structure takes
# longer to look at.
Record = tuple[Any, ...]
_NAMES = [name for name, *_ in abi.Flow._fields_]
COOKIE, NETNS_COOKIE, CGROUP, FLAGS = map(_NAMES.index, ("cookie", "netns_cookie", "cgroup", "flags"))


def records(written: bytes) -> Iterator[Record]:
    """Yield what the iterator ``flows`` has written."""
    return abi.tuples(abi.Flow, written)


def owner_records(written: bytes) -> Iterator[Record]:
    """Yield what the iterator ``owners`` has written."""
    return abi.tuples(abi.Owner, written)


def end(record: Record, instance: str, paths: dict[int, str], owners: dict[int, tuple[Owner, ...]] | None) -> End:
    """Return the end that a record tells of.

    :param paths: of cgroups, by id.
    :param owners: by socket cookie; None if they are not known.
    """
    (
        cookie,
        peer,
        netns_cookie,
        cgroup,
        messages,
        hopped_bytes,
        hopped_messages,
        outcome,
        flags,
        action,
        allowed,
        class_state,
        class_reasons,
        hazards,
        snd,
        rcv,
        _family,
        local_port,
        remote_port,
        tcp_state,
        role,
        local_address,
        remote_address,
    ) = record
    # A hazard that was seen at the very moment of a judgement has the last word.
    state = ClassState.STACK if class_reasons else class_state
    return End(
        cookie,
        peer,
        netns_cookie,
        _ROLES[role],
        TCP_STATES[tcp_state - 1],
        address_text(local_address),
        local_port,
        address_text(remote_address),
        remote_port,
        cgroup,
        paths.get(cgroup),
        None if owners is None else owners.get(cookie, ()),
        flags,
        _ACTIONS[action],
        _CLASS_STATES[allowed],
        _CLASS_STATES[state] if flags & _HAS_CLASS else None,
        reasons(class_reasons),
        reasons(hazards),
        _OUTCOMES[outcome],
        messages,
        hopped_messages,
        hopped_bytes,
        snd,
        rcv,
        instance,
    )
