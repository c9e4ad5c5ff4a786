"""A corked segment that nobody pushes leaves when a timer of 200 ms ends: nobody may be made to wait for that.

No benchmarks: who stalls takes many times as long as on plain TCP, outside of the scope.
"""

import dataclasses
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sockhop.kernel import cgroups
from tests.conftest import Scope

from .bodies import CURL, loaded, web_root, wrk
from .ports import free_port
from .servers import HERE, nginx, nginx_origin, nginx_proxy


def outside(scope: Scope) -> Scope:
    """What runs commands like `scope`, but on plain TCP."""
    return dataclasses.replace(scope, cgroup=cgroups.mount_point())


def test_corked_sender_does_not_stall(scope: Scope) -> None:
    """300 MB, faster than its reader, so that the sender is made to wait now and then."""
    argv = [sys.executable, str(HERE / "corked.py"), str(300 << 20)]
    plain, hopping = (
        float(where.run(argv, stdout=subprocess.PIPE, check=True, timeout=90).stdout)
        for where in (outside(scope), scope)
    )
    assert hopping < 1 + 5 * plain, f"{hopping} s where plain TCP takes {plain} s, {scope.hops.status().stack}"


def slowest_download(scope: Scope, folder: Path, root: Path) -> float:
    """Seconds that the slowest of 24 downloads of 100 MB through nginx and nginx took."""
    folder.mkdir()
    with (
        nginx_origin(scope, folder, root) as origin,
        nginx_proxy(scope, folder, f"127.0.0.1:{origin}") as port,
    ):
        argv = [*CURL, "--write-out", r"%{stderr}%{time_total}\n"]
        for server in (origin, port) * 12:
            argv += ["--output", "/dev/null", f"http://127.0.0.1:{server}/long"]
        done = scope.run(argv, stderr=subprocess.PIPE, text=True, check=True, timeout=90)
    return max(map(float, done.stderr.split()))


def test_long_downloads_do_not_stall(scope: Scope, tmp_path: Path) -> None:
    """nginx corks what it sends with sendfile; a proxy stands between in half of the downloads."""
    root = web_root(tmp_path)
    with (root / "long").open("wb") as file:
        file.truncate(100 << 20)
    plain = slowest_download(outside(scope), tmp_path / "plain", root)
    hopping = slowest_download(scope, tmp_path / "hopping", root)
    assert hopping < 1 + 5 * plain, f"{hopping} s where plain TCP takes {plain} s"


def downloads_in_two_seconds(scope: Scope, folder: Path, root: Path) -> int:
    """Of 10 MB, by clients that keep their connections: what nginx sends leaves without Nagle's algorithm."""
    folder.mkdir()
    port = free_port()
    server = f"server {{ listen 127.0.0.1:{port}; root {root}; sendfile off; tcp_nopush off; }}"
    with nginx(scope, folder, "origin", server, port):
        return loaded(wrk(scope, f"http://127.0.0.1:{port}/10m", connections=4, seconds=2))


@pytest.mark.parametrize(("receive_buffer", "least"), [(3 << 20, 0.5), (0, 0.1)])
def test_downloads_on_kept_connections_do_not_stall(
    make_scope: Callable[..., Scope], tmp_path: Path, receive_buffer: int, least: float
) -> None:
    """A window that is too small for a segment, and too large to be announced anew, waits for TCP's probe.

    Where the kernel does not give the buffer that is wanted, its own tuning goes on: a fifth to two thirds hops.
    """
    scope = make_scope(receive_buffer=receive_buffer)
    root = web_root(tmp_path)
    plain = downloads_in_two_seconds(outside(scope), tmp_path / "plain", root)
    hopping = downloads_in_two_seconds(scope, tmp_path / "hopping", root)
    assert hopping > plain / 2, f"{hopping} downloads where plain TCP does {plain}"
    status = scope.hops.status()
    assert status.hop.bytes > least * (status.hop.bytes + status.stack.bytes)
