"""Where instances are pinned, and who may change them.

    /sys/fs/bpf/sockhop/service            what ``sockhop up`` made
    /sys/fs/bpf/sockhop/replaced-N         an older version of it, draining
    /sys/fs/bpf/sockhop/run-PID-START-N    of the process that started at START: ``run``, or a library user

A name that is none of these is not ours and never touched.
"""

import fcntl
import itertools
import os
import re
import select
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sockhop.control.instance import Instance
from sockhop.errors import Locked, NotOurs
from sockhop.kernel import mounts, privileges, processes

LOCK = Path("/run/sockhop.lock")
_PRIVATE = re.compile(r"run-(\d+)-(\d+)-\d+")
_REPLACED = re.compile(r"replaced-\d+")
_MAKING = re.compile(r"(?:service|run-\d+-\d+-\d+)-making-(\d+)")
_numbers = itertools.count()


def root() -> Path:
    """Return the directory of all instances, made if need be.

    Raises :class:`~sockhop.errors.NotPermitted` and :class:`~sockhop.errors.Unsupported`.
    """
    privileges.require()
    directory = mounts.require_bpffs() / "sockhop"
    directory.mkdir(mode=0o700, exist_ok=True)
    return directory


def service() -> Path:
    """Return where the service's instance is or would be."""
    return root() / "service"


def private() -> Path:
    """Return a new place for an instance that belongs to this process."""
    pid = os.getpid()
    return root() / f"run-{pid}-{processes.start_time(pid)}-{next(_numbers)}"


def replaced() -> Path:
    """Return a new place for a service that is being replaced."""
    taken = {entry.name for entry in root().iterdir()}
    return root() / next(name for name in map("replaced-{}".format, itertools.count()) if name not in taken)


@contextmanager
def lock(seconds: float = 10.0) -> Iterator[None]:
    """Be the only one that changes instances. Raises :class:`Locked` when another still is after ``seconds``."""
    privileges.require()
    descriptor = os.open(LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        deadline = time.monotonic() + seconds
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise Locked(
                        f"another sockhop command has been at work for over {seconds:.0f} s (it holds {LOCK}). "
                        "Try again when it has ended"
                    ) from None
                select.select([], [], [], 0.02)
        yield
    finally:
        os.close(descriptor)


def collect() -> None:
    """Finish what processes that are gone left behind: half-made pins, and instances without an owner.

    Nothing is lost by it: sockets are taken out as ``down`` does, and an instance with sockets stays for the
    next time. Call it under :func:`lock`.
    """
    for entry in sorted(root().iterdir()):
        private_name, making = _PRIVATE.fullmatch(entry.name), _MAKING.fullmatch(entry.name)
        if making and processes.start_time(int(making[1])) is None:
            Instance(entry).unpin()
        elif _REPLACED.fullmatch(entry.name) or (
            private_name and processes.start_time(int(private_name[1])) != int(private_name[2])
        ):
            try:
                instance = Instance.open(entry)
            except NotOurs:
                continue
            if instance and not instance.drain(0):
                instance.unpin()
