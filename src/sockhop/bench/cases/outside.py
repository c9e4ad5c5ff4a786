"""What sockhop costs those whom it does not serve: a client in scope, its server out of scope and elsewhere.

For the data plane that is what a connection to another host is, too. ``again`` is ``down`` once more: how far
its ratio lies from 1 is the noise of this run.
"""

import functools

from sockhop.bench.arms import Arm, Hop, HopSession, Plain, Session
from sockhop.bench.comparison import Comparison, Effort
from sockhop.bench.machine import FAR, Machine, Place
from sockhop.bench.processes import ask_numbers, serving

PORT = 5006


def make(machine: Machine, name: str) -> Arm:
    """``up`` watches the client's cgroup; any other arm is a cgroup with nothing attached."""
    return Hop(machine) if name == "up" else Plain(machine, name)


def places(machine: Machine, session: Session) -> tuple[Place, Place]:
    """The client's and the server's."""
    return Place(session.cgroup, machine.near, "0"), Place(machine.child("elsewhere"), machine.far, "0")


def round_trips(size: str, machine: Machine, effort: Effort, _arm: Arm, session: Session) -> float:
    """Round trips a second over veth."""
    near, far = places(machine, session)
    program, address = machine.program("rr"), f"{FAR}:{PORT}"
    times = (str(effort.warm_ms), str(effort.run_ms))
    with serving(far, program, "serve", address, size):
        numbers = ask_numbers(near, program, "ask", address, size, *times)
    prove(session)
    return numbers["trips"] / numbers["seconds"]


def connections(machine: Machine, effort: Effort, _arm: Arm, session: Session) -> float:
    """Connections a second, opened and closed with nothing sent."""
    near, far = places(machine, session)
    program, address = machine.program("connect"), f"{FAR}:{PORT}"
    times = (str(effort.warm_ms), str(effort.run_ms))
    with serving(far, program, "serve", address):
        numbers = ask_numbers(near, program, "ask", address, "0", *times)
    prove(session)
    return numbers["connections"] / numbers["seconds"]


def prove(session: Session) -> None:
    """Raises Failed if sockhop was up and touched any of it."""
    if isinstance(session, HopSession):
        session.prove_untouched()


_common = functools.partial(
    Comparison,
    unit="/s",
    arms=("down", "up", "again"),
    ratios=[("up", "down", 0.98), ("again", "down", None)],
    make=make,
    rounds=1.7,
)

CASES = [
    _common(
        name="outside-rr-1",
        title="out of scope: request/response 1 B",
        sample=functools.partial(round_trips, "1"),
    ),
    _common(
        name="outside-rr-16384",
        title="out of scope: request/response 16 KB",
        sample=functools.partial(round_trips, "16384"),
    ),
    _common(name="outside-connect", title="out of scope: connect and close", sample=connections),
]
