"""Which process is meant, even after its number was given to another."""

import os
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

INITIAL_NAMESPACE = 0xEFFFFFFC  # PROC_PID_INIT_INO of include/linux/proc_ns.h


@dataclass(frozen=True)
class Process:
    """A process of the PID namespace ``namespace`` (an inode), which started ``start`` ticks after boot."""

    namespace: int
    pid: int
    start: int

    def is_gone(self) -> bool:
        """Whether it has ended for sure: one of another PID namespace may be there, unseen."""
        here = own().namespace
        if self.namespace == here:
            return start_time(self.pid) != self.start
        # This one shows the processes of all others, unless /proc hides them (hidepid, proc(5)).
        if here != INITIAL_NAMESPACE or not Path("/proc/1").exists():
            return False
        return not any(
            _may_be_in(self.namespace, entry) for entry in Path("/proc").iterdir() if entry.name.isdigit()
        )


def _may_be_in(namespace: int, entry: Path) -> bool:
    """Whether the process of this directory of ``/proc`` may be in the namespace; seen from the initial one."""
    with suppress(FileNotFoundError, ProcessLookupError):  # it has ended
        try:
            return (entry / "ns/pid").stat().st_ino == namespace and start_time(int(entry.name)) is not None
        except PermissionError:
            # It has capabilities that we lack. One with a single number is in no namespace but the initial one.
            return re.search(r"^NSpid:\t\d+$", (entry / "status").read_text(), re.MULTILINE) is None
    return False


def own() -> Process:
    """Return the calling process."""
    pid = os.getpid()
    return Process(Path("/proc/self/ns/pid").stat().st_ino, pid, start_time(pid) or 0)


def start_time(pid: int) -> int | None:
    """Return when the process started, in clock ticks since boot (proc_pid_stat(5)), or None."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The second field is the command's name in parentheses, and may hold anything.
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] == "Z" else int(fields[19])
