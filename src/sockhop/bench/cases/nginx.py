"""wrk to nginx, and through a reverse proxy that keeps its upstream connections to another nginx."""

import functools
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from sockhop.bench import sizes
from sockhop.bench.arms import Arm, Session
from sockhop.bench.cases import wrk
from sockhop.bench.cases.native import CPUS, IN_WORDS
from sockhop.bench.comparison import Comparison, Ratio
from sockhop.bench.effort import Effort
from sockhop.bench.figures import NEVER_SLOWER, Wanted
from sockhop.bench.machine import LOCAL, Machine, Place
from sockhop.bench.processes import serving
from sockhop.bench.sample import Sample

FRONT, BACK = 5004, 5005

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
# As the nginx.conf of Debian has it.
BY_SENDFILE = "sendfile on; tcp_nopush on; " + ORIGIN
PROXY = """upstream origin {{ server {host}:{back}; keepalive 64; keepalive_requests 1000000; }}
  server {{ listen {host}:{port};
    location / {{ proxy_pass http://origin; proxy_http_version 1.1; proxy_set_header Connection ""; }} }}"""


@contextmanager
def running(machine: Machine, place: Place, server: str, port: int, back: int = 0) -> Iterator[None]:
    """An nginx with one worker that is an ORIGIN, or a PROXY of what listens at ``back``. Raises Failed."""
    directory = machine.scratch / f"nginx-{port}"
    directory.mkdir(exist_ok=True)
    write_bodies(directory)
    path = directory / "nginx.conf"
    server = server.format(host=LOCAL, port=port, back=back, directory=directory)
    path.write_text(COMMON.format(directory=directory, server=server))
    # Its own user could not read our temporary directory.
    argv = [machine.program("nginx"), "-e", "stderr", "-g", "user root;", "-c", str(path)]
    with serving(place, *argv, ready="start worker process "):
        yield


def write_bodies(directory: Path) -> None:
    """A file for each size that is asked for."""
    for size in wrk.BODIES:
        path = directory / size
        if not path.exists():
            path.write_bytes(b"x" * sizes.count(size))


@dataclass(frozen=True)
class Way:
    """How a client gets a file."""

    name: str
    title: str
    origin: str = ORIGIN
    proxied: bool = False


DIRECT = Way("direct", "nginx")
SENDFILE = Way("sendfile", "nginx with sendfile", BY_SENDFILE)
PROXIED = Way("proxied", "nginx to nginx", proxied=True)


def requests(
    size: str, way: Way, cpus: str, machine: Machine, effort: Effort, _arm: Arm, session: Session
) -> Sample:
    """Requests a second for a body of ``size``."""
    place = Place(session.cgroup, machine.near, CPUS[cpus])
    with ExitStack() as stack:
        stack.enter_context(running(machine, place, way.origin, BACK))
        if way.proxied:
            stack.enter_context(running(machine, place, PROXY, FRONT, BACK))
        return wrk.fetch(
            machine, effort, session, place, FRONT if way.proxied else BACK, size, 2 if way.proxied else 1
        )


def case(
    size: str, way: Way, cpus: str, wanted: Wanted = NEVER_SLOWER, reference: str | None = None
) -> Comparison:
    """One cell."""
    return Comparison(
        name=f"nginx-{way.name}-{size}-{cpus}",
        title=f"{way.title}, {sizes.words(size)} file, {IN_WORDS[cpus]}",
        group="web servers and proxies",
        arms=("tcp", "hop"),
        sample=functools.partial(requests, size, way, cpus),
        ratios=[
            Ratio("hop", "tcp", wanted),
            *([Ratio("hop", "tcp", of="p99.9")] if size != "10M" else []),
            Ratio("redirect", "tcp"),
        ],
        quick=size != "10M" and (way, cpus) == (PROXIED, "1cpu"),
        rounds=0.75,
        lasts=wrk.seconds,
        reference=reference,
    )


CASES = [
    *(case(size, DIRECT, "1cpu") for size in wrk.BODIES),
    *(case(size, SENDFILE, "1cpu") for size in wrk.BODIES),
    case("1K", PROXIED, "1cpu", Wanted(1.7), "redirect"),
    case("100K", PROXIED, "1cpu"),
    case("10M", PROXIED, "1cpu", Wanted(1.3)),
    case("1K", PROXIED, "2cpu"),
    case("10M", PROXIED, "2cpu"),
]
