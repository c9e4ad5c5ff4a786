"""The settings of an instance, with their units, limits and defaults."""

import dataclasses
from dataclasses import dataclass

from sockhop.errors import SockhopError

MODES = ("auto", "eager")
MIN_CAPACITY, MAX_CAPACITY = 2, 1 << 22
MAX_RECHECK_SECONDS = 86400
_MAX_LIMIT = (1 << 31) - 1  # the kernel's own limits are of type int


@dataclass(frozen=True)
class Limits:
    """What a setting may be: from ``least``, or from above it, to ``most`` of its ``unit``."""

    least: int
    most: int
    unit: str
    above: bool = False

    def hold(self, value: float) -> bool:
        """Whether the value is within the limits; one that is no number is not."""
        return (self.least < value if self.above else self.least <= value) and value <= self.most

    def __str__(self) -> str:
        within = f"more than {self.least}, at most {self.most}" if self.above else f"{self.least} to {self.most}"
        return f"{within} {self.unit}"


_SECONDS = Limits(0, MAX_RECHECK_SECONDS, "seconds", above=True)
LIMITS = {
    "capacity": Limits(MIN_CAPACITY, MAX_CAPACITY, "sockets"),
    "recheck_seconds": _SECONDS,
    "receive_buffer": Limits(0, _MAX_LIMIT, "bytes"),
    "queue_messages": Limits(0, _MAX_LIMIT, "messages"),
    "burst_messages": Limits(0, _MAX_LIMIT, "messages"),
    "burst_bytes": Limits(0, _MAX_LIMIT, "bytes"),
    "small_bytes": Limits(1, _MAX_LIMIT, "bytes"),
    "learn_connections": Limits(1, _MAX_LIMIT, "connections"),
    "learn_reads": Limits(1, _MAX_LIMIT, "reads"),
    "least_messages": Limits(0, _MAX_LIMIT, "messages"),
    "review_seconds": _SECONDS,
}


@dataclass(frozen=True)
class Settings:
    """How an instance behaves. Raises :class:`~sockhop.errors.SockhopError` for values out of range.

    :param capacity: sockets that may be tracked at once; a connection has two.
    :param recheck_seconds: each direction shows a message to the stack, and so to firewalls, this often.
    :param receive_buffer: ``SO_RCVBUF`` in bytes of a socket for which nobody has set one; hops may fill it twice.
    :param queue_messages: unread messages that hops may leave on a socket; each costs the kernel about 1 KB.
    :param burst_messages: sends in a row without an answer that make a burst, on sockets with Nagle on.
    :param burst_bytes: only writes smaller than this make a burst, and than a segment.
    :param small_bytes: a stream of writes of this size and more, which make no burst, waits for a reader that has
        fallen behind.
    :param mode: ``auto``: a service hops when it was learned that it can, and gains; ``eager``: all hop at once.
    :param learn_connections: a class is judged by so many connections that were read to their end and closed,
    :param learn_reads: or by so many reads, whichever comes first; where reads may block, a connection with such
        reads must have closed.
    :param least_messages: connections that carry fewer messages, both ways together, are not worth taking in.
    :param review_seconds: a class that would lose by hops is looked at again this often.
    """

    capacity: int = 65536
    recheck_seconds: float = 30.0
    receive_buffer: int = 3 << 20
    queue_messages: int = 512
    burst_messages: int = 64
    burst_bytes: int = 65536
    small_bytes: int = 8192
    mode: str = "auto"
    learn_connections: int = 3
    learn_reads: int = 64
    least_messages: int = 8
    review_seconds: float = 60.0

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            problem = fault(field.name, value)
            if problem:
                raise SockhopError(f"{field.name} {value}: {problem}")


def fault(name: str, value: str | float) -> str:
    """Return what would be right, if the value of this setting is not: ``give 2 to 4194304 sockets``."""
    if name == "mode":
        return "" if value in MODES else f"give {' or '.join(MODES)}"
    assert not isinstance(value, str)
    return "" if LIMITS[name].hold(value) else f"give {LIMITS[name]}"
