"""Unmodified servers from Debian: each a context manager that yields its port once it can be used.

All of them run inside the test's scope, in a folder of the test's own, and in the foreground.
"""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.conftest import Scope
from tests.waiting import until

from .ports import free_port, listening

HERE = Path(__file__).parent

# Debian's own nginx.conf has sendfile and tcp_nopush on, so these are its defaults too.
_NGINX = """
user root; worker_processes 2; daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 768; }}
http {{
  sendfile on; tcp_nopush on; access_log off; default_type application/octet-stream;
  client_max_body_size 0;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  {http}
}}
"""

_HAPROXY = """
global
  maxconn 1000
defaults
  mode {mode}
  timeout connect 5s
  timeout client 30s
  timeout server 30s
  {options}
frontend front
  bind 127.0.0.1:{port}
  default_backend back
backend back
  server origin {origin}
"""


@contextmanager
def serving(
    scope: Scope, argv: list[str], ready: Callable[[], bool], log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server in `scope`, its output in `log`; enter the block when `ready` says yes, end it after."""

    def ready_or_dead() -> bool:
        assert server.poll() is None, f"{argv[0]} ended: {log.read_text(errors='replace')}"
        return ready()

    with log.open("wb") as output:
        server = scope.popen(argv, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
    try:
        until(ready_or_dead, f"{argv[0]} is ready")
        yield server
    finally:
        server.terminate()
        try:
            server.wait(timeout=10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
            raise AssertionError(f"{argv[0]} did not stop: {log.read_text(errors='replace')}") from None


@contextmanager
def on_port(scope: Scope, argv: list[str], port: int, log: Path) -> Iterator[int]:
    """A server of which nothing more is known than that it listens on `port` when it is ready."""
    with serving(scope, argv, lambda: listening(port), log):
        yield port


@contextmanager
def redis(scope: Scope, folder: Path) -> Iterator[int]:
    """redis-server without persistence."""
    port = free_port()
    options = ["--bind", "127.0.0.1", "::1", "--save", "", "--appendonly", "no", "--dir", str(folder)]
    with on_port(scope, ["redis-server", "--port", str(port), *options], port, folder / "redis.log"):
        yield port


@contextmanager
def memcached(scope: Scope, folder: Path) -> Iterator[int]:
    """memcached with room for values of 1 MB."""
    port = free_port()
    argv = ["memcached", "-u", "root", "-l", "127.0.0.1", "-p", str(port), "-U", "0", "-m", "512", "-I", "2m"]
    with on_port(scope, argv, port, folder / "memcached.log"):
        yield port


@contextmanager
def nginx(scope: Scope, folder: Path, name: str, http: str, port: int) -> Iterator[int]:
    """nginx with the directives `http` in its http block, one of which listens on `port`."""
    prefix = folder / name
    prefix.mkdir()
    config = prefix / "nginx.conf"
    config.write_text(_NGINX.format(folder=prefix, http=http))
    argv = ["nginx", "-p", str(prefix), "-c", str(config), "-e", str(prefix / "error.log")]
    with on_port(scope, argv, port, prefix / "output.log"):
        yield port


@contextmanager
def nginx_origin(scope: Scope, folder: Path, root: Path, host: str = "127.0.0.1") -> Iterator[int]:
    """nginx that serves the files of `root` and stores what is PUT under /put/."""
    port = free_port()
    place = f"location / {{ root {root}; }} location /put/ {{ root {root}; dav_methods PUT; }}"
    with nginx(scope, folder, "origin", f"server {{ listen {host}:{port}; {place} }}", port):
        yield port


@contextmanager
def nginx_proxy(scope: Scope, folder: Path, origin: str) -> Iterator[int]:
    """nginx in front of the server `origin` (host:port), keeping its connections to it alive."""
    port = free_port()
    upstream = f"upstream origin {{ server {origin}; keepalive 16; }}"
    passed = 'proxy_pass http://origin; proxy_http_version 1.1; proxy_set_header Connection "";'
    http = f"{upstream} server {{ listen 127.0.0.1:{port}; location / {{ {passed} }} }}"
    with nginx(scope, folder, "proxy", http, port):
        yield port


@contextmanager
def haproxy(scope: Scope, folder: Path, mode: str, origin: str, *options: str) -> Iterator[int]:
    """HAProxy in front of the server `origin` (host:port), mode "http" or "tcp", with these options."""
    port = free_port()
    config = folder / "haproxy.cfg"
    lines = "\n  ".join(f"option {option}" for option in options)
    config.write_text(_HAPROXY.format(mode=mode, options=lines, port=port, origin=origin))
    with on_port(scope, ["haproxy", "-db", "-f", str(config)], port, folder / "haproxy.log"):
        yield port


@contextmanager
def postgres_data() -> Iterator[Path]:
    """A data directory fresh from initdb, where user postgres can reach it: pytest's folders are root's."""
    folder = Path(tempfile.mkdtemp(prefix="sockhop-postgres-"))
    try:
        shutil.chown(folder, "postgres", "postgres")
        options = ["--auth", "trust", "--encoding", "UTF8", "--no-locale", "--no-sync", "--pgdata", str(folder)]
        initdb = [*AS_POSTGRES, postgres_program("initdb"), *options]
        subprocess.run(initdb, check=True, capture_output=True, timeout=60)
        yield folder
    finally:
        shutil.rmtree(folder)


@contextmanager
def postgres(scope: Scope, data: Path) -> Iterator[int]:
    """PostgreSQL on a data directory made by initdb, as user postgres because it refuses root."""
    port = free_port()
    settings = [f"port={port}", "listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off"]
    argv = [*AS_POSTGRES, postgres_program("postgres"), "-D", str(data)]
    for setting in settings:
        argv += ["-c", setting]
    asked = ["pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)]
    with serving(scope, argv, lambda: subprocess.run(asked, check=False).returncode == 0, data / "server.log"):
        yield port


AS_POSTGRES = ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--clear-groups"]


def postgres_program(name: str) -> str:
    """The path of a PostgreSQL program that Debian keeps out of PATH; the newest version's."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: int(path.parts[4]))
    assert found, f"no PostgreSQL server is installed: {name} is not under /usr/lib/postgresql"
    return str(found[-1])


@contextmanager
def python_script(scope: Scope, folder: Path, name: str, *arguments: str) -> Iterator[int]:
    """A Python server next to this file; it gets the port to listen on as its last argument."""
    port = free_port()
    argv = [sys.executable, str(HERE / name), *arguments, str(port)]
    with on_port(scope, argv, port, folder / f"{name}.log"):
        yield port


@contextmanager
def python_http(scope: Scope, folder: Path, root: Path) -> Iterator[int]:
    """`python -m http.server` on the files of `root`."""
    port = free_port()
    options = ["--bind", "127.0.0.1", "--directory", str(root)]
    argv = [sys.executable, "-m", "http.server", *options, str(port)]
    with on_port(scope, argv, port, folder / "http.server.log"):
        yield port
