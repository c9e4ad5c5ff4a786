"""redis and memcached: every value compared, and the load that redis-benchmark makes."""

import csv
import io
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Scope

from .counters import hopped
from .servers import HERE, memcached, redis


def check_values(scope: Scope, kind: str, port: int, clients: int, size: int) -> int:
    """Let `clients` kv_client.py at once check about `size` bytes of values each; bytes moved in all."""
    argv = [sys.executable, str(HERE / "kv_client.py"), kind, "127.0.0.1", str(port)]
    running = [
        scope.popen([*argv, str(seed), str(size)], stdout=subprocess.PIPE, text=True) for seed in range(clients)
    ]
    moved = 0
    for client in running:
        output, _ = client.communicate(timeout=60)
        assert client.returncode == 0
        moved += int(output)
    return moved


def test_redis_values(scope: Scope, tmp_path: Path) -> None:
    """Values of 1 B to 1 MB from several clients at once, one by one and pipelined."""
    with redis(scope, tmp_path) as port, hopped(scope) as moved:
        moved.payload += check_values(scope, "redis", port, clients=4, size=16 << 20)


def test_redis_cli(scope: Scope, tmp_path: Path) -> None:
    """`redis-cli -x SET` stores what `redis-cli GET` prints again, over IPv6."""
    source = random.Random(1)
    with redis(scope, tmp_path) as port, hopped(scope) as moved:
        cli = ["redis-cli", "-h", "::1", "-p", str(port)]
        for size in (1, 100, 4096, 16384, 100_000, 1 << 20):
            value = source.randbytes(size)
            stored = scope.run([*cli, "-x", "SET", "key"], input=value, stdout=subprocess.PIPE, timeout=30)
            assert stored.stdout == b"OK\n"
            printed = scope.run([*cli, "GET", "key"], stdout=subprocess.PIPE, timeout=30)
            assert printed.stdout == value + b"\n"
            moved.payload += 2 * size


@pytest.mark.parametrize("pipeline", [1, 16])
def test_redis_benchmark(scope: Scope, tmp_path: Path, pipeline: int) -> None:
    """50 clients; redis counts what reached it."""
    requests, size = 50_000, 1024
    with redis(scope, tmp_path) as port, hopped(scope) as moved:
        benchmark = ["redis-benchmark", "-p", str(port), "-c", "50", "-n", str(requests), "-P", str(pipeline)]
        load = [*benchmark, "-t", "set,get", "-d", str(size), "-r", "1000", "--csv"]
        report = scope.run(load, check=True, capture_output=True, text=True, timeout=60).stdout
        rates = {row["test"]: float(row["rps"]) for row in csv.DictReader(io.StringIO(report))}
        assert rates.keys() == {"SET", "GET"}, report
        assert min(rates.values()) > 0, report
        asked = ["redis-cli", "-p", str(port), "INFO", "commandstats"]
        counted = scope.run(asked, check=True, capture_output=True, text=True, timeout=30).stdout
        for command in ("set", "get"):
            (line,) = re.findall(f"cmdstat_{command}:.*", counted)
            assert f"calls={requests}," in line, line
            assert "failed_calls=0" in line, line
        moved.payload += 2 * requests * size


def test_memcached_values(scope: Scope, tmp_path: Path) -> None:
    """The same values as redis, through the text protocol."""
    with memcached(scope, tmp_path) as port, hopped(scope) as moved:
        moved.payload += check_values(scope, "memcached", port, clients=4, size=16 << 20)


def test_memcached_load(scope: Scope, tmp_path: Path) -> None:
    """Many clients at once, more than memcached has threads."""
    with memcached(scope, tmp_path) as port, hopped(scope) as moved:
        moved.payload += check_values(scope, "memcached", port, clients=24, size=2 << 20)
