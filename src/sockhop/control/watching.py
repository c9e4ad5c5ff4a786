"""Whether reads are watched: what it takes to learn, and each read of the host pays for it.

``up`` starts it. Who looks after an instance from time to time, as agent and ``run`` do, stops it while nothing
learns and all that hops is guarded without, and starts it when there is something to learn.
"""

from typing import Protocol

from sockhop.control.classes import Class
from sockhop.control.pins import Pins
from sockhop.kernel import libbpf
from sockhop.kernel.abi import Gauge

LINK, PROGRAM = "received", "received-program"
#: So many looks in a row must find nothing to learn before watching stops: new services often come together.
QUIET_LOOKS = 4
#: What is looked at for the first time, and quiet: one look to know it, and one to stop after no more is observed.
LOOKS_TO_STOP = 1 + QUIET_LOOKS + 1


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

    def watch(self) -> None:
        """Watch reads."""

    def say_unwatched(self) -> None:
        """Let no more connections be learned from."""

    def watch_no_more(self) -> None:
        """Watch reads no more."""


def tracepoint(program: int) -> int:
    """Return a link of a program that watches applications. Raises :class:`OSError`."""
    return libbpf.link_create(program, 0, libbpf.BPF_TRACE_RAW_TP, None)


def attach(pins: Pins) -> None:
    """Attach what watches reads, unless it is attached already."""
    if not (pins.directory / LINK).exists():
        with pins.get(PROGRAM) as program:
            pins.pin_link(tracepoint(program), LINK)


def detach(pins: Pins) -> None:
    """Detach it."""
    (pins.directory / LINK).unlink(missing_ok=True)


class Watch:
    """Looks after one instance."""

    def __init__(self) -> None:
        self._unwatched = -1
        self._quiet = 0

    def look(self, instance: Watched) -> None:
        """Start or stop to watch, as it is needed now. Raises :class:`OSError`."""
        if not instance.can_watch():
            return
        if self._is_needed(instance):
            self._quiet = 0
            instance.watch()
            return
        # First no connection more is observed, and if at the next look none is, none will be: see observe().
        self._quiet += 1
        if self._quiet >= QUIET_LOOKS and instance.is_watching():
            instance.say_unwatched()
        elif not instance.is_watching():
            instance.watch_no_more()

    def _is_needed(self, instance: Watched) -> bool:
        gauge = instance.gauge()
        known, self._unwatched = self._unwatched, gauge.unwatched
        return (
            bool(gauge.observed)
            or gauge.unwatched != known
            or any(each.state == "hopping" and each.watched for each in instance.classes())
        )
