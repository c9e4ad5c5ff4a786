"""Services that may hop come to it by themselves, with the connections that they have.

`cold`: sockhop is there first. `late`: the service is under load when it comes. Nobody ever reconnects.
"""

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

import sockhop
from tests.conftest import Scope, fresh_cgroup
from tests.programs import servers
from tests.programs.bodies import fetch, loaded, web_root, wrk
from tests.programs.test_postgres import client, pgbench
from tests.programs.test_stores import check_values
from tests.waiting import until

pytestmark = pytest.mark.bpf


@dataclass
class Place:
    """Where a service runs; an accelerator comes over it at `first`, or at `then`."""

    scope: Scope
    late: bool
    stack: ExitStack

    def first(self) -> None:
        """Before the service starts."""
        if not self.late:
            self.stack.enter_context(self.scope.hops)

    def then(self) -> None:
        """When the load has begun."""
        if self.late:
            self.stack.enter_context(self.scope.hops)


@pytest.fixture(params=["cold", "late"])
def place(bpf: None, request: pytest.FixtureRequest) -> Iterator[Place]:
    with fresh_cgroup() as cgroup, ExitStack() as stack:
        scope = Scope(cgroup, sockhop.Accelerator(cgroup, mode="auto"))
        yield Place(scope, request.param == "late", stack)


def hopping(hops: sockhop.Accelerator, ports: set[int]) -> bool:
    """Whether the classes of both ends of all these ports hop, once those who can have been taken in."""
    hops.walk()
    states = {(one.port, one.role): one.state for one in hops.classes() if one.port in ports}
    print([one for one in hops.classes() if one.port in ports])
    return len(states) == 2 * len(ports) and set(states.values()) == {"hopping"}


def check_that_most_hops(hops: sockhop.Accelerator, messages: int) -> None:
    """Of the next so many messages."""
    hops.walk()
    before = hops.status()
    until(lambda: hops.status().hop.messages - before.hop.messages > messages, f"{messages} messages hop", 60.0)
    after = hops.status()
    stack = after.stack.messages - before.stack.messages
    print(f"{messages} hopped, {stack} did not: {after.stack.reasons}")
    assert stack < messages / 10


@contextmanager
def loading(scope: Scope, argv: list[str]) -> Iterator["subprocess.Popen[bytes]"]:
    """A load that would go on for ever."""
    with scope.popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT) as load:
        try:
            yield load
            assert load.poll() is None, "the load has ended"
        finally:
            load.kill()


def connections_of_redis(scope: Scope, port: int) -> int:
    """How many it has taken since it started, this one left out."""
    asked = ["redis-cli", "-p", str(port), "INFO", "stats"]
    told = scope.tcp_popen(asked, stdout=subprocess.PIPE, text=True).communicate(timeout=30)[0]
    (line,) = [line for line in told.splitlines() if line.startswith("total_connections_received:")]
    return int(line.partition(":")[2]) - 1


def test_redis(place: Place, tmp_path: Path) -> None:
    """50 clients, and values that are compared."""
    place.first()
    scope = place.scope
    with servers.redis(scope, tmp_path) as port:
        asked = ["redis-benchmark", "-p", str(port), "-t", "get,set", "-c", "50", "-q", "-n", "100000000"]
        with loading(scope, asked):
            until(lambda: connections_of_redis(scope, port) >= 50, "all are connected")
            place.then()
            taken = connections_of_redis(scope, port)
            until(lambda: hopping(scope.hops, {port}), "the classes hop")
            check_that_most_hops(scope.hops, 20_000)
            assert connections_of_redis(scope, port) == taken + 1
        check_values(scope, "redis", port, clients=2, size=2 << 20)
        assert hopping(scope.hops, {port})


@pytest.fixture(scope="module")
def data() -> Iterator[Path]:
    with servers.postgres_data() as folder:
        yield folder


def ask_postgres(scope: Scope, port: int, question: str) -> str:
    """By a connection that is out of scope: too short to be worth a hop, it would be held against the service."""
    asked = client(port, "psql", "-X", "-A", "-t", "-c", question)
    return str(scope.tcp_popen(asked, stdout=subprocess.PIPE, text=True).communicate(timeout=30)[0]).strip()


def test_postgres(place: Place, data: Path) -> None:
    """pgbench's reads, and a sum that must stay the same."""
    place.first()
    scope = place.scope
    with servers.postgres(scope, data) as port:
        scope.tcp_popen(client(port, "pgbench", "-i", "-q")).wait(timeout=60)
        before = ask_postgres(scope, port, "SELECT sum(aid), count(*) FROM pgbench_accounts")
        with loading(scope, client(port, "pgbench", "-n", "-S", "-c", "8", "-j", "2", "-T", "600")):
            counted = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pgbench'"
            until(lambda: ask_postgres(scope, port, counted) == "8", "all are connected")
            place.then()
            until(lambda: hopping(scope.hops, {port}), "the classes hop")
            check_that_most_hops(scope.hops, 5000)
        assert pgbench(scope, port, "-S", "-M", "prepared", "-c", "4", "-t", "500") == 2000
        assert ask_postgres(scope, port, "SELECT sum(aid), count(*) FROM pgbench_accounts") == before
        assert hopping(scope.hops, {port})


def test_nginx_behind_nginx(place: Place, tmp_path: Path) -> None:
    """Connections that are kept alive, before the proxy and behind it, and bodies that are compared."""
    place.first()
    scope, root = place.scope, web_root(tmp_path)
    with (
        servers.nginx_origin(scope, tmp_path, root) as origin,
        servers.nginx_proxy(scope, tmp_path, f"127.0.0.1:{origin}") as front,
    ):
        url = f"http://127.0.0.1:{front}"
        load = wrk(scope, f"{url}/1k", connections=8, seconds=5)
        place.then()
        until(lambda: hopping(scope.hops, {front, origin}), "the classes hop")
        check_that_most_hops(scope.hops, 10_000)
        loaded(load)
        fetch(scope, url, root, tmp_path, times=3)
        assert hopping(scope.hops, {front, origin})
