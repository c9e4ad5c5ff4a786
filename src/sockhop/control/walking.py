"""Walking over the sockets of every network namespace."""

import time
from contextlib import suppress

from sockhop.control.pins import Pins
from sockhop.kernel import maps, namespaces
from sockhop.kernel.abi import Gauge

REST = 10  # times as long as a walk takes, so that it costs a CPU a tenth at most, however many namespaces


def everywhere(pins: Pins, iterator: str) -> list[bytes]:
    """Run an iterator over the sockets of every network namespace; return what it wrote in each."""
    with pins.get(iterator) as link:
        return in_each(link)


def in_each(link: int) -> list[bytes]:
    """Run an iterator, given by its link, in every network namespace; return what it wrote in each."""
    written = [maps.run_iterator(link)]
    for namespace in namespaces.network_namespaces()[1:]:
        # It has gone meanwhile, or entering it takes a CAP_SYS_ADMIN that we lack (setns(2)).
        with suppress(OSError):
            written.append(namespaces.inside(namespace, lambda: maps.run_iterator(link)))
    return written


def adopt(pins: Pins) -> int:
    """See :meth:`sockhop.control.instance.Instance.walk`."""
    before = gauge(pins).adopted
    # The second search finds the marks of the first, wherever the ends are.
    for names in (("drain", "discover"), ("discover", "adopt")):
        for name in names:
            everywhere(pins, name)
    for name in ("candidates", "matches"):
        with pins.get(name) as fd:
            maps.empty(fd)
    return int(gauge(pins).adopted - before)


def pause_since(begun: float, interval: float) -> float:
    """Return how long to wait, after a walk that began then, for the next of one each ``interval`` seconds."""
    return max(interval, REST * (time.monotonic() - begun))


def gauge(pins: Pins) -> Gauge:
    """Return what goes up and down."""
    with pins.get("gauge") as fd:
        return maps.read_element(fd, Gauge)


def left(pins: Pins) -> int:
    """Return how many sockets are in the map, closed ones with unread bytes among them; takes a while."""
    with pins.get("sockets") as fd:
        return maps.count_keys(fd)


def drain(pins: Pins, seconds: float) -> int:
    """Take sockets out until none is left or the time is over; return how many are left."""
    deadline = time.monotonic() + seconds
    pause = 0.001
    while True:
        everywhere(pins, "drain")
        count = left(pins)
        if not count or time.monotonic() >= deadline:
            return count
        time.sleep(min(pause, max(0.0, deadline - time.monotonic())))
        pause = min(pause * 2, 0.1)
