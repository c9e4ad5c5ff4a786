"""The mounted file systems that sockhop needs: bpffs and cgroup v2."""

import ctypes
import os
import re
from dataclasses import dataclass
from pathlib import Path

from sockhop.errors import Unsupported

BPFFS = Path("/sys/fs/bpf")


@dataclass(frozen=True)
class Mount:
    """One line of ``/proc/self/mountinfo`` (proc_pid_mountinfo(5))."""

    root: str
    point: Path
    kind: str


def mounts() -> list[Mount]:
    """Return what is mounted in this mount namespace, oldest first."""
    found = []
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        before, _, after = line.partition(" - ")
        root, point = before.split()[3:5]
        found.append(Mount(_unescaped(root), Path(_unescaped(point)), after.split()[0]))
    return found


def _unescaped(field: str) -> str:
    """Undo the octal escapes that the kernel writes for white space and backslashes (mangle_path)."""
    return re.sub(r"\\([0-7]{3})", lambda escape: chr(int(escape[1], 8)), field)


def has_bpffs() -> bool:
    """Whether a bpffs is mounted where the kernel's documentation puts it."""
    kinds = [mount.kind for mount in mounts() if mount.point == BPFFS]
    return kinds[-1:] == ["bpf"]  # a later mount covers the earlier


def require_bpffs() -> Path:
    """Return the bpffs, mounting it if it is not there.

    Raises :class:`Unsupported` where that is not allowed.
    """
    if not has_bpffs():
        libc = ctypes.CDLL(None, use_errno=True)
        if not BPFFS.is_dir() or libc.mount(b"bpf", str(BPFFS).encode(), b"bpf", 0, None):
            why = os.strerror(ctypes.get_errno()) if BPFFS.is_dir() else "no such directory"
            raise Unsupported(
                f"no bpffs at {BPFFS}, and mounting one failed ({why}). "
                f"Mount it where you may: mount -t bpf bpf {BPFFS}"
            )
    return BPFFS


def cgroup2() -> Mount:
    """Return the mount of cgroup v2. Raises :class:`Unsupported` when only v1 is mounted."""
    for mount in mounts():
        if mount.kind == "cgroup2":
            return mount
    raise Unsupported(
        "no cgroup v2 is mounted (BPF programs for sockets cannot be attached to v1). "
        "Mount it: mount -t cgroup2 none /sys/fs/cgroup, or boot with systemd.unified_cgroup_hierarchy=1"
    )
