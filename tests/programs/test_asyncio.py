"""A Python asyncio server and its clients, both standard library only."""

import sys
from pathlib import Path

import pytest

from tests.conftest import Scope

from .counters import hopped
from .servers import HERE, python_script


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_asyncio_echo(scope: Scope, tmp_path: Path, host: str) -> None:
    """Fifty connections at once, each echoing 1 MB in writes of 1 B to 200 KB."""
    with (
        python_script(scope, tmp_path, "asyncio_echo.py", "serve", host) as port,
        hopped(scope) as moved,
    ):
        client = [sys.executable, str(HERE / "asyncio_echo.py"), "check", host, str(port), "50", str(1 << 20)]
        scope.run(client, check=True, timeout=60)
        moved.payload += 2 * 50 << 20
