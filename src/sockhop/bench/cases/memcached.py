"""memcached with one thread, asked by the C programs for a value of 100 bytes."""

from dataclasses import dataclass

from sockhop.bench.arms import Arm, Sent, Session
from sockhop.bench.cases.native import times
from sockhop.bench.comparison import Comparison, Ratio
from sockhop.bench.effort import Effort
from sockhop.bench.figures import NEVER_SLOWER, Wanted
from sockhop.bench.machine import LOCAL, Machine, Place
from sockhop.bench.processes import ask, serving
from sockhop.bench.sample import Sample

PORT = 5014
VALUE = "x" * 100
SET = (f"set key 0 0 {len(VALUE)}\r\n{VALUE}\r\n", "STORED\r\n")
GET = ("get key\r\n", f"VALUE key 0 {len(VALUE)}\r\n{VALUE}\r\nEND\r\n")


def saying(exchange: tuple[str, str]) -> tuple[str, ...]:
    """The options that make a C program ask this, and wait for as long an answer."""
    request, answer = exchange
    return ("--request", request, "--answer", str(len(answer)))


@dataclass(frozen=True)
class Gets:
    """Gets a second, over one connection or several."""

    clients: int

    def __call__(self, machine: Machine, effort: Effort, arm: Arm, session: Session) -> Sample:
        """Measure once. Raises Failed."""
        place, address = Place(session.cgroup, machine.near, "0"), arm.address(PORT)
        where = ("-s", address.removeprefix("unix:")) if arm.name == "unix" else ("-l", LOCAL, "-p", str(PORT))
        server = (machine.program("memcached"), "-u", "root", "-t", "1", "-U", "0", *where)
        client = ("many", "--connections", str(self.clients)) if self.clients > 1 else ("rr",)
        program, options = machine.program(client[0]), client[1:]
        with serving(place, *server, address=address):
            ask(place, machine.program("rr"), "ask", address, *saying(SET), "--warm-ms", "0", "--run-ms", "0")
            answer = ask(place, program, "ask", address, *options, *saying(GET), *times(effort))
            numbers = answer.numbers()
            session.prove(Sent.by(numbers))
        bytes_of_both = (len(GET[0]) + len(GET[1])) / len(GET[0])
        return Sample.of(numbers, answer.usage, bytes_of_both)


CASES = [
    Comparison(
        name=f"memcached-{clients}",
        title=f"memcached GET, {clients} client{'s' if clients > 1 else ''}, one CPU",
        group="stores and databases",
        arms=("tcp", "hop", "unix"),
        sample=Gets(clients),
        ratios=[
            Ratio("hop", "tcp", NEVER_SLOWER),
            Ratio("hop", "unix"),
            Ratio("hop", "tcp", Wanted(1.0, at_least=False), of="p99.9"),
        ],
        rounds=0.75,
        lasts=lambda effort: effort.native_seconds + 0.8,  # of which it takes most to end
    )
    for clients in (1, 50)
]
