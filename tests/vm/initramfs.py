"""The first file system of a guest: busybox, the modules that reach the host's files, and a script."""

from __future__ import annotations

import lzma
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.vm.places import Failed

BUSYBOX = Path("/bin/busybox")
INIT = Path(__file__).with_name("guest") / "init"
MODULES = ("virtio_pci", "virtio_rng", "9p", "9pnet_virtio", "overlay")
DIRECTORIES = ("bin", "dev", "proc", "sys", "host", "layer", "root", "modules")


def build(output: Path, modules: Path) -> None:
    """Write it, for the kernel whose modules are in that directory."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        for directory in DIRECTORIES:
            (root / directory).mkdir()
        shutil.copy(BUSYBOX, root / "bin/busybox")
        shutil.copy(INIT, root / "init")
        (root / "init").chmod(0o755)
        order = []
        for path in in_order(modules):
            order.append(path.name.split(".")[0])
            (root / "modules" / f"{order[-1]}.ko").write_bytes(_plain(path))
        (root / "modules/order").write_text("\n".join(order))
        names = "\n".join(str(path.relative_to(root)) for path in sorted(root.rglob("*")))
        archive = ["cpio", "--create", "--format=newc", "--quiet"]
        with output.open("wb") as file:
            subprocess.run(archive, input=names.encode(), stdout=file, cwd=root, check=True)


def in_order(modules: Path) -> list[Path]:
    """The files of MODULES and of what they need, each after its own needs. What is built in has none."""
    needs = {}
    for line in (modules / "modules.dep").read_text().splitlines():
        path, _, others = line.partition(":")
        needs[path] = others.split()
    paths = {re.sub(r"\.ko.*", "", Path(path).name).replace("-", "_"): path for path in needs}
    ordered: dict[str, None] = {}
    for name in MODULES:
        if name in paths:
            # modules.dep has what a module needs, with all that those need, the innermost last.
            ordered.update(dict.fromkeys([*reversed(needs[paths[name]]), paths[name]]))
    return [modules / path for path in ordered]


def _plain(path: Path) -> bytes:
    content = path.read_bytes()
    if path.suffix == ".ko":
        return content
    if path.suffix == ".xz":
        return lzma.decompress(content)
    raise Failed(f"{path.name} is compressed in a way that tests/vm/initramfs.py does not know: teach it")
