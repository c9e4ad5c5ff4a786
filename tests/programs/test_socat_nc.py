"""socat and nc, as the walkthrough uses them: an echo server, and files of which every byte is compared."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Scope

from .bodies import digest, random_file
from .counters import hopped
from .ports import free_port, listening
from .servers import on_port, serving

SIZE = 50 << 20


def test_socat_echo_server_with_nc(scope: Scope, tmp_path: Path) -> None:
    """The walkthrough's pair, line by line: what nc prints is what it was given."""
    port = free_port()
    echo = ["socat", f"TCP4-LISTEN:{port},bind=127.0.0.1,reuseaddr,fork", "EXEC:cat"]
    with on_port(scope, echo, port, tmp_path / "socat.log"), hopped(scope) as moved:
        nc = ["nc", "-N", "127.0.0.1", str(port)]
        client = scope.popen(nc, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert client.stdin
        assert client.stdout
        for number in range(1000):
            line = f"line {number} {'x' * (number % 100)}\n"
            client.stdin.write(line)
            client.stdin.flush()
            assert client.stdout.readline() == line
            moved.payload += 2 * len(line)
        rest, _ = client.communicate(timeout=10)
        assert (rest, client.returncode) == ("", 0)


@pytest.mark.parametrize(("settings", "least"), [({}, 0), ({"burst_bytes": 0}, 0.5)], ids=["default", "no-bursts"])
def test_file_through_nc(
    make_scope: Callable[..., Scope], tmp_path: Path, settings: dict[str, int], least: float
) -> None:
    """nc to nc: one takes a single connection into a file, and the end of the file ends both.

    It writes 16 KB at a time with Nagle on, which is a burst.
    """
    scope = make_scope(**settings)
    original, copy, port = random_file(tmp_path / "original", SIZE), tmp_path / "copy", free_port()
    taker = ["nc", "-d", "-l", "127.0.0.1", str(port)]
    with serving(scope, taker, lambda: listening(port), copy) as server, hopped(scope, least) as moved:
        with original.open("rb") as source:
            scope.run(["nc", "-N", "127.0.0.1", str(port)], stdin=source, check=True, timeout=60)
        assert server.wait(timeout=30) == 0
        moved.payload += SIZE
    assert digest(copy) == digest(original)


@pytest.mark.parametrize(
    ("options", "least"), [([], 0), (["-b", str(256 << 10)], 0.5)], ids=["default", "large-blocks"]
)
def test_files_both_ways_through_socat(scope: Scope, tmp_path: Path, options: list[str], least: float) -> None:
    """Two socats swap files of 50 MB, both ways at once, each closing its half when its file ends.

    By default socat writes 8 KB at a time with Nagle on: where that streams, TCP is faster, and takes what
    is_nagle_burst() leaves it.
    """
    port = free_port()
    originals = [random_file(tmp_path / f"original{end}", SIZE, seed=end) for end in (0, 1)]
    copies = [tmp_path / "copy0", tmp_path / "copy1"]
    files = [f"OPEN:{originals[end]},rdonly!!CREATE:{copies[end]}" for end in (0, 1)]
    socat = ["socat", "-t", "30", *options]
    taker = [*socat, f"TCP6-LISTEN:{port},bind=[::1]", files[0]]
    with (
        serving(scope, taker, lambda: listening(port), tmp_path / "socat.log") as server,
        hopped(scope, least=least) as moved,
    ):
        scope.run([*socat, f"TCP6:[::1]:{port}", files[1]], check=True, timeout=60)
        assert server.wait(timeout=30) == 0
        moved.payload += 2 * SIZE
    assert digest(copies[0]) == digest(originals[1])
    assert digest(copies[1]) == digest(originals[0])
