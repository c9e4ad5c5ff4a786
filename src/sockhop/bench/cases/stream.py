"""One-way streams, an end on each CPU.

Plain redirect is left out: it has no bounds, so its writer never waits for its reader.
"""

import functools

from sockhop.bench.arms import Arm, Sent, Session
from sockhop.bench.comparison import Comparison, Effort
from sockhop.bench.machine import Machine, Place
from sockhop.bench.processes import ask_numbers, serving

PORT = 5002
SIZES = {"65536": "64 KB", "1048576": "1 MB"}


def bytes_a_second(size: str, machine: Machine, effort: Effort, arm: Arm, session: Session) -> float:
    """Bytes read a second, written ``size`` at a time."""
    program, address = machine.program("stream"), arm.address(PORT)
    times = (str(effort.warm_ms), str(effort.run_ms))
    with serving(Place(session.cgroup, machine.near, "1"), program, "sink", address, size):
        numbers = ask_numbers(Place(session.cgroup, machine.near, "0"), program, "pour", address, size, *times)
        # A full queue sends some of a stream through the stack, and that is right.
        session.prove(Sent.by(numbers, most=0.5))
    return numbers["bytes"] / numbers["seconds"]


CASES = [
    Comparison(
        name=f"stream-{size}",
        title=f"stream of {label} writes",
        unit="B/s",
        arms=("tcp", "hop", "unix"),
        sample=functools.partial(bytes_a_second, size),
        ratios=[("hop", "tcp", None), ("hop", "unix", None)],
    )
    for size, label in SIZES.items()
]
