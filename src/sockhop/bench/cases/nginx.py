"""wrk to nginx to nginx: a small file through a reverse proxy that keeps its upstream connections."""

import functools
import re
from contextlib import ExitStack
from pathlib import Path

from sockhop.bench.arms import Arm, Sent, Session
from sockhop.bench.comparison import Comparison, Effort
from sockhop.bench.machine import LOCAL, Failed, Machine, Place
from sockhop.bench.processes import ask, serving

FRONT, BACK = 5004, 5005
BYTES = 1024

COMMON = """
daemon off; worker_processes 1; error_log stderr notice; pid {directory}/pid;
events {{ worker_connections 1024; }}
http {{
  access_log off; keepalive_requests 1000000;
  client_body_temp_path {directory}/a; proxy_temp_path {directory}/b; fastcgi_temp_path {directory}/c;
  uwsgi_temp_path {directory}/d; scgi_temp_path {directory}/e;
  {server}
}}
"""
ORIGIN = "server {{ listen {host}:{port}; root {directory}; }}"
PROXY = """upstream origin {{ server {host}:{back}; keepalive 64; keepalive_requests 1000000; }}
  server {{ listen {host}:{port};
    location / {{ proxy_pass http://origin; proxy_http_version 1.1; proxy_set_header Connection ""; }} }}"""


def configure(directory: Path, server: str, port: int) -> str:
    """Write the configuration of one nginx and return its path."""
    directory.mkdir(exist_ok=True)
    (directory / "file").write_bytes(b"x" * BYTES)
    server = server.format(host=LOCAL, port=port, back=BACK, directory=directory)
    path = directory / "nginx.conf"
    path.write_text(COMMON.format(directory=directory, server=server))
    return str(path)


def requests_a_second(cpus: str, machine: Machine, _effort: Effort, _arm: Arm, session: Session) -> float:
    """Requests a second that wrk counted; any that failed fails the measurement."""
    nginx, wrk = machine.program("nginx"), machine.program("wrk")
    origin = configure(machine.scratch / "origin", ORIGIN, BACK)
    proxy = configure(machine.scratch / "proxy", PROXY, FRONT)
    place = Place(session.cgroup, machine.near, cpus)
    with ExitStack() as stack:
        for config in (origin, proxy):
            # Its own user could not read our temporary directory.
            argv = [nginx, "-e", "stderr", "-g", "user root;", "-c", config]
            stack.enter_context(serving(place, *argv, ready="start worker process "))
        said = ask(place, wrk, "-t1", "-c32", "-d1", f"http://{LOCAL}:{FRONT}/file")
        if "Non-2xx" in said or "Socket errors" in said:
            raise Failed(f"wrk: {said}")
        done = re.search(r"(\d+) requests in", said)
        rate = re.search(r"Requests/sec:\s+([\d.]+)", said)
        if not done or not rate:
            raise Failed(f"wrk printed no result: {said!r}")
        # Request and response, twice: to the proxy and to the origin.
        session.prove(Sent(4 * float(done[1])))
    return float(rate[1])


CASES = [
    Comparison(
        name=f"nginx-{where.partition(' ')[0]}",
        title=f"nginx to nginx, 1 KB file, {where}",
        unit="/s",
        arms=("tcp", "hop"),
        sample=functools.partial(requests_a_second, cpus),
        ratios=[("hop", "tcp", 1.5)],
        rounds=0.6,
    )
    for where, cpus in {"one CPU": "0", "two CPUs": "0,1"}.items()
]
