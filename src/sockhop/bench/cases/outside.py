"""What sockhop costs those whom it does not serve: a client in scope, its server out of scope and elsewhere.

For the data plane that is what a connection to another host is, too. ``again`` is ``down`` once more: how far
its ratio lies from 1 is the noise of this run.
"""

import functools
from dataclasses import dataclass

from sockhop.bench import sizes
from sockhop.bench.arms import Arm, Hop, Plain, Sent, Session, UntouchedSession
from sockhop.bench.cases.native import times
from sockhop.bench.comparison import Comparison, Ratio
from sockhop.bench.effort import Effort
from sockhop.bench.figures import Wanted
from sockhop.bench.machine import FAR, Machine, Place
from sockhop.bench.processes import ask, serving
from sockhop.bench.sample import Sample

PORT = 5006


def make(machine: Machine, name: str) -> Arm:
    """``up`` watches the client's cgroup; any other arm is a cgroup with nothing attached."""
    return Hop(machine, name, UntouchedSession) if name == "up" else Plain(machine, name)


@dataclass(frozen=True)
class Outside:
    """One client in scope, and its server in neither its scope nor its namespace."""

    program: str
    options: tuple[str, ...]

    def __call__(self, machine: Machine, effort: Effort, arm: Arm, session: Session) -> Sample:
        """Measure once. Raises Failed."""
        near, far = Place(session.cgroup, machine.near, "0"), Place(machine.child("elsewhere"), machine.far, "0")
        program, address = machine.program(self.program), arm.address(PORT, FAR)
        with serving(far, program, "serve", address, *self.options):
            answer = ask(near, program, "ask", address, *self.options, *times(effort), server=far.cgroup)
            numbers = answer.numbers()
            session.prove(Sent.by(numbers))
        return Sample.of(numbers, answer.usage)


_common = functools.partial(
    Comparison,
    group="out of scope",
    arms=("down", "up", "again"),
    ratios=[Ratio("up", "down", Wanted(0.98)), Ratio("again", "down")],
    make=make,
    rounds=1.5,
)

CASES = [
    *(
        _common(
            name=f"outside-rr-{size}",
            title=f"out of scope: request/response {sizes.words(size)}",
            sample=Outside("rr", ("--size", str(sizes.count(size)))),
            quick=size == "1",
        )
        for size in ("1", "16K")
    ),
    _common(
        name="outside-connect",
        title="out of scope: connect and close",
        sample=Outside("connect", ("--exchanges", "0")),
    ),
]
