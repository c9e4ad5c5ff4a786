"""What runs inside a guest: what this kernel allows, whether its behaviour is as we know it, and how fast it is.

Each answer is written down at once, for the case that this kernel does not live to give the next.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sockhop.bench.cases import rr
from sockhop.bench.comparison import Comparison, Ratio
from sockhop.bench.effort import Effort
from sockhop.bench.machine import set_up
from sockhop.control.probes.answers import Support
from tests.vm.answers import ANSWERS
from tests.waiting import PATIENCE

SOCKHOP = Path(sys.executable).with_name("sockhop")
RESULTS = Path(os.environ["SOCKHOP_RESULTS"])
RMEM_MAX = Path("/proc/sys/net/core/rmem_max")

CONFORMANCE = ("tests/conformance", "--numprocesses=2", "--dist=worksteal")
STREAMS = ("tests/stress/test_streams.py", "-k", "test_random")
PROGRAM = ("tests/programs/test_stores.py", "-k", "redis_values")
DEMONSTRATION = ("tests/vm/demonstration.py",)
"""Shows that a kernel is refused for the reason that `check` gives."""

SPEED = Comparison(
    name="rr",
    title="request and response of 1 KB",
    group="speed",
    arms=("tcp", "hop"),
    sample=rr.sample("1K"),
    ratios=[Ratio("hop", "tcp")],
)
EFFORT = Effort(rounds=5, run_ms=300, warm_ms=50)


def check() -> dict[str, Any]:
    """What `sockhop check` answers."""
    done = subprocess.run([SOCKHOP, "check", "--json"], capture_output=True, text=True, check=False)
    if not done.stdout:
        raise RuntimeError(f"sockhop check ended with {done.returncode}: {done.stderr}")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def make_room() -> int:
    """Give sockets the room that `check` asks for, which kernels from 6.16 on have by themselves."""
    most = max(int(RMEM_MAX.read_text()), 4 << 20)
    RMEM_MAX.write_text(str(most))
    return most


def tests(selection: tuple[str, ...]) -> int:
    """Run tests, which record themselves; pytest's exit code."""
    options = ["-p", "tests.vm.recorder", "-p", "no:cacheprovider", "-q", "--durations=20"]
    options.append(f"--timeout={120 * PATIENCE:.0f}")
    return subprocess.run([sys.executable, "-m", "pytest", *options, *selection], check=False).returncode


def speed() -> dict[str, Any]:
    """Round trips a second over TCP and hopped, and the ratio."""
    with set_up() as machine:
        (row,) = SPEED.measure(machine, EFFORT).rows
    return {"ratio": row.value, "failed": row.failed}


def answer(name: str, question: Callable[[], Any]) -> Any:
    """Ask, write the answer and the seconds that it took down, and return it."""
    begin = time.monotonic()
    given = question()
    line = {"name": name, "answer": given, "seconds": round(time.monotonic() - begin, 1)}
    with (RESULTS / ANSWERS).open("a") as file:
        file.write(json.dumps(line) + "\n")
    return given


def main() -> None:
    """Ask everything that makes sense on this kernel; arguments select among the conformance suite's cases."""
    chosen = tuple(sys.argv[1:])
    answer("kernel", platform.release)
    given = answer("check", check)
    if given["support"] == Support.REFUSED:
        answer("demonstration", lambda: tests(DEMONSTRATION))
    else:
        answer("rmem_max", make_room)
        answer("conformance", lambda: tests(CONFORMANCE + chosen))
        answer("streams", lambda: tests(STREAMS))
        answer("program", lambda: tests(PROGRAM))
        answer("speed", speed)


if __name__ == "__main__":
    main()
