"""cgroup v2: identities, processes, events. Source: the kernel's ``admin-guide/cgroup-v2``."""

import difflib
import os
import select
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sockhop.errors import BadScope, Unsupported
from sockhop.kernel import mounts, signals


def mount_point() -> Path:
    """Return where cgroup v2 is mounted. Raises :class:`~sockhop.errors.Unsupported` when only v1 is."""
    return mounts.cgroup2().point


def check(path: Path) -> Path:
    """Return ``path`` made absolute. Raises :class:`BadScope` if it is not a cgroup of v2."""
    path = Path(os.path.realpath(path))
    if not path.exists():
        raise BadScope(f"{path}: no such cgroup. List them with: find {mount_point()} -type d")
    if not (path / "cgroup.procs").exists() or mount_point() not in (path, *path.parents):
        raise BadScope(f"{path} is not a cgroup: scopes are directories of cgroup v2, under {mount_point()}")
    return path


def of_unit(name: str) -> Path:
    """Return the cgroup of a systemd unit, such as ``redis.service``.

    A unit of the system comes before those by the same name in a user's session or in a container. Raises
    :class:`BadScope` for a unit that has no cgroup now, or whose name is that of several.
    """
    # systemd puts a "_" before names that could be taken for the kernel's own files (cg_escape()).
    below = [Path(directory) for directory, _, _ in os.walk(mount_point())][1:]
    found = [path for path in below if path.name in (name, f"_{name}")]
    # Only slices are above what the system's own manager runs.
    ours = [
        path
        for path in found
        if all(part.endswith(".slice") for part in path.relative_to(mount_point()).parent.parts)
    ]
    if not found:
        near = difflib.get_close_matches(name, {path.name for path in below}, 1)
        hint = f"did you mean {near[0]}?" if near else f"start it (systemctl status {name}), or name a slice"
        raise BadScope(f"no cgroup of a unit {name}: it does not run, or systemd does not know it; {hint}")
    if len(found) > 1 and len(ours) != 1:
        paths = ", ".join(sorted(map(str, found)))
        raise BadScope(f"{len(found)} units are called {name}: name the cgroup instead, one of {paths}")
    return (ours or found)[0]


INITIAL_NAMESPACE = "cgroup:[4026531835]"  # PROC_CGROUP_INIT_INO of include/linux/proc_ns.h


def level(path: Path) -> int:
    """Return how deep the cgroup is below the root of the hierarchy (``cgroup->level``), which has level 0.

    What a container sees as the root may be deeper. Raises :class:`~sockhop.errors.Unsupported` where that cannot
    be known.
    """
    mount = mounts.cgroup2()
    parts = (*Path(mount.root).parts, *path.relative_to(mount.point).parts)
    return _namespace_level() + sum({"/": 0, "..": -1}.get(part, 1) for part in parts)


def _namespace_level() -> int:
    """Return the level of the root of this process's cgroup namespace."""
    if str(Path("/proc/self/ns/cgroup").readlink()) == INITIAL_NAMESPACE:
        return 0
    # Threads of the kernel live in the root, seen from further down as "/../.." (kernfs_path_from_node()).
    with suppress(OSError):
        if Path("/proc/2/comm").read_text() == "kthreadd\n":
            for line in Path("/proc/2/cgroup").read_text().splitlines():
                if line.startswith("0::"):
                    return line.count("..")
    raise Unsupported(
        "this container does not see how deep its cgroups are, so that no rule can name one: give rules by port "
        "or address, or run sockhop outside, or with the host's namespace of processes or of cgroups"
    )


def identity(path: Path) -> int:
    """Return the cgroup's id: the inode number of its directory (``cgroup_id()``)."""
    return path.stat().st_ino


def find(wanted: set[int]) -> dict[int, Path]:
    """Return where the cgroups with these ids are; those that are gone are left out."""
    found: dict[int, Path] = {}
    for directory, _, _ in os.walk(mount_point()):
        if len(found) == len(wanted):
            break
        try:
            number = identity(Path(directory))
        except FileNotFoundError:
            continue
        if number in wanted:
            found[number] = Path(directory)
    return found


def called(name: str) -> list[Path]:
    """Return the cgroups of this name, wherever they are."""
    return [Path(directory) for directory, _, _ in os.walk(mount_point()) if Path(directory).name == name]


def own() -> Path:
    """Return the cgroup v2 that this process is in, or the highest that can be seen from here."""
    mount = mounts.cgroup2()
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        path = Path(line.removeprefix("0::"))
        # In a container without a cgroup namespace the mount shows a part of the hierarchy only.
        if line.startswith("0::") and path.is_relative_to(mount.root):
            return mount.point / path.relative_to(mount.root)
    return mount.point


def pids(cgroup: Path) -> list[int]:
    """Return the processes of the cgroup and everything below it."""
    found: list[int] = []
    for directory, _, _ in os.walk(cgroup):
        with suppress(OSError):  # it was removed meanwhile
            found += map(int, (Path(directory) / "cgroup.procs").read_text().split())
    return found


def enter(cgroup: Path, pid: int = 0) -> None:
    """Move a process (this one by default) into the cgroup. Raises :class:`OSError`."""
    (cgroup / "cgroup.procs").write_text(str(pid))


def popen(cgroup: Path, argv: list[str], **options: Any) -> "subprocess.Popen[Any]":
    """Start a command that is in the cgroup from its first instruction.

    ``options`` are those of :class:`subprocess.Popen`, whose errors are raised. ``mask`` replaces the signals
    that the command starts with blocked. Not for a process with threads: it forks and goes on in Python.
    """
    mask = options.pop("mask", None)

    def prepare() -> None:
        enter(cgroup)
        if mask is not None:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    return subprocess.Popen(argv, preexec_fn=prepare, **options)  # noqa: PLW1509


def is_populated(cgroup: Path) -> bool:
    """Whether any process lives in the cgroup or below it; a cgroup that is gone has none."""
    try:
        return "populated 1" in (cgroup / "cgroup.events").read_text()
    except OSError:
        return False


def wait_empty(cgroup: Path, timeout: float | None = None) -> bool:
    """Wait at most ``timeout`` seconds until no process is left; return whether none is.

    ``cgroup.events`` raises POLLPRI when it changes.
    """
    try:
        events = os.open(cgroup / "cgroup.events", os.O_RDONLY)
    except OSError:
        return True
    try:
        poll = select.poll()
        poll.register(events, select.POLLPRI)
        while is_populated(cgroup):
            if not poll.poll(None if timeout is None else timeout * 1000):
                return not is_populated(cgroup)
            os.pread(events, 4096, 0)
        return True
    finally:
        os.close(events)


def remove(cgroup: Path) -> bool:
    """Remove the cgroup and those below it; return whether it is gone. One with processes stays."""
    for directory, _, _ in os.walk(cgroup, topdown=False):
        try:
            Path(directory).rmdir()
        except FileNotFoundError:
            continue
        except OSError:
            return False
    return True


@contextmanager
def fresh(name: str) -> Iterator[Path]:
    """Make a cgroup under this process's own; remove it in the end if no process is left in it."""
    cgroup, made = own() / name, False
    try:
        with signals.deferred():
            cgroup.mkdir()
            made = True
        yield cgroup
    finally:
        if made:
            remove(cgroup)
