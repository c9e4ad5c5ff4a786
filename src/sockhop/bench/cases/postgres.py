"""pgbench's reads by prepared statements, 8 clients, against an unmodified PostgreSQL."""

import re
from pathlib import Path

from sockhop.bench.arms import Arm, Sent, Session
from sockhop.bench.comparison import Comparison, Effort
from sockhop.bench.machine import LOCAL, Failed, Machine, Place, run
from sockhop.bench.processes import ask, serving

PORT = "5008"
CPUS = "0,1"
READY = "ready to accept connections"
AS_POSTGRES = ("setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups")
TARGET = ("-h", LOCAL, "-p", PORT, "-U", "postgres")


def transactions_a_second(machine: Machine, _effort: Effort, _arm: Arm, session: Session) -> float:
    """Transactions a second of pgbench, connecting left out."""
    place = Place(session.cgroup, machine.near, CPUS)
    with serving(place, *server(machine), ready=READY):
        said = ask(place, "pgbench", *TARGET, "-n", "-S", "-M", "prepared", "-c", "8", "-T", "1", "postgres")
        done = re.search(r"actually processed: (\d+)", said)
        rate = re.search(r"tps = ([\d.]+) \(without", said)
        if not done or not rate:
            raise Failed(f"pgbench printed no result: {said!r}")
        session.prove(Sent(2 * float(done[1])))
    return float(rate[1])


def server(machine: Machine) -> tuple[str, ...]:
    """The command line of a server with pgbench's tables. Raises Failed."""
    data = machine.scratch / "postgres"
    options = ("-p", PORT, "-h", LOCAL, "-k", "", "-c", "fsync=off", "-c", "logging_collector=off")
    command = (*AS_POSTGRES, program("postgres"), "-D", str(data), *options)
    if not data.exists():
        machine.scratch.chmod(0o711)
        run("install", "--directory", "--owner=postgres", "--mode=0700", str(data))
        run(*AS_POSTGRES, program("initdb"), "--auth", "trust", "--no-sync", "--pgdata", str(data))
        place = Place(machine.child("tables"), machine.near, CPUS)
        with serving(place, *command, ready=READY):
            ask(place, "pgbench", *TARGET, "-i", "-q", "postgres")
    return command


def program(name: str) -> str:
    """The path of a server program, which Debian keeps out of PATH. Raises Failed."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    if not found:
        raise Failed(f"{name} is not installed")
    return str(found[-1])


CASES = [
    Comparison(
        name="postgres",
        title="pgbench reads, 8 clients, two CPUs",
        unit="/s",
        arms=("tcp", "hop"),
        sample=transactions_a_second,
        ratios=[("hop", "tcp", None)],
        rounds=0.6,
    )
]
