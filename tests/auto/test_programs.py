"""Real programs from a cold start: those that may hop come to it by themselves, those that splice never do."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Scope
from tests.programs import servers
from tests.programs.bodies import fetch, loaded, web_root, wrk
from tests.waiting import until


@pytest.fixture
def scope(make_scope: Callable[..., Scope]) -> Scope:
    """A scope in auto mode."""
    return make_scope(mode="auto")


def states(scope: Scope, port: int) -> dict[str, tuple[str, tuple[str, ...]]]:
    """The state and the reasons of the service on this port, by role."""
    return {known.role: (known.state, known.reasons) for known in scope.hops.classes() if known.port == port}


def hopping(scope: Scope, port: int) -> bool:
    """Whether both ends' classes hop."""
    return states(scope, port) == {"client": ("hopping", ()), "server": ("hopping", ())}


def test_redis(scope: Scope, tmp_path: Path) -> None:
    """Connections of the run in which it is learned are adopted; those of the next hop from the start."""
    with servers.redis(scope, tmp_path) as port:
        arguments = ["redis-benchmark", "-p", str(port), "-t", "get,set", "-c", "10", "-q", "-n"]
        with scope.popen([*arguments, "10000000"], stdout=subprocess.DEVNULL) as running:
            until(lambda: hopping(scope, port), "both classes hop")
            until(lambda: scope.hops.walk() > 0, "adopted")
            until(lambda: scope.hops.status().hop.messages > 1000, "they hop")
            running.kill()
        before = scope.hops.status()
        scope.run([*arguments, "20000"], check=True, stdout=subprocess.DEVNULL, timeout=60)
        after = scope.hops.status()
        assert after.hop.messages - before.hop.messages > 70_000
        assert hopping(scope, port)


def test_nginx_behind_nginx(scope: Scope, tmp_path: Path) -> None:
    root = web_root(tmp_path)
    with (
        servers.nginx_origin(scope, tmp_path, root) as origin,
        servers.nginx_proxy(scope, tmp_path, f"127.0.0.1:{origin}") as port,
    ):
        loaded(wrk(scope, f"http://127.0.0.1:{port}/1k", connections=8, seconds=1))
        assert hopping(scope, port)
        assert hopping(scope, origin)
        scope.hops.walk()
        before = scope.hops.status()
        loaded(wrk(scope, f"http://127.0.0.1:{port}/1k", connections=8, seconds=1))
        after = scope.hops.status()
        hops, stack = after.hop.messages - before.hop.messages, after.stack.messages - before.stack.messages
        assert hops > 10 * stack
        fetch(scope, f"http://127.0.0.1:{port}", root, tmp_path, times=3)


def test_connections_of_one_request(scope: Scope, tmp_path: Path) -> None:
    root = web_root(tmp_path)
    with servers.nginx_origin(scope, tmp_path, root) as port:
        for _ in range(10):
            fetch(scope, f"http://127.0.0.1:{port}", root, tmp_path, times=1, names=["1k"])
        assert set(states(scope, port).values()) == {("stack", ("short_lived",))}
    assert scope.hops.status().hop.messages == 0


def test_haproxy_that_splices(scope: Scope, tmp_path: Path) -> None:
    """It never hops, and every byte arrives."""
    root = web_root(tmp_path)
    splicing = ("splice-auto", "splice-request", "splice-response")
    with (
        servers.nginx_origin(scope, tmp_path, root) as origin,
        servers.haproxy(scope, tmp_path, "tcp", f"127.0.0.1:{origin}", *splicing) as port,
    ):
        for _ in range(10):
            fetch(scope, f"http://127.0.0.1:{port}", root, tmp_path, times=2)
        state, reasons = states(scope, origin)["client"]
        assert state == "stack"
        assert "may_splice" in reasons
    assert scope.hops.status().hop.messages == 0
