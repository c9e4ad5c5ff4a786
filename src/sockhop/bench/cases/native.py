"""A sample of one of the C programs, which all cases with them share."""

from dataclasses import dataclass

from sockhop.bench.arms import MOST, Arm, Least, Sent, Session
from sockhop.bench.effort import Effort
from sockhop.bench.machine import Machine, Place
from sockhop.bench.network import LOOPBACK, Route
from sockhop.bench.processes import ask, serving
from sockhop.bench.sample import Sample

PORT = 5001
CPUS = {"1cpu": "0", "2cpu": "0,1"}
IN_WORDS = {"1cpu": "one CPU", "2cpu": "two CPUs"}


@dataclass(frozen=True)
class Native:
    """One client and one server."""

    program: str
    options: tuple[str, ...]
    """Of both ends."""
    cpus: str = "1cpu"
    route: Route = LOOPBACK
    least: Least = MOST
    """What must have gone the arm's own way."""
    alone: bool = True
    """Whether nothing else runs beside it."""
    directions: int = 2
    """1 if the server's answers are of no size."""

    def __call__(self, machine: Machine, effort: Effort, arm: Arm, session: Session) -> Sample:
        """Measure once. Raises Failed."""
        self.route.prepare(machine)
        cpus, program = CPUS[self.cpus], machine.program(self.program)
        far = machine.far if self.route.far else machine.near
        served, asked = (arm.address(PORT, host) for host in (self.route.served, self.route.asked))
        with serving(Place(session.cgroup, far, cpus[-1]), program, "serve", served, *self.options):
            answer = ask(
                Place(session.cgroup, machine.near, cpus[0]), program, "ask", asked, *self.options, *times(effort)
            )
            numbers = answer.numbers()
            session.prove(Sent.by(numbers, self.least, self.alone))
        return Sample.of(numbers, answer.usage, self.directions)


def times(effort: Effort) -> tuple[str, ...]:
    """How long a client measures."""
    return ("--warm-ms", str(effort.warm_ms), "--run-ms", str(effort.run_ms))
