"""PostgreSQL: pgbench, whose books must balance, and 100 MB copied out and in."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Scope

from .bodies import digest
from .counters import hopped
from .servers import postgres, postgres_data

# 105,000 lines of 0 to 2 KB.
_LINES = "SELECT g AS id, repeat(md5(g::text), g % 64) AS line FROM generate_series(1, 105000) AS g"

_PIPELINE = r"""
\set account random(1, 100000)
\startpipeline
SELECT abalance FROM pgbench_accounts WHERE aid = :account;
SELECT repeat(md5(:account::text), 100);
\endpipeline
"""

_BOOKS = """
SELECT count(DISTINCT sum) FROM (
  SELECT sum(abalance) FROM pgbench_accounts UNION ALL SELECT sum(bbalance) FROM pgbench_branches
  UNION ALL SELECT sum(tbalance) FROM pgbench_tellers UNION ALL SELECT sum(delta) FROM pgbench_history
) AS sums
"""


@pytest.fixture(scope="module")
def data() -> Iterator[Path]:
    with postgres_data() as folder:
        yield folder


def client(port: int, program: str, *arguments: str) -> list[str]:
    """The command line of a PostgreSQL client over TCP."""
    return [program, "-h", "127.0.0.1", "-p", str(port), "-U", "postgres", *arguments, "postgres"]


def psql(scope: Scope, port: int, command: str) -> str:
    """What one SQL or backslash command prints."""
    argv = client(port, "psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", command)
    return str(scope.run(argv, check=True, stdout=subprocess.PIPE, text=True, timeout=60).stdout).strip()


def pgbench(scope: Scope, port: int, *arguments: str) -> int:
    """Run pgbench; how many transactions it made, none of which may have failed."""
    argv = client(port, "pgbench", "-n", "-j", "2", *arguments)
    report = scope.run(argv, check=True, stdout=subprocess.PIPE, text=True, timeout=60).stdout
    assert re.search(r"failed transactions: 0 ", report), report
    made = re.search(r"actually processed: ([1-9]\d*)", report)
    assert made, report
    return int(made[1])


def test_pgbench(scope: Scope, data: Path, tmp_path: Path) -> None:
    """Reads by all three protocols, a pipeline, and writes after which all four tables hold the same sum."""
    script = tmp_path / "pipeline.sql"
    script.write_text(_PIPELINE)
    with postgres(scope, data) as port:
        scope.run(client(port, "pgbench", "-i", "-q"), check=True, capture_output=True, timeout=60)
        with hopped(scope) as moved:
            for protocol in ("simple", "extended", "prepared"):
                made = pgbench(scope, port, "-S", "-M", protocol, "-c", "8", "-T", "1")
                moved.payload += 20 * made  # an account number there and a balance back, in their messages
            made = pgbench(scope, port, "-f", str(script), "-M", "prepared", "-c", "4", "-t", "500")
            moved.payload += 3200 * made
            made = pgbench(scope, port, "-c", "4", "-T", "2")
            moved.payload += 100 * made
        assert psql(scope, port, _BOOKS) == "1", "the sums of pgbench's tables differ"
        assert int(psql(scope, port, "SELECT count(*) FROM pgbench_history")) == made


def test_copy_of_100_mb(scope: Scope, data: Path, tmp_path: Path) -> None:
    """Out, in, and out again: the two files are the same. Who writes, 8 KB at a time, may outrun who reads."""
    first, second = tmp_path / "first", tmp_path / "second"
    with postgres(scope, data) as port, hopped(scope) as moved:
        psql(scope, port, f"CREATE UNLOGGED TABLE original AS {_LINES}")
        psql(scope, port, "CREATE UNLOGGED TABLE copied (LIKE original)")
        psql(scope, port, rf"\copy (SELECT * FROM original ORDER BY id) TO '{first}'")
        psql(scope, port, rf"\copy copied FROM '{first}'")
        psql(scope, port, rf"\copy (SELECT * FROM copied ORDER BY id) TO '{second}'")
        moved.payload += 3 * first.stat().st_size
        psql(scope, port, "DROP TABLE original, copied")
    assert first.stat().st_size > 100_000_000
    assert digest(first) == digest(second)
