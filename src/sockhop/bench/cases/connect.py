"""Connections of one request each, in scope: what putting a pair of sockets into the map costs."""

from sockhop.bench.arms import Arm, Sent, Session
from sockhop.bench.comparison import Comparison, Effort
from sockhop.bench.machine import Machine, Place
from sockhop.bench.processes import ask_numbers, serving

PORT = 5007


def connections_a_second(machine: Machine, effort: Effort, arm: Arm, session: Session) -> float:
    """Connect, one byte there, one back, close."""
    place = Place(session.cgroup, machine.near, "0")
    program, address = machine.program("connect"), arm.address(PORT)
    times = (str(effort.warm_ms), str(effort.run_ms))
    with serving(place, program, "serve", address):
        numbers = ask_numbers(place, program, "ask", address, "1", *times)
        session.prove(Sent(numbers["messages"]))
    return numbers["connections"] / numbers["seconds"]


CASES = [
    Comparison(
        name="connect",
        title="connect, 1 B there and back, close",
        unit="/s",
        arms=("tcp", "hop"),
        sample=connections_a_second,
        ratios=[("hop", "tcp", None)],
    )
]
