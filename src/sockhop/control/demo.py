"""``demo``: unmodified Redis over loopback, on the stack and hopping, one after the other and again."""

import shutil
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sockhop.control.accelerator import Accelerator
from sockhop.control.status import Status
from sockhop.errors import SockhopError, Unsupported
from sockhop.kernel import cgroups, signals

ROUNDS = 3
REQUESTS = 40_000
WARM_UP = 5_000
CLIENTS = 50
TESTS = ("get", "set")


@dataclass(frozen=True)
class Row:
    """One test: requests a second on the stack and hopping (medians), and how many messages hopped."""

    test: str
    tcp: float
    hop: float
    hopped: int
    messages: int

    @property
    def ratio(self) -> float:
        """How many times as many requests a second."""
        return self.hop / self.tcp

    def as_json(self) -> dict[str, Any]:
        """Return the row for ``--json``."""
        return {**asdict(self), "ratio": self.ratio}


def compare() -> list[Row]:
    """Measure both arms in turn. Raises :class:`Unsupported` where Redis is not installed."""
    for program in ("redis-server", "redis-benchmark"):
        if not shutil.which(program):
            raise Unsupported(
                f"the demo shows sockhop on Redis, and {program} is not installed. Install it: "
                "apt-get install redis-server redis-tools"
            )
    with (
        signals.interrupting(),
        cgroups.fresh(f"sockhop-demo-{time.monotonic_ns()}") as scope,
        Accelerator(scope) as hops,
        _server(cgroups.own()) as plain,
        _server(scope) as hopping,
    ):
        return [_row(test, plain, hopping, scope, hops) for test in TESTS]


def _row(test: str, plain: int, hopping: int, scope: Path, hops: Accelerator) -> Row:
    _requests_per_second(test, hopping, scope, WARM_UP)  # in which sockhop learns what Redis does
    before = hops.status()
    tcp, hop = [], []
    for _ in range(ROUNDS):
        tcp.append(_requests_per_second(test, plain, cgroups.own()))
        hop.append(_requests_per_second(test, hopping, scope))
    after = hops.status()
    return Row(
        test.upper(),
        statistics.median(tcp),
        statistics.median(hop),
        after.hop.messages - before.hop.messages,
        _messages(after) - _messages(before),
    )


def _messages(status: Status) -> int:
    return status.hop.messages + status.stack.messages


@contextmanager
def _server(cgroup: Path) -> Iterator[int]:
    """A Redis of its own in the cgroup; yields its port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as directory:
        arguments = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", directory]
        with _running(cgroup, ["redis-server", *arguments], stdout=subprocess.DEVNULL) as server:
            _wait_for(port, server)
            yield port


@contextmanager
def _running(cgroup: Path, argv: list[str], **options: Any) -> Iterator["subprocess.Popen[Any]"]:
    """A process in the cgroup that ends with the block; Ctrl-C while it is being started leaves none behind."""
    with ExitStack() as ending:
        with signals.noted():
            process = cgroups.popen(cgroup, argv, **options)
            ending.callback(process.wait)
            ending.callback(process.terminate)
        yield process


def _wait_for(port: int, server: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError as error:
            if server.poll() is not None or time.monotonic() > deadline:
                raise SockhopError(f"redis-server did not come up on port {port}: {error}") from error
        else:
            return


def _requests_per_second(test: str, port: int, cgroup: Path, requests: int = REQUESTS) -> float:
    arguments = ["-p", str(port), "-t", test, "-n", str(requests), "-c", str(CLIENTS), "--csv"]
    with _running(cgroup, ["redis-benchmark", *arguments], stdout=subprocess.PIPE, text=True) as client:
        output, _ = client.communicate()
    if client.returncode:
        raise SockhopError(f"redis-benchmark ended with {client.returncode}: {output.strip()}")
    # "test","rps",… then "GET","93000.00",…
    return float(output.splitlines()[-1].split(",")[1].strip('"'))
