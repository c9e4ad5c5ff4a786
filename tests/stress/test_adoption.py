"""Connections taken out of the map and into it again in mid-stream, every byte checked: see streams.c."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sockhop.control import walking
from tests.conftest import NEVER, Scope
from tests.stress.harness import SEED, TIMES
from tests.waiting import until

pytestmark = [pytest.mark.bpf, pytest.mark.timeout(120 * TIMES)]

SECONDS = 5.0 * TIMES


@pytest.mark.parametrize("reader", ["level", "edge"])
def test_out_and_in_in_mid_stream(scope: Scope, c_tool: Callable[[str], Path], reader: str) -> None:
    """A rule sends all to the stack, and those that are empty leave; without it they are adopted again."""
    instance = scope.hops._up()
    streams = c_tool("tests/stress/streams.c")
    adopted = 0
    end = time.monotonic() + SECONDS
    for seed in range(SEED, SEED + 1_000_000):
        argv = [streams, "--load", "random", "--reader", reader, "--bytes", 64 << 20, "--seed", seed]
        with scope.popen(argv) as running:
            try:
                until(
                    lambda: scope.hops.status().sockets.tracked >= 8 or running.poll() is not None, "some are in"
                )
                while running.poll() is None:
                    instance.set_rules([NEVER])
                    walking.everywhere(instance, "drain")
                    instance.set_rules([])
                    before = instance.gauge().adopted
                    walking.everywhere(instance, "adopt")
                    adopted += instance.gauge().adopted - before
                assert running.returncode == 0
            finally:
                running.kill()
        if time.monotonic() > end:
            break
    status = scope.hops.status()
    print(f"{adopted} sockets adopted, {status.hop}, {status.stack}")
    assert adopted > 20
    assert status.hop.messages > 20
    assert status.stack.reasons["class"] > 20
