"""What systemd and a service tell each other: sd_notify(3), the watchdog, and where stderr leads."""

import os
import socket
from contextlib import suppress


def notify(*assignments: str) -> bool:
    """Tell systemd, or whoever started us as it would, e.g. ``READY=1``; return whether it was sent.

    Nobody may be listening, and a supervisor that is gone is no reason to stop: nothing is raised.
    """
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return False
    if address.startswith("@"):  # an abstract one, unix(7)
        address = "\0" + address[1:]
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
        sock.setblocking(False)
        sock.sendto("\n".join(assignments).encode(), address)
        return True
    return False


def watchdog_seconds() -> float | None:
    """Return after how long a silence systemd restarts this process (sd_watchdog_enabled(3)); None for never."""
    microseconds, pid = os.environ.get("WATCHDOG_USEC", ""), os.environ.get("WATCHDOG_PID", "")
    if not microseconds.isdecimal() or not int(microseconds) or (pid and pid != str(os.getpid())):
        return None
    return int(microseconds) / 1e6


def is_journal(descriptor: int) -> bool:
    """Whether this descriptor leads to the journal ($JOURNAL_STREAM, systemd.exec(5))."""
    with suppress(OSError):
        status = os.fstat(descriptor)
        return os.environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"
    return False
