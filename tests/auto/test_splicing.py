"""Programs that splice, and some others, from a cold start in auto mode: 200 connections, nothing lost."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import Scope
from tests.programs.bodies import CURL, digest, random_file
from tests.programs.ports import free_port
from tests.programs.servers import haproxy, nginx_origin, on_port

from .driver import class_of, driver

pytestmark = pytest.mark.bpf

HERE = Path(__file__).parent
CONNECTIONS = 200
WORKERS = 24


@pytest.fixture(scope="session")
def go_proxy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """proxy.go, compiled by the distribution's Go without a network."""
    folder = tmp_path_factory.mktemp("go")
    program = folder / "proxy"
    offline = {"GOCACHE": str(folder / "cache"), "GOPROXY": "off", "GO111MODULE": "off", "CGO_ENABLED": "0"}
    command = ["go", "build", "-o", str(program), str(HERE / "proxy.go")]
    subprocess.run(command, check=True, env={**os.environ, **offline}, timeout=110)
    return program


@contextmanager
def in_go(scope: Scope, folder: Path, origin: int, program: Path) -> Iterator[int]:
    """The proxy in Go; yields its port."""
    port = free_port()
    argv = [str(program), f"127.0.0.1:{port}", f"127.0.0.1:{origin}"]
    with on_port(scope, argv, port, folder / "proxy.log"):
        yield port


def check_spliced(scope: Scope, port: int, role: str) -> None:
    """The proxy's end of this role is out, and for the right reason."""
    known = class_of(scope, port, role)
    print(known)
    assert known.state == "stack"
    assert {"splice", "unseen"} & set(known.reasons)


@pytest.mark.parametrize("at_once", [1, 20])
@pytest.mark.parametrize("proxy", ["go", "haproxy"])
def test_proxies(
    hazard: Path, auto: Scope, tmp_path: Path, request: pytest.FixtureRequest, proxy: str, at_once: int
) -> None:
    """Messages of all sizes come through a proxy that splices both ways."""
    origin = free_port()
    if proxy == "go":
        started = in_go(auto, tmp_path, origin, request.getfixturevalue("go_proxy"))
    else:
        started = haproxy(auto, tmp_path, "tcp", f"127.0.0.1:{origin}", "splice-request", "splice-response")
    options = {"seed": at_once, "listen": origin, "max_size": 1 << 18}
    with started as front:
        with driver(auto.popen, hazard, connect=front, **options) as running:
            outcome = running.order(CONNECTIONS, at_once, "plain")
        check_spliced(auto, front, "server")
        check_spliced(auto, origin, "client")
    assert outcome.connections == CONNECTIONS
    assert outcome.faults == {}
    assert auto.hops.status().hop.messages == 0


def test_eager_mode_hangs_the_proxy_in_go(hazard: Path, eager: Scope, tmp_path: Path, go_proxy: Path) -> None:
    """Or the test above would prove nothing."""
    origin = free_port()
    with in_go(eager, tmp_path, origin, go_proxy) as front:
        options = {"deadline": 800, "give_up": 1, "listen": origin, "connect": front}
        with driver(eager.popen, hazard, seed=1, **options) as running:
            outcome = running.order(20, 2, "plain")
    assert outcome.stuck


def downloads(scope: Scope, folder: Path, url: str, connections: int) -> list[Path]:
    """Fetch the url over so many connections, one after the other; the last copies."""
    config = folder / "curl"
    copies = [folder / f"copy{number}" for number in range(8)]
    lines = [f'url = "{url}"\noutput = "{copies[number % len(copies)]}"' for number in range(connections)]
    config.write_text("\n".join(lines))
    scope.run([*CURL, "--header", "Connection: close", "--config", config], check=True, timeout=60)
    return copies


@pytest.mark.parametrize("at_once", [1, 20])
def test_haproxy_that_splices_when_it_pays(hazard: Path, auto: Scope, tmp_path: Path, at_once: int) -> None:
    """`option splice-auto` splices what has filled its buffer a few times in a row, long after it was learned."""
    origin = free_port()
    options = {"seed": at_once, "listen": origin, "min_size": 1 << 15, "max_size": 1 << 18, "deadline": 2000}
    with (
        haproxy(auto, tmp_path, "tcp", f"127.0.0.1:{origin}", "splice-auto") as front,
        driver(auto.popen, hazard, connect=front, **options) as running,
    ):
        outcome = running.order(CONNECTIONS, at_once, "plain")
        found = [class_of(auto, front, "server"), class_of(auto, origin, "client")]
    print(found)
    assert outcome.connections == CONNECTIONS
    assert outcome.faults == {}
    for known in found:
        assert known.state == "stack"
        assert "may_splice" in known.reasons
    assert auto.hops.status().hop.messages == 0


@pytest.mark.parametrize("at_once", [1, 20])
def test_python_server_that_waits_for_all(hazard: Path, auto: Scope, tmp_path: Path, at_once: int) -> None:
    """recv(MSG_WAITALL) in Python is never short."""
    port = free_port()
    log = tmp_path / "server.log"
    argv = [sys.executable, str(HERE / "waitall_server.py"), str(port), str(WORKERS)]
    with (
        on_port(auto, argv, port, log),
        driver(auto.popen, hazard, seed=at_once, listen=-1, connect=port) as running,
    ):
        outcome = running.order(CONNECTIONS, at_once, "plain")
        known = class_of(auto, port, "server")
    assert outcome.faults == {}
    assert log.read_text() == ""
    assert (known.state, known.reasons) == ("stack", ("waitall",))
    assert auto.hops.status().hop.messages == 0


def test_nginx_that_closes_each_connection(auto: Scope, tmp_path: Path) -> None:
    """Two hops would not pay for taking a connection in, so none is. No times here."""
    (tmp_path / "root").mkdir()
    original = random_file(tmp_path / "root" / "4k", 4096)
    with nginx_origin(auto, tmp_path, tmp_path / "root") as port:
        copies = downloads(auto, tmp_path, f"http://127.0.0.1:{port}/4k", CONNECTIONS)
        found = [class_of(auto, port, role) for role in ("client", "server")]
        status = auto.hops.status()
    assert {digest(copy) for copy in copies} == {digest(original)}
    for known in found:
        print(known)
        assert (known.state, known.reasons) == ("stack", ("short_lived",))
        assert known.connections < 20, "it was watched for longer than it takes to learn"
    assert status.hop.messages == status.sockets.tracked == 0
