"""redis-benchmark with 50 clients, unmodified, against an unmodified redis."""

import csv
import functools

from sockhop.bench.arms import Arm, Sent, Session
from sockhop.bench.comparison import Comparison, Effort
from sockhop.bench.machine import Failed, Machine, Place
from sockhop.bench.processes import ask, serving

PORT = "5003"
CLIENTS = "50"
READY = "Ready to accept connections"


def requests_a_second(test: str, cpus: str, machine: Machine, effort: Effort, arm: Arm, session: Session) -> float:
    """Requests a second of one redis-benchmark test; ``cpus`` is the server's and the client's."""
    path = f"{machine.scratch}/redis.sock"
    server = [machine.program("redis-server"), "--save", "", "--port", PORT, "--unixsocket", path]
    target = ["-s", path] if arm.name == "unix" else ["-p", PORT]
    count = effort.requests
    client = [
        machine.program("redis-benchmark"),
        *target,
        "-c",
        CLIENTS,
        "-n",
        str(count),
        "-t",
        test,
        "--csv",
    ]
    with serving(Place(session.cgroup, machine.near, cpus[0]), *server, ready=READY):
        said = ask(Place(session.cgroup, machine.near, cpus[-1]), *client)
        session.prove(Sent(2 * count))
    for line in csv.DictReader(said.splitlines()):
        if line["test"].lower().startswith(test):
            return float(line["rps"])
    raise Failed(f"redis-benchmark printed no result for {test}: {said!r}")


CASES = [
    Comparison(
        name=f"redis-{test}-{where.partition(' ')[0]}",
        title=f"redis {test.upper()}, 50 clients, {where}",
        unit="/s",
        arms=("tcp", "hop", "unix"),
        sample=functools.partial(requests_a_second, test, cpus),
        ratios=[("hop", "tcp", 1.25), ("hop", "unix", None)],
        rounds=0.6,
    )
    for where, cpus in {"one CPU": "0,0", "two CPUs": "0,1"}.items()
    for test in ("get", "set")
]
