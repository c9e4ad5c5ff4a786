"""wrk: requests a second over connections that are kept, and how long they take."""

import json
from collections.abc import Mapping
from typing import Any

from sockhop.bench.arms import BULK, MOST, Sent, Session
from sockhop.bench.compiling import SOURCES
from sockhop.bench.effort import Effort
from sockhop.bench.histogram import Histogram
from sockhop.bench.machine import LOCAL, Failed, Machine, Place
from sockhop.bench.processes import ask
from sockhop.bench.sample import Sample

#: Bodies by their size, and how many connections ask for them.
BODIES = {"1K": 32, "100K": 32, "10M": 8}


def seconds(effort: Effort) -> float:
    """Of a sample: servers start, and wrk looks at the time ten times a second."""
    return effort.program_ms / 1000 + 0.2


def fetch(
    machine: Machine, effort: Effort, session: Session, place: Place, port: int, size: str, legs: int
) -> Sample:
    """Ask for the body of ``size``; it crosses ``legs`` connections. Raises Failed."""
    connections = str(BODIES[size])
    script = str(SOURCES / "latency.lua")
    url = f"http://{LOCAL}:{port}/{size}"
    # wrk knows whole seconds only, but what has interrupted it gets the results all the same.
    early = ("timeout", "--signal=INT", "--preserve-status", str(effort.program_ms / 1000))
    answer = ask(place, *early, machine.program("wrk"), "-t1", "-c", connections, "-d60", "-s", script, url)
    told = json.loads(answer.text.splitlines()[-1])
    if told["errors"] or not told["requests"]:
        raise Failed(f"wrk: {told['errors']} of {told['requests']} requests failed")
    messages = 2.0 * legs * told["requests"]
    # Large bodies fill queues, and what does not fit takes the stack.
    session.prove(Sent(messages, least=BULK if size == "10M" else MOST))
    latency = histogram(told)
    return Sample(
        told["requests"] / told["us"] * 1e6,
        answer.usage,
        messages,
        legs * told["bytes"],
        latency.points(),
        histogram=latency,
    )


def histogram(told: Mapping[str, Any]) -> Histogram:
    """From what ``latency.lua`` printed."""
    slowest, others = told["slowest"], told["others"]
    each, more = divmod(max(0, told["requests"] - sum(count for _, count in slowest)), len(others))
    rest = ((us, each + (number < more)) for number, us in enumerate(others))
    return Histogram.of((us * 1000, count) for us, count in (*slowest, *rest) if count)
