"""Request/response, both ends on one CPU.

Waking a second CPU takes so long in a virtual machine that it would hide everything else.
"""

import functools

from sockhop.bench.arms import Arm, Sent, Session
from sockhop.bench.comparison import Comparison, Effort
from sockhop.bench.machine import Machine, Place
from sockhop.bench.processes import ask_numbers, serving

PORT = 5001
SIZES = {"1": "1 B", "64": "64 B", "1024": "1 KB", "4096": "4 KB", "16384": "16 KB"}


def round_trips(size: str, machine: Machine, effort: Effort, arm: Arm, session: Session) -> float:
    """Round trips a second of messages of ``size`` bytes."""
    place = Place(session.cgroup, machine.near, "0")
    program, address = machine.program("rr"), arm.address(PORT)
    with serving(place, program, "serve", address, size):
        numbers = ask_numbers(place, program, "ask", address, size, str(effort.warm_ms), str(effort.run_ms))
        session.prove(Sent.by(numbers))
    return numbers["trips"] / numbers["seconds"]


CASES = [
    Comparison(
        name=f"rr-{size}",
        title=f"request/response {label}",
        unit="/s",
        arms=("tcp", "hop", "redirect", "unix"),
        sample=functools.partial(round_trips, size),
        ratios=[
            ("hop", "tcp", 1.5),
            ("hop", "unix", 1.0),
            ("hop", "redirect", 0.95),
            ("redirect", "tcp", None),  # as far as sockmap can go on this machine
        ],
    )
    for size, label in SIZES.items()
]
