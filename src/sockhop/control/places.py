"""Where instances are pinned, and who may change them.

    /sys/fs/bpf/sockhop/service             what ``sockhop up`` made
    /sys/fs/bpf/sockhop/classes             what was learned about the services of this host
    /sys/fs/bpf/sockhop/replaced-N          an older version of it, draining
    /sys/fs/bpf/sockhop/run-NS-PID-START-N  of process PID of PID namespace NS that started at START: ``run``,
                                            or a user of the library
    /sys/fs/bpf/sockhop/…-making, …-going   one of these, being put together or taken apart

A name that is none of these is not ours and never touched.
"""

import fcntl
import itertools
import os
import re
import select
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sockhop.control.instance import GOING, MAKING, Instance
from sockhop.errors import Locked, NotOurs
from sockhop.kernel import cgroups, mounts, privileges, processes

_PRIVATE = re.compile(r"run-(\d+)-(\d+)-(\d+)-\d+")
_REPLACED = re.compile(r"replaced-\d+")
_HALF = re.compile(rf"(service|{_REPLACED.pattern}|{_PRIVATE.pattern})({MAKING}|{GOING})")
_numbers = itertools.count()


def root() -> Path:
    """Return the directory of all instances.

    Raises :class:`~sockhop.errors.NotPermitted` and :class:`~sockhop.errors.Unsupported`.
    """
    privileges.require()
    return mounts.require_bpffs() / "sockhop"


def service() -> Path:
    """Return where the service's instance is or would be."""
    return root() / "service"


def classes() -> Path:
    """Return where the table of what was learned is pinned, service or not."""
    return root() / "classes"


def private() -> Path:
    """Return a new place for an instance that belongs to this process."""
    me = processes.own()
    return root() / f"run-{me.namespace}-{me.pid}-{me.start}-{next(_numbers)}"


def home(place: Path) -> str:
    """Return the name of the cgroup that ``run`` makes for its instance at ``place``."""
    return f"sockhop-{place.name}"


def replaced() -> Path:
    """Return a new place for a service that is being replaced."""
    taken = {entry.name for entry in root().iterdir()}
    return root() / next(name for name in map("replaced-{}".format, itertools.count()) if name not in taken)


@contextmanager
def lock(seconds: float = 10.0) -> Iterator[None]:
    """Be the only one that makes or removes instances; the directory of all is there meanwhile.

    The lock is on that directory, which is all that two containers with one bpffs share. Raises
    :class:`Locked` when another holds it for ``seconds``.
    """
    directory = root()
    descriptor = _locked(directory, time.monotonic() + seconds)
    try:
        yield
    finally:
        with suppress(OSError):  # instances are left
            directory.rmdir()
        os.close(descriptor)


def _locked(directory: Path, deadline: float) -> int:
    while True:
        with suppress(FileExistsError):  # exist_ok=True raises it for one that goes between its two looks
            directory.mkdir(mode=0o700)
        try:
            descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        with suppress(BlockingIOError, FileNotFoundError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Whoever held it before may have removed the directory in the end.
            if os.fstat(descriptor).st_ino == directory.stat().st_ino:
                return descriptor
        os.close(descriptor)
        if time.monotonic() > deadline:
            raise Locked(f"another sockhop command holds the lock on {directory}. Try again when it has ended")
        select.select([], [], [], 0.02)


def collect() -> None:
    """Finish what processes that are gone left behind: half-made pins, and instances without an owner.

    Nothing is lost by it: sockets are taken out as ``down`` does, and an instance with sockets stays for the
    next time. Call it under :func:`lock`, under which all instances are made.
    """
    for entry in sorted(root().iterdir()):
        if _HALF.fullmatch(entry.name):
            Instance(entry).unpin()
        elif _is_orphan(entry.name):
            with suppress(NotOurs):
                if instance := Instance.open(entry):
                    _leave(instance)


def _leave(instance: Instance) -> None:
    """Take down an instance without an owner. That of a command whose ``run`` was killed goes on until it ends."""
    cgroup_of_run = cgroups.called(home(instance.directory))
    if any(map(cgroups.is_populated, cgroup_of_run)) or instance.drain(0):
        return
    instance.unpin()
    for cgroup in cgroup_of_run:
        cgroups.remove(cgroup)


def promote() -> None:
    """Let a replaced service that still drains stand where the service would. Call it under :func:`lock`."""
    if service().exists():
        return
    for entry in sorted(root().iterdir()):
        if _REPLACED.fullmatch(entry.name):
            with suppress(NotOurs):
                if instance := Instance.open(entry):
                    instance.move(service())
                    return


def left() -> list[Path]:
    """Return what is pinned, of whomever."""
    return sorted(root().glob("*"))


def is_instance(name: str) -> bool:
    """Whether an instance of this name is whole: neither half made, nor half gone, nor somebody else's."""
    return name == "service" or any(pattern.fullmatch(name) for pattern in (_PRIVATE, _REPLACED))


def _is_orphan(name: str) -> bool:
    """Whether the instance's owner is gone."""
    if _REPLACED.fullmatch(name):
        return True
    owner = _PRIVATE.fullmatch(name)
    return owner is not None and processes.Process(*map(int, owner.groups())).is_gone()
