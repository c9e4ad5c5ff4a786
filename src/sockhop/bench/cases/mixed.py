"""Bulk and small messages on one host at once: each is measured while the other goes on."""

import dataclasses
from dataclasses import dataclass

from sockhop.bench.arms import Arm, Session
from sockhop.bench.cases import rr, stream
from sockhop.bench.cases.native import Native, times
from sockhop.bench.comparison import Comparison, Ratio
from sockhop.bench.effort import Effort
from sockhop.bench.figures import NEVER_SLOWER
from sockhop.bench.machine import Machine, Place
from sockhop.bench.processes import beside, serving
from sockhop.bench.sample import Sample

PORT = 5010


@dataclass(frozen=True)
class Beside:
    """A sample of one program while another one runs."""

    measured: Native
    other: Native

    def __call__(self, machine: Machine, effort: Effort, arm: Arm, session: Session) -> Sample:
        """Measure once. Raises Failed."""
        program, address = machine.program(self.other.program), arm.address(PORT)
        place = Place(session.cgroup, machine.near, "0,1")
        longer = times(dataclasses.replace(effort, run_ms=effort.run_ms * 20))
        with (
            serving(place, program, "serve", address, *self.other.options),
            beside(place, program, "ask", address, *self.other.options, *longer),
        ):
            # What both used cannot be told apart.
            sample = self.measured(machine, effort, arm, session)
            return dataclasses.replace(sample, usage=None)


def crowded(sample: Native) -> Native:
    """The same, beside another program whose messages sockhop counts too."""
    return dataclasses.replace(sample, alone=False)


MESSAGES, STREAM = crowded(rr.sample("1K", cpus="2cpu")), crowded(stream.sample("1M"))

CASES = [
    Comparison(
        name="mixed-small",
        title="request/response 1 KB beside a stream of 1 MB writes",
        group="mixed",
        arms=("tcp", "hop"),
        sample=Beside(MESSAGES, STREAM),
        ratios=[Ratio("hop", "tcp", NEVER_SLOWER), Ratio("hop", "tcp", of="p99.9")],
    ),
    Comparison(
        name="mixed-bulk",
        title="stream of 1 MB writes beside request/response 1 KB",
        group="mixed",
        unit="B/s",
        arms=("tcp", "hop"),
        sample=Beside(STREAM, MESSAGES),
        ratios=[Ratio("hop", "tcp", NEVER_SLOWER)],
    ),
]
