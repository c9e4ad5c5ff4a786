"""Network namespaces of the calling process. A socket keeps the namespace in which it was made."""

from __future__ import annotations

import ctypes
import os
import subprocess
from pathlib import Path

CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


def new_namespace() -> int:
    """Move this thread to a fresh network namespace with its loopback up: a descriptor of it."""
    if _libc.unshare(CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "unshare(CLONE_NEWNET)")
    ip("link set lo up")
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def enter(namespace: int) -> None:
    """Move this thread to that network namespace."""
    if _libc.setns(namespace, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


def two_over_veth() -> tuple[int, int]:
    """Two fresh namespaces joined by veth: 10.77.0.1 in the first, 10.77.0.2 in the second."""
    first = new_namespace()
    second = new_namespace()
    ip(f"link add here type veth peer name there netns /proc/{os.getpid()}/fd/{first}")
    ip("address add 10.77.0.2/24 dev here")
    ip("link set here up")
    enter(first)
    ip("address add 10.77.0.1/24 dev there")
    ip("link set there up")
    return first, second


def ip(command: str) -> None:
    """Run `ip` in this thread's namespace."""
    subprocess.run(["ip", *command.split()], check=True, capture_output=True)


def nft(rules: str) -> None:
    """Load nftables rules in this thread's namespace."""
    subprocess.run(["nft", "-f", "-"], input=rules, text=True, check=True, capture_output=True)


def set_sysctl(name: str, value: str) -> None:
    """Set a sysctl of this thread's network namespace."""
    Path("/proc/sys", name).write_text(value)
