"""`python -m tests.vm [KERNEL …] [--command COMMAND]`: CONTRIBUTING.md says what for."""

from __future__ import annotations

import argparse
import compileall
import shlex
import signal
import sys
from pathlib import Path

from tests.vm import image, qemu, results, table
from tests.vm.kernels import KERNELS, Kernel, asked_for
from tests.vm.places import CHECKOUT, RESULTS, Failed
from tests.vm.results import Result

SUITE = (".venv/bin/python", "-m", "tests.vm.inside")
SECONDS = 1800.0
"""Twenty minutes are enough for a guest that is emulated on two cores of which nobody else wants any."""


def main() -> int:
    """Boot each kernel; 0 if sockhop and all of them get on as promised."""
    parser = argparse.ArgumentParser(prog="make vmtest")
    parser.add_argument("kernel", nargs="*", help="names of the list in kernels.py, or beginnings of releases")
    parser.add_argument("--command", help="run this in the guest in place of the tests, and show what it says")
    parser.add_argument("--pytest-args", default="", help="of the conformance suite, run what these select")
    parser.add_argument(
        "--seconds", type=float, default=SECONDS, help="a guest is ended after so many (%(default)s)"
    )
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # no guest outlives its host either
    # A guest cannot keep what it compiles, and compiles slowly.
    compileall.compile_dir(CHECKOUT / ".venv/lib", quiet=2)
    for directory in ("src", "tests"):
        compileall.compile_dir(CHECKOUT / directory, quiet=2)
    kernels = [asked_for(name) for name in asked.kernel] or KERNELS
    if asked.command:
        return max(_run(kernel, asked.command, asked.seconds) for kernel in kernels)
    # What only a part of the tests says does not go into the page.
    part = "-part" if asked.pytest_args else ""
    suite = shlex.join([*SUITE, *shlex.split(asked.pytest_args)])
    good = [_test(kernel, suite, RESULTS / f"{kernel.name}{part}", asked.seconds) for kernel in kernels]
    known = [kept for kernel in KERNELS if (kept := results.kept(RESULTS / kernel.name))]
    if len(known) == len(KERNELS):
        table.write(known)
    return 0 if all(good) else 1


def _test(kernel: Kernel, suite: str, where: Path, seconds: float) -> bool:
    """Run the tests in a guest and print its line. Whatever becomes of the guest, the next one follows."""
    try:
        ready = image.fetch(kernel)
    except Failed as failed:
        print(f"FAILED {kernel.name}: {failed}", file=sys.stderr, flush=True)
        return False
    result = results.read(kernel.name, ready.release, where, qemu.boot(ready, suite, where, seconds))
    print(result.line(), flush=True)
    for what in _details(result):
        print(f"    {what}", flush=True)
    if not result.good:
        print(f"    all that was said is in {where}", flush=True)
    return result.good


def _details(result: Result) -> list[str]:
    failed = [f"failed: {test}: {said}" for test, said in result.failed.items()]
    return [*failed, *(f"kernel log: {line}" for line in result.faults)]


def _run(kernel: Kernel, command: str, seconds: float) -> int:
    """Run a command in a guest, show what it said, and return its exit code."""
    where = RESULTS / f"{kernel.name}-command"
    try:
        ended = qemu.boot(image.fetch(kernel), command, where, seconds)
    except Failed as failed:
        print(f"vmtest: {kernel.name}: {failed}", file=sys.stderr)
        return 1
    _show(where / "output.log")
    if ended.code is None:
        print(f"vmtest: the guest ended after {ended.seconds:.0f} s without an exit code: see {where}/console.log")
        return 1
    return ended.code


def _show(path: Path) -> None:
    if path.exists():
        sys.stdout.write(path.read_text(errors="replace"))


if __name__ == "__main__":
    sys.exit(main())
