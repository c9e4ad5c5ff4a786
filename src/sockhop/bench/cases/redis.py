"""redis-benchmark, unmodified, against an unmodified redis."""

import csv
import functools

from sockhop.bench.arms import Arm, Sent, Session
from sockhop.bench.cases.native import CPUS, IN_WORDS
from sockhop.bench.comparison import Comparison, Ratio
from sockhop.bench.effort import Effort
from sockhop.bench.figures import NEVER_SLOWER, Wanted
from sockhop.bench.machine import Failed, Machine, Place
from sockhop.bench.processes import ask, serving
from sockhop.bench.sample import Sample

PORT = "5003"
READY = "Ready to accept connections"
MANY = 50
#: redis-benchmark's columns, in milliseconds.
COLUMNS = {"p50": "p50_latency_ms", "p99": "p99_latency_ms", "max": "max_latency_ms"}


def server(machine: Machine) -> list[str]:
    """Its command. Raises Failed."""
    return [machine.program("redis-server"), "--save", "", "--port", PORT, "--unixsocket", socket_path(machine)]


def socket_path(machine: Machine) -> str:
    """The path of its Unix socket."""
    return f"{machine.scratch}/redis.sock"


def requests(
    test: str,
    clients: int,
    pipeline: int,
    cpus: str,
    machine: Machine,
    effort: Effort,
    arm: Arm,
    session: Session,
) -> Sample:
    """Requests a second of one test."""
    target = ["-s", socket_path(machine)] if arm.name == "unix" else ["-p", PORT]
    count = effort.requests * (4 if pipeline > 1 else 1)
    client = [machine.program("redis-benchmark"), *target, "-c", str(clients), "-P", str(pipeline)]
    server_cpu, client_cpu = CPUS[cpus][0], CPUS[cpus][-1]
    with serving(Place(session.cgroup, machine.near, server_cpu), *server(machine), ready=READY):
        place = Place(session.cgroup, machine.near, client_cpu)
        answer = ask(place, *client, "-n", str(count), "-t", test, "--csv")
        messages = 2 * count / pipeline
        session.prove(Sent(messages))
    for line in csv.DictReader(answer.text.splitlines()):
        if line["test"].lower().startswith(test):
            latency = {name: float(line[column]) / 1e3 for name, column in COLUMNS.items()}
            return Sample(float(line["rps"]), answer.usage, messages, latency=latency)
    raise Failed(f"redis-benchmark printed no result for {test}: {answer.text!r}")


def case(test: str, clients: int, pipeline: int, cpus: str) -> Comparison:
    """One cell. A pipeline saves messages by itself, and leaves less to win."""
    number = f"{clients} clients" if clients > 1 else "1 client"
    return Comparison(
        name=f"redis-{test}-{clients}-{pipeline}-{cpus}",
        title=f"redis {test.upper()}, {number}, pipeline of {pipeline}, {IN_WORDS[cpus]}",
        group="stores and databases",
        arms=("tcp", "hop", "unix"),
        sample=functools.partial(requests, test, clients, pipeline, cpus),
        ratios=[
            Ratio("hop", "tcp", Wanted(1.3) if (clients, pipeline) == (MANY, 1) else NEVER_SLOWER),
            Ratio("hop", "unix"),
            Ratio("hop", "tcp", of="p99"),
        ],
        quick=(test, clients, pipeline, cpus) == ("get", MANY, 1, "1cpu"),
        rounds=0.75,
        lasts=lambda effort: effort.requests / 150_000 + 0.2,
    )


CASES = [
    *(case("get", clients, pipeline, "1cpu") for clients in (1, MANY) for pipeline in (1, 16)),
    case("set", MANY, 1, "1cpu"),
    case("get", MANY, 1, "2cpu"),
]
