"""The C program hazard.c, which takes orders and counts what goes wrong."""

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.conftest import Scope

FAULTS = ("corrupt", "stuck", "short", "lost", "eagain", "broken")


@dataclass(frozen=True)
class Outcome:
    """What became of one order: so many faults of each kind, in ``faulty`` connections.

    ``first`` and ``last`` are the numbers of the first and the last of these connections, or -1; ``offences``
    counts the calls that a socket in a sockmap cannot serve.
    """

    connections: int
    bytes: int
    offences: int
    first: int
    last: int
    faulty: int
    corrupt: int
    stuck: int
    short: int
    lost: int
    eagain: int
    broken: int

    @property
    def faults(self) -> dict[str, int]:
        """The faults that there were."""
        found = {name: getattr(self, name) for name in FAULTS}
        return {name: count for name, count in found.items() if count}


@dataclass(frozen=True)
class Driver:
    """A running hazard.c; its clients connect to ``port``."""

    process: "subprocess.Popen[str]"
    port: int

    def order(
        self, connections: int, at_once: int, hazard: str, end: str = "server", when: str = "all"
    ) -> Outcome:
        """Have so many connections made, of which `end` (server, client or both) offends.

        `when`: "all" calls, or "once", at one early call of each connection.
        """
        found = Outcome(**json.loads(self._ask(f"{connections} {at_once} {hazard} {end} {when}")))
        print(f"{found.connections} x {hazard} {end} {when}, {at_once} at once: {found.faults}")
        return found

    def start_afresh(self, port: int, seed: int) -> bool:
        """Have a new server on this port, and other random numbers; False if somebody else has the port."""
        return self._ask(f"fresh {port} {seed}") == "yes\n"

    def _ask(self, order: str) -> str:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(order + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        assert answer, f"the driver ended with {self.process.wait()}"
        return str(answer)


Popen = Callable[..., "subprocess.Popen[Any]"]


@contextmanager
def driver(popen: Popen, program: Any, **options: int) -> Iterator[Driver]:
    """Start hazard.c by ``popen``; options are its own, with underscores."""
    argv = [program]
    for name, value in options.items():
        argv += [f"--{name.replace('_', '-')}", value]
    with popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout
        try:
            yield Driver(process, int(process.stdout.readline()))
            process.stdin.close()
            process.wait(timeout=10)
        finally:
            process.kill()


def class_of(scope: Scope, port: int, role: str) -> Any:
    """The class of the scope's ends of this role at the server's ``port``."""
    (found,) = [known for known in scope.hops.classes() if (known.port, known.role) == (port, role)]
    return found
