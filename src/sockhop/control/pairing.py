"""Which two sockets are one connection."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from sockhop.control.ends import End
from sockhop.kernel.abi import FlowFlag

# How far one end's sequence numbers may be from what the other has received. More than any buffer: one end is
# looked at later than the other, and a stream may go on meanwhile.
_APART = 1 << 27
_NUMBERS = 1 << 32


@dataclass(frozen=True, slots=True)
class Flow:
    """A connection, of which this host has one end or both. What is the client's end is guessed for some."""

    client: End | None
    server: End | None

    @property
    def ends(self) -> tuple[End, ...]:
        """The ends that are on this host, the client's first."""
        if self.client and self.server:
            return self.client, self.server
        return tuple(end for end in (self.client, self.server) if end)


def paired(made: Iterable[End]) -> Iterator[Flow]:
    """Put ends together: by the cookies that ours know, by mirrored addresses, by mirrored sequence numbers.

    Addresses alone do not tell: the same are used in several network namespaces, so that the sequence numbers have
    to fit too. Where addresses are translated on the way, only those of a connection at rest tell.
    """
    alone = {end.cookie: end for end in made}
    for end in list(alone.values()):
        other = alone.get(end.peer)
        if other and end.cookie in alone and not end.has(FlowFlag.PEER_GONE):
            yield _joined(alone, end, other)
    yield from _matched(alone, _addresses, _apart)
    yield from _matched(alone, _numbers, _apart_at_rest)
    for end in alone.values():
        yield Flow(end, None) if end.role == "client" else Flow(None, end)


_Key = Callable[[End], tuple[Any, Any]]


def _matched(alone: dict[int, End], key: _Key, apart: Callable[[End, End], int]) -> Iterator[Flow]:
    """Put ends together of which one's second key is the other's first, and that are not too far apart."""
    index: dict[Any, list[End]] = {}
    for end in alone.values():
        index.setdefault(key(end)[0], []).append(end)
    for end in list(alone.values()):
        if end.cookie not in alone:
            continue
        others = [alone[other.cookie] for other in index.get(key(end)[1], ()) if other.cookie in alone]
        candidates = [
            (other.netns_cookie != end.netns_cookie, distance, other.cookie)
            for other in others
            if other is not end and (distance := apart(end, other)) < _APART
        ]
        if candidates:
            yield _joined(alone, end, alone[min(candidates)[2]])


def _addresses(end: End) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    local, remote = (end.local_address, end.local_port), (end.remote_address, end.remote_port)
    return (*local, *remote), (*remote, *local)


def _numbers(end: End) -> tuple[tuple[int, int], tuple[int, int]]:
    return (end.snd, end.rcv), (end.rcv, end.snd)


def _apart(one: End, other: End) -> int:
    """How many bytes the two ends disagree about, one way."""
    return max(
        min((sender.snd - receiver.rcv) % _NUMBERS, (receiver.rcv - sender.snd) % _NUMBERS)
        for sender, receiver in ((one, other), (other, one))
    )


def _apart_at_rest(one: End, other: End) -> int:
    return _apart(one, other) if one.tcp_state == other.tcp_state == "established" else _APART


def _joined(alone: dict[int, End], one: End, other: End) -> Flow:
    """Take two ends out of those that are alone."""
    del alone[one.cookie], alone[other.cookie]
    if one.role != other.role:
        return Flow(one, other) if one.role == "client" else Flow(other, one)
    # Of two that look alike, the client has the port that was chosen for it.
    server, client = sorted((one, other), key=lambda end: end.local_port)
    return Flow(replace(client, role="client"), replace(server, role="server"))
