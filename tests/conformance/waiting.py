"""Waiting for what the kernel shows, with a deadline. Nothing here sleeps for a fixed time."""

from __future__ import annotations

import fcntl
import platform
import socket
import struct
import termios
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from tests import waiting

T = TypeVar("T")

# System call numbers, to see in /proc/<task>/syscall what a thread sleeps in.
_CALLS = {
    "x86_64": {"read": 0, "sendto": 44, "recvfrom": 45, "epoll_wait": 232, "splice": 275, "poll": 7},
    "aarch64": {"read": 63, "sendto": 206, "recvfrom": 207, "epoll_wait": 22, "splice": 76, "poll": 73},
}[platform.machine()]

SIOCOUTQ, SIOCOUTQNSD = termios.TIOCOUTQ, 0x894B  # include/uapi/linux/sockios.h
ESTABLISHED, FIN_WAIT2, CLOSE, CLOSE_WAIT = 1, 5, 7, 8


def until(ready: Callable[[], T], what: str, seconds: float = 5.0) -> T:
    """As :func:`tests.waiting.until`, within the deadline of a case."""
    return waiting.until(ready, what, seconds)


def asleep_in(call: str, task: int) -> bool:
    """Whether the task (a thread of any process) sleeps inside that system call."""
    try:
        return Path(f"/proc/{task}/syscall").read_text().split()[0] == str(_CALLS[call])
    except (FileNotFoundError, ProcessLookupError):  # it has ended, or ends right now
        return False


def unread(sock: socket.socket) -> int:
    """Bytes that can be read now (FIONREAD, which is SIOCINQ)."""
    return _ioctl_int(sock, termios.FIONREAD)


def unacknowledged(sock: socket.socket) -> int:
    """Bytes in the send queue (SIOCOUTQ)."""
    return _ioctl_int(sock, SIOCOUTQ)


def state(sock: socket.socket) -> int:
    """The state in TCP_INFO (`tcpi_state`, the first byte)."""
    return sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]


def until_unread(sock: socket.socket, count: int) -> None:
    """Wait until at least `count` bytes can be read."""
    until(lambda: unread(sock) >= count, f"{count} bytes to read")


def until_acknowledged(sock: socket.socket) -> None:
    """Wait until the other end's TCP has all that was sent."""
    until(lambda: unacknowledged(sock) == 0, "all acknowledged")


def until_all_that_left_is_acknowledged(sock: socket.socket) -> None:
    """The same of what has left: the rest waits for room in the other end's window."""
    until(lambda: unacknowledged(sock) == _ioctl_int(sock, SIOCOUTQNSD), "all that left acknowledged")


def until_state(sock: socket.socket, *states: int) -> None:
    """Wait until the connection is in one of the states."""
    until(lambda: state(sock) in states, f"TCP state {states}")


def _ioctl_int(sock: socket.socket, request: int) -> int:
    (value,) = struct.unpack("i", fcntl.ioctl(sock, request, b"\0\0\0\0"))
    assert isinstance(value, int)
    return value
