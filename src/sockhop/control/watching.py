"""Which tracepoints at reads are attached: one to learn, one to guard what hops. Each read of the host pays.

``up`` attaches both. Who looks after an instance from time to time, as agent and ``run`` do, detaches the first
while nothing learns and all that hops is guarded without, the second too while nothing may hop, and attaches them
again when they are needed.
"""

from typing import Protocol

from sockhop.control.classes import Class
from sockhop.control.pins import Pins
from sockhop.kernel import libbpf
from sockhop.kernel.abi import Action, Gauge, Rule

#: The links by their pins: ``sockhop_received`` and ``sockhop_taken``.
READS, GUARD = "received", "taken"
#: So many looks in a row must find nothing to learn before watching stops: new services often come together.
QUIET_LOOKS = 4
#: What is looked at for the first time, and quiet: one look to know it, one to stop after no more is observed, one
#: after no more goes in.
LOOKS_TO_STOP = 1 + QUIET_LOOKS + 2


class Watched(Protocol):
    """What is looked after: see :class:`~sockhop.control.instance.Instance`."""

    def can_watch(self) -> bool:
        """Whether reads can be watched."""

    def is_watching(self) -> bool:
        """Whether connections are learned from."""

    def gauge(self) -> Gauge:
        """Return what goes up and down."""

    def classes(self) -> list[Class]:
        """Return what was learned about each service."""

    def rules(self) -> list[Rule]:
        """Return the rules that are in force."""

    def is_guarding(self) -> bool:
        """Whether sockets may go into the map."""

    def watch(self) -> None:
        """Watch reads, and guard."""

    def guard(self) -> None:
        """Guard what hops."""

    def say_unwatched(self) -> None:
        """Let no more connections be learned from."""

    def say_unguarded(self) -> None:
        """Let no more sockets in."""

    def watch_no_more(self) -> None:
        """Watch reads no more."""

    def guard_no_more(self) -> None:
        """Guard no more."""


def program(link: str) -> str:
    """Return the name of the pin of the program that a link is made of."""
    return f"{link}-program"


def can(pins: Pins) -> bool:
    """Whether both can be attached whenever they are needed."""
    return all((pins.directory / program(link)).exists() for link in (READS, GUARD))


def tracepoint(descriptor: int) -> int:
    """Return a link of a program that watches applications. Raises :class:`OSError`."""
    return libbpf.link_create(descriptor, 0, libbpf.BPF_TRACE_RAW_TP, None)


def attach(pins: Pins, link: str) -> None:
    """Attach what watches applications there, unless it is attached already."""
    if not (pins.directory / link).exists():
        with pins.get(program(link)) as descriptor:
            pins.pin_link(tracepoint(descriptor), link)


def detach(pins: Pins, link: str) -> None:
    """Detach it."""
    (pins.directory / link).unlink(missing_ok=True)


class Watch:
    """Looks after one instance."""

    def __init__(self) -> None:
        self._missed = -1
        self._quiet = 0

    def look(self, instance: Watched) -> None:
        """Attach and detach what is needed now. Raises :class:`OSError`."""
        if not instance.can_watch():
            return
        gauge = instance.gauge()
        hopping = [each for each in instance.classes() if each.state == "hopping"]
        if self._has_to_learn(gauge, hopping):
            self._quiet = 0
            instance.watch()
            return
        # First no connection more is observed, and if at the next look none is, none will be: see observe().
        self._quiet += 1
        if instance.is_watching():
            if self._quiet >= QUIET_LOOKS:
                instance.say_unwatched()
            return
        instance.watch_no_more()
        if gauge.tracked or hopping or any(rule.action == Action.ALWAYS for rule in instance.rules()):
            instance.guard()
        elif instance.is_guarding():
            instance.say_unguarded()
        else:
            instance.guard_no_more()

    def _has_to_learn(self, gauge: Gauge, hopping: list[Class]) -> bool:
        known, self._missed = self._missed, gauge.missed
        return bool(gauge.observed) or gauge.missed != known or any(each.watched for each in hopping)
