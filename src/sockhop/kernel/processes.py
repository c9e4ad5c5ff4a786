"""Which process is meant, even after its number was given to another."""

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Process:
    """A process of the PID namespace ``namespace`` (an inode), which started ``start`` ticks after boot."""

    namespace: int
    pid: int
    start: int

    def is_alive(self) -> bool:
        """Whether it still runs. Only meaningful in its own PID namespace."""
        return start_time(self.pid) == self.start


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
