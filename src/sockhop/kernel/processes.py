"""Which process is meant, even after its number was given to another."""

from pathlib import Path


def start_time(pid: int) -> int | None:
    """Return when the process started, in clock ticks since boot (proc_pid_stat(5)), or None."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The second field is the command's name in parentheses, and may hold anything.
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] == "Z" else int(fields[19])
