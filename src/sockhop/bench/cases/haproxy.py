"""wrk to HAProxy to nginx, and the chain of two sidecars: wrk to nginx to HAProxy to nginx."""

import functools
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from sockhop.bench import sizes
from sockhop.bench.arms import Arm, Session
from sockhop.bench.cases import nginx, wrk
from sockhop.bench.comparison import Comparison, Ratio
from sockhop.bench.effort import Effort
from sockhop.bench.figures import NEVER_SLOWER, Wanted
from sockhop.bench.machine import LOCAL, Machine, Place
from sockhop.bench.processes import serving
from sockhop.bench.sample import Sample

SERVICE, SIDECAR, ENTRY = 5005, 5011, 5012
CPUS = "0"

CONFIGURATION = """
global
  nbthread 1
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  http-reuse always
listen front
  bind {host}:{port}
  server origin {host}:{back}
"""


@contextmanager
def running(machine: Machine, place: Place, port: int, back: int) -> Iterator[None]:
    """A HAProxy of one thread in front of what listens at ``back``. Raises Failed."""
    path = machine.scratch / f"haproxy-{port}.cfg"
    path.write_text(CONFIGURATION.format(host=LOCAL, port=port, back=back))
    with serving(place, machine.program("haproxy"), "-db", "-f", str(path), address=f"{LOCAL}:{port}"):
        yield


def requests(size: str, chain: bool, machine: Machine, effort: Effort, _arm: Arm, session: Session) -> Sample:
    """Requests a second for a body of ``size``, through one proxy or a chain of two."""
    place = Place(session.cgroup, machine.near, CPUS)
    with ExitStack() as stack:
        stack.enter_context(nginx.running(machine, place, nginx.ORIGIN, SERVICE))
        stack.enter_context(running(machine, place, SIDECAR, SERVICE))
        if chain:
            stack.enter_context(nginx.running(machine, place, nginx.PROXY, ENTRY, SIDECAR))
        return wrk.fetch(machine, effort, session, place, ENTRY if chain else SIDECAR, size, 3 if chain else 2)


def case(size: str, chain: bool, wanted: Wanted = NEVER_SLOWER, reference: str | None = None) -> Comparison:
    """One cell."""
    way = "chain of two sidecars" if chain else "HAProxy to nginx"
    return Comparison(
        name=f"{'chain' if chain else 'haproxy'}-{size}",
        title=f"{way}, {sizes.words(size)} file, one CPU",
        group="web servers and proxies",
        arms=("tcp", "hop"),
        sample=functools.partial(requests, size, chain),
        ratios=[
            Ratio("hop", "tcp", wanted),
            *([Ratio("hop", "tcp", of="p99.9")] if size != "10M" else []),
            Ratio("redirect", "tcp"),
        ],
        rounds=0.75,
        lasts=wrk.seconds,
        reference=reference,
    )


CASES = [
    case("1K", chain=False),
    case("100K", chain=False),
    case("10M", chain=False),
    case("1K", True, Wanted(1.7), "redirect"),
    case("100K", chain=True),
]
