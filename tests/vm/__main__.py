"""`python -m tests.vm [KERNEL …] [--command COMMAND]`: see CONTRIBUTING.md, under kernels."""

from __future__ import annotations

import argparse
import sys

from tests.vm import image, qemu
from tests.vm.kernels import KERNELS, asked_for
from tests.vm.places import RESULTS, Failed


def main() -> int:
    """Boot each kernel; 0 if all is well."""
    parser = argparse.ArgumentParser(prog="vmtest")
    parser.add_argument("kernel", nargs="*")
    parser.add_argument("--command", help="run this in place of the tests, and show what it says")
    parser.add_argument("--seconds", type=float, default=1200.0, help="after that a guest is ended (%(default)s)")
    asked = parser.parse_args()
    for kernel in map(asked_for, asked.kernel) if asked.kernel else KERNELS:
        try:
            ready = image.fetch(kernel)
        except Failed as failed:
            print(f"vmtest: {kernel.name}: {failed}", file=sys.stderr)
            return 1
        results = RESULTS / kernel.name
        ended = qemu.boot(ready, asked.command, results, asked.seconds)
        print(ready.release, ended)
        print((results / "output.log").read_text() if ended.started else (results / "console.log").read_text())
    return 0


if __name__ == "__main__":
    sys.exit(main())
