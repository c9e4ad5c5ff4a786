"""The same over IPv6, veth, a bridge and NAT: what lies between two ends of one host costs a hop nothing."""

import dataclasses

from sockhop.bench import sizes
from sockhop.bench.arms import BULK
from sockhop.bench.cases import rr, stream
from sockhop.bench.comparison import Comparison, Ratio
from sockhop.bench.figures import NEVER_SLOWER, Wanted
from sockhop.bench.network import ROUTES, VETH, Route

SIZES = ("1K", "64K")
STREAM = "1M"


def asking(size: str, route: Route) -> Comparison:
    """Request/response over a route."""
    return Comparison(
        name=f"{route.name}-rr-{size}",
        title=f"{route.title}: request/response {sizes.words(size)}, one CPU",
        group="routes",
        rounds=0.75,
        arms=("tcp", "hop"),
        sample=dataclasses.replace(rr.sample(size), route=route),
        ratios=[
            Ratio("hop", "tcp", Wanted(rr.TARGETS[size])),
            Ratio("hop", "tcp", Wanted(1.0, at_least=False), of="p99.9"),
        ],
    )


def pouring(size: str, route: Route, delay: str = "nodelay") -> Comparison:
    """A stream over a route."""
    return Comparison(
        name=f"{route.name}-stream-{size}{'-nagle' if delay == 'nagle' else ''}",
        title=f"{route.title}: stream of {sizes.words(size)} writes, {delay}, two CPUs",
        group="routes",
        unit="B/s",
        rounds=0.75,
        arms=("tcp", "hop"),
        sample=dataclasses.replace(stream.sample(size, delay), route=route, least=BULK),
        ratios=[Ratio("hop", "tcp", NEVER_SLOWER)],
    )


CASES = [
    *(case for route in ROUTES for case in (*(asking(size, route) for size in SIZES), pouring(STREAM, route))),
    pouring("4K", VETH, "nagle"),  # which fills segments there
]
