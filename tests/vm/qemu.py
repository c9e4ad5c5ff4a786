"""Booting a guest and waiting for its end, whatever end that is."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.vm import emulator
from tests.vm.image import Image
from tests.vm.places import CHECKOUT, RESULTS

KVM = (emulator.QEMU, "-accel", "kvm", "-cpu", "host")
PROBE_SECONDS = 60.0
"""More than a guest takes to start under KVM."""
PATIENCE = 4
"""How many times longer an emulated guest's tests wait: see tests/waiting.py."""
CPUS, MEMORY = 2, "4G"
KERNEL = "console=ttyS0 ignore_loglevel log_buf_len=4M panic=-1 oops=panic mitigations=off"
"""An oops ends the guest, as a panic does: what was said before is in the console's file. Mitigations would guard
nothing here, and are slow to emulate."""


@dataclass(frozen=True)
class Ended:
    """How a guest ended."""

    seconds: float
    started: bool
    """It reached its command."""
    code: int | None
    """The command's exit code; None if the guest went before it."""
    in_time: bool
    """It ended by itself."""


def boot(image: Image, command: str, results: Path, seconds: float) -> Ended:
    """Run a shell command as root in a guest, from this checkout. Its output and the kernel's go to `results`."""
    return _run(image, command, results, seconds, KVM if has_kvm(image) else emulator.command())


@cache
def has_kvm(image: Image) -> bool:
    """Whether a guest runs under KVM here. /dev/kvm may be there and of no use, so it is tried."""
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return False
    return _run(image, "true", RESULTS / "kvm", PROBE_SECONDS, KVM).code == 0


def _run(image: Image, command: str, results: Path, seconds: float, how: tuple[str, ...]) -> Ended:
    shutil.rmtree(results, ignore_errors=True)
    results.mkdir(parents=True)
    (results / "command").write_text(command + "\n")
    begin = time.monotonic()
    with (results / "qemu.log").open("wb") as log:
        guest = subprocess.Popen(_argv(image, results, how), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            guest.wait(seconds)
            in_time = True
        except subprocess.TimeoutExpired:
            in_time = False
        finally:
            guest.kill()
            guest.wait()
    ended = results / "ended"
    code = int(ended.read_text() or -1) if ended.exists() else None
    return Ended(time.monotonic() - begin, (results / "started").exists(), code, in_time)


def _argv(image: Image, results: Path, how: tuple[str, ...]) -> list[str]:
    said = {
        "SOCKHOP_CHECKOUT": CHECKOUT,
        "SOCKHOP_KERNEL": image.directory,
        "SOCKHOP_RESULTS": results,
        "SOCKHOP_PATH": os.environ["PATH"],
        "SOCKHOP_PATIENCE": 1 if how is KVM else PATIENCE,
    }
    append = " ".join([KERNEL, *(f"{name}={value}" for name, value in said.items())])
    argv = [*how, "-machine", "q35", "-smp", str(CPUS), "-m", MEMORY]
    argv += ["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"]
    argv += ["-kernel", str(image.vmlinuz), "-initrd", str(image.initramfs), "-append", append]
    argv += ["-serial", f"file:{results}/console.log", "-device", "virtio-rng-pci"]
    argv += _shared("host", Path("/"), "readonly=on,multidevs=remap") + _shared("results", results, "readonly=off")
    return argv


def _shared(tag: str, path: Path, options: str) -> list[str]:
    directory = f"local,id={tag},path={path},security_model=none,{options}"
    return ["-fsdev", directory, "-device", f"virtio-9p-pci,fsdev={tag},mount_tag={tag}"]
