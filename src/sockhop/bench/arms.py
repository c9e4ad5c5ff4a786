"""What is compared: the same programs over plain TCP, hops, the plain redirect reference, and a Unix socket.

An arm's ``up()`` surrounds each single sample, so nothing of one arm is loaded while another is measured.
"""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from sockhop.bench import redirect
from sockhop.bench.machine import LOCAL, Failed, Machine
from sockhop.control.accelerator import Accelerator
from sockhop.control.watching import LOOKS_TO_STOP
from sockhop.errors import SockhopError

#: The arms of auto mode, and those for which sockhop is loaded.
LEARNING = frozenset({"auto", "kept"})
LOADING = LEARNING | {"hop", "up"}


@dataclass(frozen=True)
class Least:
    """How much of a sample must have gone the arm's own way."""

    part: float
    of_bytes: bool = False
    """Else of messages."""


MOST = Least(0.9)
#: Of bulk, what finds the queue full goes through the stack. The part that hopped is in the report.
BULK = Least(0.1, of_bytes=True)
#: Of what has no messages, or is TCP's to join.
NOTHING = Least(0.0)
#: Segments that it takes to open and to close a connection, and one more each.
ENDS = 10
#: By how much of the client's bytes sockhop's counters and TCP's own may differ.
DIFFER = 0.1


@dataclass(frozen=True)
class Sent:
    """What the client of a sample knows about its messages."""

    messages: float
    """At least so many were sent, both directions together."""
    least: Least = MOST
    """What must have hopped."""
    bytes: float = 0
    """What the client alone has sent, where it counts."""
    tcp_share: float | None = None
    """The part of these bytes that TCP itself saw (TCP_INFO), where it was asked."""
    alone: bool = True
    """Whether nobody else sends in the arm's cgroup, so that sockhop's counters are of these messages."""

    @classmethod
    def by(cls, numbers: Mapping[str, Any], least: Least = MOST, alone: bool = True) -> "Sent":
        """From what a C client printed."""
        sent, seen = numbers.get("bytes_sent", 0), numbers.get("tcp_bytes_sent", -1)
        return cls(numbers["messages"], least, sent, seen / sent if seen >= 0 else None, alone)


class Session(Protocol):
    """An arm that is up."""

    @property
    def cgroup(self) -> Path:
        """Where its programs run."""

    def prove(self, sent: Sent) -> None:
        """Raises Failed unless the sample went this arm's way."""

    def hopped(self) -> float | None:
        """The part of the messages that hopped, where it is counted."""

    def has_learned(self) -> bool:
        """Whether it has made up its mind."""

    def begin(self) -> None:
        """The lessons are over: what is measured comes now."""


class Arm(Protocol):
    """A way for bytes between two processes."""

    @property
    def name(self) -> str:
        """As the report prints it."""

    @property
    def learns(self) -> bool:
        """Whether runs that are not measured have to teach it."""

    def address(self, port: int, host: str = LOCAL) -> str:
        """Where servers listen, or are asked, as the C programs read it; ``host`` as in a URL."""

    def up(self) -> contextlib.AbstractContextManager[Session]:
        """Set it up for one sample. Raises Failed."""


@dataclass(frozen=True)
class PlainSession:
    """Nothing is loaded."""

    cgroup: Path

    def prove(self, sent: Sent) -> None:
        """Every byte was TCP's, or TCP had no part in it."""
        if sent.tcp_share is not None and sent.tcp_share < 1:
            raise Failed(f"TCP carried only {sent.tcp_share:.1%}: something else accelerates this machine")

    def hopped(self) -> float | None:
        """Nobody counts."""
        return None

    def has_learned(self) -> bool:
        """It has nothing to learn."""
        return True

    def begin(self) -> None:
        """Nothing."""


class Lesson(PlainSession):
    """A run from which nothing is asked."""

    def prove(self, sent: Sent) -> None:
        """Nothing."""


@dataclass(frozen=True)
class Plain:
    """Sockets as the kernel has them: ``unix``, or TCP under any other name."""

    machine: Machine
    name: str
    learns: bool = False

    def address(self, port: int, host: str = LOCAL) -> str:
        """A port of the host, or a path."""
        return f"unix:{self.machine.scratch}/{port}.sock" if self.name == "unix" else f"{host}:{port}"

    @contextlib.contextmanager
    def up(self) -> Iterator[Session]:
        """A cgroup with nothing attached."""
        for left in self.machine.scratch.glob("*.sock"):
            left.unlink()
        yield PlainSession(self.machine.child(self.name))


@dataclass(frozen=True)
class Carried:
    """What went one way, by sockhop's counters: both directions of all connections."""

    messages: int = 0
    bytes: int = 0

    def since(self, before: "Carried") -> "Carried":
        """What has come on top."""
        return Carried(self.messages - before.messages, self.bytes - before.bytes)


def prove_hops(sent: Sent, hop: Carried, stack: Carried) -> None:
    """Raises Failed unless so much hopped as must have, by sockhop's counters and by TCP's own."""
    least = sent.least
    if least.of_bytes:
        hopped, all_told, what = hop.bytes, hop.bytes + stack.bytes, "bytes"
    else:
        hopped, all_told, what = hop.messages, hop.messages + stack.messages, "messages"
        if hopped < sent.messages * least.part:
            raise Failed(f"{hopped} of {sent.messages:.0f} messages hopped")
    if sent.alone and hopped < all_told * least.part:
        raise Failed(f"{hopped} of {all_told} {what} hopped")
    if sent.tcp_share is None:
        return
    if sent.tcp_share > 1 - least.part:
        raise Failed(f"sockhop counted {hop.messages} hops, but TCP carried {sent.tcp_share:.1%}")
    if sent.alone:
        by_tcp, slack = sent.tcp_share * sent.bytes, DIFFER * sent.bytes
        # What the client sent is a part of what is counted.
        if hop.bytes < sent.bytes - by_tcp - slack or stack.bytes < by_tcp - slack:
            raise Failed(
                f"sockhop counted {hop.bytes} bytes that hopped and {stack.bytes} that did not, but of the "
                f"client's {sent.bytes:.0f} TCP carried {by_tcp:.0f}"
            )


@dataclass
class HopSession:
    """An accelerator is up."""

    cgroup: Path
    hops: Accelerator
    _before: tuple[Carried, Carried] = (Carried(), Carried())

    def _sent(self) -> tuple[Carried, Carried]:
        """What hopped and what the stack carried, lessons included."""
        status = self.hops.status()
        hop, stack = status.hop, status.stack
        return Carried(hop.messages, hop.bytes), Carried(stack.messages, stack.bytes)

    def _measured(self) -> tuple[Carried, Carried]:
        """The same without the lessons."""
        hop, stack = (now.since(before) for now, before in zip(self._sent(), self._before, strict=True))
        return hop, stack

    def prove(self, sent: Sent) -> None:
        """By sockhop's counters and by TCP's own."""
        if not sent.least.part:
            return
        hop, stack = self._measured()
        try:
            prove_hops(sent, hop, stack)
        except Failed as error:
            reasons = {reason: count for reason, count in self.hops.status().stack.reasons.items() if count}
            raise Failed(f"{error}; to the stack: {reasons}") from error

    def hopped(self) -> float | None:
        """By sockhop's counters."""
        hop, stack = self._measured()
        return hop.messages / (hop.messages + stack.messages) if hop.messages + stack.messages else 0.0

    def has_learned(self) -> bool:
        """Whether no service learns any more: that one end is kept on the stack decides for both."""
        states: dict[tuple[int, int], set[str]] = {}
        for each in self.hops.classes():
            states.setdefault((each.cgroup, each.port), set()).add(each.state)
        return bool(states) and all("stack" in ends or "learning" not in ends for ends in states.values())

    def begin(self) -> None:
        """After what an agent does: where nothing learns any more, reads are no longer watched."""
        for _ in range(LOOKS_TO_STOP):
            self.hops.walk()
        self._before = self._sent()


class AnySession(HopSession):
    """Whatever sockhop decides."""

    def prove(self, sent: Sent) -> None:
        """Nothing: :meth:`hopped` tells."""


class UntouchedSession(HopSession):
    """Sockhop must have left everything alone."""

    def prove(self, sent: Sent) -> None:  # noqa: ARG002
        """Raises Failed if it did anything with any socket."""
        status = self.hops.status()
        if status.hop.messages or status.stack.messages or status.sockets.tracked:
            raise Failed(f"sockets that should have stayed on the stack were touched: {status}")


@dataclass(frozen=True)
class Hop:
    """Plain TCP in a cgroup that sockhop watches."""

    machine: Machine
    name: str = "hop"
    session: type[HopSession] = HopSession
    learns: bool = False
    """In auto mode, the default of sockhop; eager mode shows what hops are worth from the first message on."""

    def address(self, port: int, host: str = LOCAL) -> str:
        """A port of the host."""
        return f"{host}:{port}"

    @contextlib.contextmanager
    def up(self) -> Iterator[HopSession]:
        """An accelerator for one sample."""
        cgroup = self.machine.child("hop")
        try:
            mode = "auto" if self.learns else "eager"
            # Not tried anew for each sample: see running.measure().
            with Accelerator(cgroup=cgroup, mode=mode, accept_data_loss=True) as hops:
                yield self.session(cgroup, hops)
        except SockhopError as error:
            raise Failed(f"sockhop: {error}") from error


@dataclass(frozen=True)
class RedirectSession(PlainSession):
    """The reference programs are attached."""

    machine: Machine
    before: int
    """Segments that TCP had sent before."""

    def prove(self, sent: Sent) -> None:
        """It keeps no counters, so TCP's own must show that it was passed by."""
        segments = self.machine.segments_sent() - self.before
        if segments > sent.messages * (1 - MOST.part) + ENDS:
            raise Failed(f"TCP sent {segments} segments for {sent.messages:.0f} messages: not all were redirected")


@dataclass(frozen=True)
class Redirect:
    """Plain TCP in a cgroup with the reference programs."""

    machine: Machine
    name: str = "redirect"
    learns: bool = False
    one_queue: bool = False

    def address(self, port: int, host: str = LOCAL) -> str:
        """A port of the host."""
        return f"{host}:{port}"

    @contextlib.contextmanager
    def up(self) -> Iterator[Session]:
        """The reference for one sample."""
        cgroup = self.machine.child("redirect")
        with redirect.attached(self.machine.scratch, cgroup, one_queue=self.one_queue):
            yield RedirectSession(cgroup, self.machine, self.machine.segments_sent())


def arm(machine: Machine, name: str) -> Arm:
    """The arm called ``hop``, ``auto``, ``redirect``, ``ordered`` or ``unix``; any other name is plain TCP."""
    if name == "hop":
        return Hop(machine)
    if name == "auto":
        return Hop(machine, name, AnySession, learns=True)
    if name == "redirect":
        return Redirect(machine)
    if name == "ordered":
        return Redirect(machine, name, one_queue=True)
    return Plain(machine, name)
