"""A kernel of Debian, ready to be booted: chosen, fetched, unpacked, and kept for the next time."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.vm import apt, initramfs
from tests.vm.apt import Package
from tests.vm.kernels import Kernel
from tests.vm.places import KERNELS, Failed

# The ordinary image, not those of cloud, rt or without a signature. Since 7.0 it is only the name of its parts.
IMAGE = re.compile(r"linux-image-(?P<release>\d[\d.]*(?:-\d+)?(?:\+deb[\d.]+)?-amd64)")
PARTS = re.compile(r"linux-(?:base|binary|modules)-\d.*-amd64")


@dataclass(frozen=True)
class Image:
    """What QEMU and the guest need of a kernel."""

    release: str
    """As `uname -r` has it."""
    directory: Path

    @property
    def vmlinuz(self) -> Path:
        return self.directory / "vmlinuz"

    @property
    def initramfs(self) -> Path:
        return self.directory / "initramfs"


def numbers(release: str) -> tuple[int, ...]:
    """A release as what it is sorted by: "6.12.43+deb12-amd64" comes after "6.1.0-47-amd64"."""
    return tuple(map(int, re.findall(r"\d+", release.removesuffix("-amd64"))))


def fits(kernel: Kernel, package: Package) -> bool:
    """Whether the package is one of those that the line of the list means."""
    image = IMAGE.fullmatch(package.name)
    series = numbers(kernel.series)
    return (
        image is not None
        and package.suite.startswith(kernel.suites)
        and numbers(image["release"])[: len(series)] == series
    )


def candidates(kernel: Kernel, packages: list[Package]) -> list[Package]:
    """The packages that fit, the one that is meant first."""
    fitting = [package for package in packages if fits(kernel, package)]
    return sorted(fitting, key=lambda package: numbers(package.name), reverse=not kernel.oldest)


def fetch(kernel: Kernel) -> Image:
    """The image of a kernel of the list, from the cache if it is there. Raises Failed."""
    apt.refresh()
    for package in candidates(kernel, apt.packages("linux-image-")):
        needs = apt.depends(package.name, package.version)
        if not any(IMAGE.fullmatch(name) for name in needs):  # a package of no content that needs an image
            image = _unpacked(package, [name for name in needs if PARTS.fullmatch(name)])
            initramfs.build(image.initramfs, image.directory / "lib/modules" / image.release)
            return image
    raise Failed(
        f"no suite has a kernel {kernel.name!r}: see `apt-cache search linux-image`, and the list in "
        "tests/vm/kernels.py; KERNEL= takes a name of that list, or the beginning of a release"
    )


def _unpacked(package: Package, parts: list[str]) -> Image:
    image = Image(package.name.removeprefix("linux-image-"), KERNELS / package.name.removeprefix("linux-image-"))
    if image.directory.exists():
        return image
    making = KERNELS / "making"
    shutil.rmtree(making, ignore_errors=True)
    print(f"vmtest: fetching {package.name} {package.version} of {package.suite}", flush=True)
    wanted = [f"{name}={package.version}" for name in (package.name, *parts)]
    for deb in apt.download(wanted, making / "debs"):
        subprocess.run(["dpkg-deb", "-x", deb, making / "tree"], check=True)
    ready = Image(image.release, making / "ready")
    modules = ready.directory / "lib/modules" / image.release
    modules.parent.mkdir(parents=True)
    for parent in ("lib", "usr/lib"):
        if (found := making / "tree" / parent / "modules" / image.release).exists():
            found.rename(modules)
    for vmlinuz in (making / "tree/boot" / f"vmlinuz-{image.release}", modules / "vmlinuz"):
        if vmlinuz.exists():
            vmlinuz.rename(ready.vmlinuz)
    if not (ready.vmlinuz.exists() and modules.exists()):
        raise Failed(f"{package.name} {package.version} has no kernel or no modules where Debian puts them")
    subprocess.run(["depmod", "-b", ready.directory, image.release], check=True)
    ready.directory.rename(image.directory)
    shutil.rmtree(making)
    return image
