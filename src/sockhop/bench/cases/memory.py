"""What the kernel holds for an idle hopped socket beyond TCP's own."""

from dataclasses import dataclass

from sockhop.bench import idle
from sockhop.bench.arms import Arm, Hop, Plain, Sent
from sockhop.bench.effort import Effort
from sockhop.bench.figures import SURE, Row, Wanted, summarise
from sockhop.bench.machine import TROUBLE, Machine
from sockhop.bench.results import Result

WANTED = Wanted(2048, at_least=False)
ROUNDS = SURE  # at most: they agree
#: Sockets that the accelerator's fixed memory is for: the default of its ``capacity``.
CAPACITY = 65_536


@dataclass(frozen=True)
class Weight:
    """Bytes."""

    fixed: float
    """What being up takes, before there is any socket."""
    socket: float
    """What each socket takes."""


def weigh(machine: Machine, effort: Effort, arm: Arm) -> Weight:
    """Open the connections over ``arm``. Raises Failed."""
    nothing = idle.kernel_memory()
    with arm.up() as session:
        empty = idle.kernel_memory()
        with idle.connections(machine, session.cgroup, effort.idle):
            session.prove(Sent(2 * effort.idle))
            full = idle.kernel_memory()
    return Weight(empty - nothing, (full - empty) / (2 * effort.idle))


class Memory:
    """Plain and hopped in turns; the first turn fills the slabs and is thrown away."""

    name = "memory"
    title = "idle socket"
    group = "memory"
    quick = False

    def seconds(self, effort: Effort) -> float:
        """How long it is going to take."""
        return 2 * (min(ROUNDS, effort.rounds) + 1) * (1 + effort.idle / 5_000)

    def measure(self, machine: Machine, effort: Effort) -> Result:
        """Weigh both."""
        return Result(self.name, self.title, self.group, self._rows(machine, effort))

    def _rows(self, machine: Machine, effort: Effort) -> list[Row]:
        """Rows for TCP's own, for what hopping adds, and for the fixed part spread over its capacity."""
        turns: list[tuple[Weight, Weight]] = []
        try:
            for _ in range(min(ROUNDS, effort.rounds) + 1):
                plain = weigh(machine, effort, Plain(machine, "tcp"))
                turns.append((plain, weigh(machine, effort, Hop(machine))))
        except TROUBLE as error:
            return [Row(self.name, self.title, "", "B", wanted=WANTED, failed=str(error))]
        del turns[0]
        beyond = [hop.socket - tcp.socket for tcp, hop in turns]
        share = [hop.fixed / CAPACITY for _, hop in turns]
        return [
            self._row("TCP's own", [tcp.socket for tcp, _ in turns], None),
            self._row("hop beyond TCP's", beyond, None),
            self._row(f"fixed / {CAPACITY}", share, None),
            self._row("hop, all told", [a + b for a, b in zip(beyond, share, strict=True)], WANTED),
        ]

    def _row(self, what: str, samples: list[float], wanted: Wanted | None) -> Row:
        return summarise(
            lambda **given: Row(self.name, f"{self.title}: {what}", "", "B", wanted=wanted, **given), samples
        )


CASES = [Memory()]
