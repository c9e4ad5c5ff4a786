"""HTTP: nginx behind nginx and behind HAProxy, uploads, Python's http.server; clients are curl and wrk."""

from pathlib import Path

import pytest

from tests.conftest import Scope

from .bodies import CURL, SIZES, digest, fetch, loaded, random_file, upload, web_root, wrk
from .counters import hopped
from .servers import haproxy, nginx_origin, nginx_proxy, python_http


@pytest.mark.parametrize(("body", "least"), [("1k", 0.5), ("100k", 0.5), ("10m", 0.25)])
def test_nginx_behind_nginx(scope: Scope, tmp_path: Path, body: str, least: float) -> None:
    """Bodies of all sizes come through unchanged while wrk loads the proxy with one of them.

    The proxy hands a large body on in small writes, which bursts leave to the stack while Nagle is on.
    """
    root = web_root(tmp_path)
    with (
        nginx_origin(scope, tmp_path, root, "[::1]") as origin,
        nginx_proxy(scope, tmp_path, f"[::1]:{origin}") as port,
    ):
        url = f"http://127.0.0.1:{port}"
        with hopped(scope, least) as moved:
            load = wrk(scope, f"{url}/{body}", connections=8, seconds=3)
            moved.payload += 2 * fetch(scope, url, root, tmp_path, times=5)
            moved.payload += 2 * SIZES[body] * loaded(load)


@pytest.mark.parametrize("mode", ["http", "tcp"])
def test_haproxy_before_nginx(scope: Scope, tmp_path: Path, mode: str) -> None:
    """HAProxy without its splice options, with a load of small requests at the same time."""
    root = web_root(tmp_path)
    with (
        nginx_origin(scope, tmp_path, root) as origin,
        haproxy(scope, tmp_path, mode, f"127.0.0.1:{origin}") as port,
    ):
        url = f"http://127.0.0.1:{port}"
        with hopped(scope) as moved:
            load = wrk(scope, f"{url}/1k", connections=8, seconds=3)
            moved.payload += 2 * fetch(scope, url, root, tmp_path, times=5)
            moved.payload += 2 * SIZES["1k"] * loaded(load)


def test_curl_uploads_through_nginx(scope: Scope, tmp_path: Path) -> None:
    """PUT of files of 1 B to 512 KB through the proxy."""
    root = web_root(tmp_path)
    originals = [random_file(tmp_path / f"file{power}", 1 << power, seed=power) for power in range(20)]
    with (
        nginx_origin(scope, tmp_path, root) as origin,
        nginx_proxy(scope, tmp_path, f"127.0.0.1:{origin}") as port,
    ):
        with hopped(scope) as moved:
            upload(scope, originals, f"http://127.0.0.1:{port}/put/")
            moved.payload += 2 * sum(original.stat().st_size for original in originals)
        for original in originals:
            assert digest(root / "put" / original.name) == digest(original)


def test_bulk_through_curl(scope: Scope, tmp_path: Path) -> None:
    """50 MB up (curl says `Expect: 100-continue` first) and down again, with a proxy between."""
    root = web_root(tmp_path)
    original, back = random_file(tmp_path / "file", 50 << 20), tmp_path / "back"
    with (
        nginx_origin(scope, tmp_path, root) as origin,
        nginx_proxy(scope, tmp_path, f"127.0.0.1:{origin}") as port,
    ):
        url = f"http://127.0.0.1:{port}/put/"
        with hopped(scope, least=0) as moved:
            upload(scope, [original], url)
            assert digest(root / "put" / "file") == digest(original)
            scope.run([*CURL, "--output", back, f"{url}file"], check=True, timeout=90)
            assert digest(back) == digest(original)
            moved.payload += 4 * original.stat().st_size


def test_python_http_server(scope: Scope, tmp_path: Path) -> None:
    """HTTP/1.0, so a connection for each file: `http.server` ends each body by closing."""
    root = web_root(tmp_path)
    with python_http(scope, tmp_path, root) as port:
        url = f"http://127.0.0.1:{port}"
        with hopped(scope) as moved:
            moved.payload += fetch(scope, url, root, tmp_path, times=20, names=["1k", "100k"])
        with hopped(scope, least=0) as moved:
            moved.payload += fetch(scope, url, root, tmp_path, times=5, names=["10m"])
