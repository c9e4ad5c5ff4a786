"""pgbench against an unmodified PostgreSQL: reads, and the transactions of TPC-B."""

import dataclasses
import functools
import re
from dataclasses import dataclass
from pathlib import Path

from sockhop.bench.arms import Arm, Sent, Session
from sockhop.bench.comparison import Comparison, Ratio
from sockhop.bench.effort import Effort
from sockhop.bench.figures import NEVER_SLOWER, Wanted
from sockhop.bench.histogram import Histogram
from sockhop.bench.machine import LOCAL, Failed, Machine, Place, run
from sockhop.bench.processes import ask, serving
from sockhop.bench.sample import Sample

PORT = "5008"
#: One client waits for each answer: on two CPUs what is measured is how they wake each other.
CPUS = {1: "0", 8: "0,1"}
READY = "ready to accept connections"
AS_POSTGRES = ("setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups")
#: Branches: with fewer than clients, TPC-B would wait for locks.
SCALE = "10"


@dataclass(frozen=True)
class Script:
    """What pgbench does in a transaction."""

    option: str
    messages: int
    """There and back."""
    logged: float
    """The part of the transactions whose times pgbench writes down: a line each, which costs short ones most."""


SCRIPTS = {"select": Script("--select-only", 2, 0.25), "tpcb": Script("--builtin=tpcb-like", 14, 1.0)}
TARGETS = {("select", 8): 1.15, ("select", 1): 1.25}


def transactions(
    script: str, clients: int, protocol: str, machine: Machine, effort: Effort, arm: Arm, session: Session
) -> Sample:
    """Transactions a second, connecting left out."""
    place = Place(session.cgroup, machine.near, CPUS[clients])
    does, log = SCRIPTS[script], machine.scratch / "pgbench"
    until = f"--transactions={effort.transactions // clients}" if effort.transactions else "--time=1"
    with serving(place, *server(machine), ready=READY):
        answer = ask(
            place,
            *(
                machine.program("pgbench"),
                *target(machine, arm.name),
                "--no-vacuum",
                does.option,
                f"--protocol={protocol}",
            ),
            *("--log", f"--log-prefix={log}", f"--sampling-rate={does.logged}"),
            *(f"--client={clients}", until, "postgres"),
        )
        done = re.search(r"actually processed: (\d+)", answer.text)
        rate = re.search(r"tps = ([\d.]+) \(without", answer.text)
        if not done or not rate:
            raise Failed(f"pgbench printed no result: {answer.text!r}")
        sent = does.messages * float(done[1])
        session.prove(Sent(sent))
    # A server process of each connection comes and goes, and takes its counts along.
    usage = dataclasses.replace(answer.usage, switches=None, resident=None)
    latency = durations(log)
    return Sample(float(rate[1]), usage, sent, latency=latency.points(), histogram=latency)


def durations(log: Path) -> Histogram:
    """Of the transactions that pgbench has written down; the files, which have its process in their names, go.

    A line is the client, the transaction's number and its microseconds, and what else does not matter here.
    """
    paths = list(log.parent.glob(f"{log.name}.*"))
    lines = [line for path in paths for line in path.read_text().splitlines()]
    for path in paths:
        path.unlink()
    return Histogram.of((int(line.split()[2]) * 1000, 1) for line in lines)


def seconds(effort: Effort) -> float:
    """Of a sample: pgbench counts in whole seconds."""
    return 0.7 if effort.transactions else 1.5


def target(machine: Machine, arm: str) -> tuple[str, ...]:
    """Where the server listens, for its clients."""
    return ("-h", str(directory(machine)) if arm == "unix" else LOCAL, "-p", PORT, "-U", "postgres")


def directory(machine: Machine) -> Path:
    """The server's own, its Unix socket included."""
    return machine.scratch / "postgres"


def server(machine: Machine) -> tuple[str, ...]:
    """The command line of a server with pgbench's tables. Raises Failed."""
    data = directory(machine)
    settings = ("fsync=off", "autovacuum=off", "logging_collector=off", f"unix_socket_directories={data}")
    options = ("-p", PORT, "-h", LOCAL, *(word for setting in settings for word in ("-c", setting)))
    command = (*AS_POSTGRES, program("postgres"), "-D", str(data), *options)
    if not data.exists():
        machine.scratch.chmod(0o711)
        run("install", "--directory", "--owner=postgres", "--mode=0700", str(data))
        run(*AS_POSTGRES, program("initdb"), "--auth", "trust", "--no-sync", "--pgdata", str(data))
        place = Place(machine.child("tables"), machine.near, CPUS[8])
        with serving(place, *command, ready=READY):
            ask(place, "pgbench", *target(machine, "tcp"), "--initialize", "--quiet", "--scale", SCALE, "postgres")
    return command


def program(name: str) -> str:
    """The path of a server program, which Debian keeps out of PATH. Raises Failed."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    if not found:
        raise Failed(f"{name} is not installed: apt-get install postgresql")
    return str(found[-1])


def case(script: str, clients: int, protocol: str) -> Comparison:
    """One cell."""
    wanted = TARGETS.get((script, clients))
    on = f"{clients} clients, two CPUs" if clients > 1 else "1 client, one CPU"
    reference = "redirect" if clients == 1 else None
    return Comparison(
        name=f"pgbench-{script}-{clients}-{protocol}",
        title=f"pgbench {'reads' if script == 'select' else 'TPC-B'}, {protocol}, {on}",
        group="stores and databases",
        arms=("tcp", "hop", "unix"),
        sample=functools.partial(transactions, script, clients, protocol),
        ratios=[
            Ratio("hop", "tcp", Wanted(wanted) if wanted else NEVER_SLOWER),
            Ratio("hop", "unix"),
            Ratio("redirect", "tcp"),
            *(Ratio("hop", "tcp", of=point) for point in ("p50", "p99", "p99.9")),
        ],
        rounds=0.75,
        lasts=seconds,
        reference=reference,
    )


CASES = [
    *(case("select", clients, protocol) for clients in (1, 8) for protocol in ("simple", "prepared")),
    *(case("tpcb", 8, protocol) for protocol in ("simple", "prepared")),
]
