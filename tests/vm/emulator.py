"""QEMU without KVM: the machine's own, or a newer one of Debian's where two processors are too much for it."""

from __future__ import annotations

import platform
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

from tests.vm import apt
from tests.vm.places import BUILD, Failed

QEMU = "qemu-system-x86_64"
TRUSTED = (8, 1)
"""Before, one processor may run what another has just patched away, and a kernel, which patches itself, dies of an
int3 (cured by "accel/tcg: Always lock pages before translation")."""
PARTS = ("qemu-system-x86", "qemu-system-common", "qemu-system-data", "seabios")
UNPACKED = BUILD / "qemu"

# Plain features are the quickest to emulate. A newer processor only brings longer instructions, and the kernel
# uses them: string copies, wide registers to save, and guards around each access to user memory.
PROCESSOR = "Nehalem"


@cache
def command() -> tuple[str, ...]:
    """The beginning of the command line, up to the processor."""
    if version(QEMU) >= TRUSTED:
        return _emulated([QEMU], "multi")
    try:
        binary = _newer()
    except Failed:
        return _emulated([QEMU], "single")  # one thread for both processors: slower, but right
    data = [part for name in ("seabios", "qemu") for part in ("-L", f"{UNPACKED}/usr/share/{name}")]
    return _emulated([str(binary), *data], "multi")


def _emulated(program: list[str], thread: str) -> tuple[str, ...]:
    return (*program, "-accel", f"tcg,thread={thread},tb-size=1024", "-cpu", PROCESSOR)


def version(program: str | Path) -> tuple[int, ...]:
    """What it says that it is; nothing for one that does not run."""
    try:
        said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout
    except OSError:
        return ()
    return tuple(map(int, re.findall(r"version (\d+)\.(\d+)", said)[0])) if "version" in said else ()


def _newer() -> Path:
    """The binary of this release's backports, unpacked. Raises Failed."""
    binary = UNPACKED / "usr/bin" / QEMU
    if not binary.exists():
        making = UNPACKED.with_name("qemu-making")
        shutil.rmtree(making, ignore_errors=True)
        suite = f"{platform.freedesktop_os_release().get('VERSION_CODENAME', '')}-backports"
        for deb in apt.download([f"{part}/{suite}" for part in PARTS], making / "debs"):
            subprocess.run(["dpkg-deb", "-x", deb, making / "tree"], check=True)
        (making / "tree").rename(UNPACKED)
        shutil.rmtree(making)
    if version(binary) < TRUSTED:
        raise Failed(f"{binary} does not run here, or is no newer")
    return binary
