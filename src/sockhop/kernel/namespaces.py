"""Network namespaces: finding them all, and doing something in each."""

import ctypes
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from sockhop.kernel import mounts

CLONE_NEWNET = 0x40000000
OWN = Path("/proc/self/ns/net")
T = TypeVar("T")


def network_namespaces() -> list[Path]:
    """Return one path for each network namespace that a process or a mount holds, this one's first."""
    return list(find().values())


def find() -> dict[int, Path]:
    """Return the same by inode number, which is a namespace's own for as long as it lives."""
    candidates = [OWN]
    candidates += [mount.point for mount in mounts.mounts() if mount.kind == "nsfs" and mount.root[:4] == "net:"]
    candidates += [entry / "ns/net" for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    found: dict[int, Path] = {}
    for path in candidates:
        try:
            found.setdefault(path.stat().st_ino, path)
        except OSError:  # the process is gone, or is not ours to see
            continue
    return found


def leave() -> None:
    """Move this process, of one thread, into a new network namespace. Raises :class:`OSError`."""
    _call("unshare", CLONE_NEWNET)


def _call(name: str, *arguments: int) -> None:
    """Call a function of the C library that gives 0, or not and sets ``errno``."""
    if getattr(ctypes.CDLL(None, use_errno=True), name)(*arguments):
        raise OSError(ctypes.get_errno(), f"{name}: {os.strerror(ctypes.get_errno())}")


def inside(namespace: Path, action: Callable[[], T]) -> T:
    """Return what ``action`` returns when run by a thread inside the network namespace.

    A thread of its own, so that the caller can never be left in a foreign namespace.
    Raises :class:`OSError` when the namespace cannot be entered, and whatever ``action`` raises.
    """
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            with namespace.open() as handle:
                _call("setns", handle.fileno(), CLONE_NEWNET)
            results.append(action())
        except BaseException as error:  # noqa: BLE001 - handed to the caller's thread
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]
