"""The settings of an instance, with their units and defaults."""

from dataclasses import dataclass

from sockhop.errors import SockhopError

MODES = ("auto", "eager")
MIN_CAPACITY, MAX_CAPACITY = 2, 1 << 22
MAX_RECHECK_SECONDS = MAX_REVIEW_SECONDS = 86400
_MAX_LIMIT = (1 << 31) - 1  # the kernel's own limits are of type int


@dataclass(frozen=True)
class Settings:
    """How an instance behaves. Raises :class:`~sockhop.errors.SockhopError` for values out of range.

    :param mode: ``auto`` learns what each service does before its sockets hop; ``eager`` hops at once.
    :param capacity: sockets that may be tracked at once; a connection has two.
    :param recheck_seconds: each direction shows a message to the stack, and so to firewalls, this often.
    :param receive_buffer: bytes that a socket may hold unread, if nobody has set its ``SO_RCVBUF``.
    :param queue_messages: unread messages that hops may leave on a socket; each costs the kernel about 1 KB.
    :param burst_messages: sends in a row without an answer that make a burst, on sockets with Nagle on.
    :param burst_bytes: only writes smaller than this make a burst.
    :param learn_connections: a class is judged when so many of its connections have closed,
    :param learn_reads: or when it has made so many reads.
    :param least_messages: a connection of fewer, both ways together, is not worth taking in.
    :param review_seconds: a class that would only lose is looked at again this often.
    """

    mode: str = "auto"
    capacity: int = 65536
    recheck_seconds: float = 30.0
    receive_buffer: int = 4 << 20
    queue_messages: int = 512
    burst_messages: int = 16
    burst_bytes: int = 32768
    learn_connections: int = 3
    learn_reads: int = 64
    least_messages: int = 8
    review_seconds: float = 60.0

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise SockhopError(f"mode {self.mode!r}: give one of {', '.join(MODES)}")
        if not MIN_CAPACITY <= self.capacity <= MAX_CAPACITY:
            raise SockhopError(f"capacity {self.capacity}: give {MIN_CAPACITY} to {MAX_CAPACITY} sockets")
        if not 0 < self.recheck_seconds <= MAX_RECHECK_SECONDS:
            raise SockhopError(
                f"recheck interval {self.recheck_seconds}: give more than 0, at most {MAX_RECHECK_SECONDS} seconds"
            )
        for name in (
            "receive_buffer",
            "queue_messages",
            "burst_messages",
            "burst_bytes",
            "learn_connections",
            "learn_reads",
            "least_messages",
        ):
            if not 0 <= getattr(self, name) <= _MAX_LIMIT:
                raise SockhopError(f"{name} {getattr(self, name)}: give 0 to {_MAX_LIMIT}")
        if not 0 < self.review_seconds <= MAX_REVIEW_SECONDS:
            raise SockhopError(
                f"review interval {self.review_seconds}: give more than 0, at most {MAX_REVIEW_SECONDS} seconds"
            )
