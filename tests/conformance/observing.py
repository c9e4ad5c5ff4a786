"""Turning what a socket did into JSON that two arms can compare."""

from __future__ import annotations

import errno
import hashlib
import random
import select
import socket
import threading
from collections.abc import Callable
from typing import Any

from tests.conformance.registry import Json
from tests.conformance.waiting import asleep_in, until
from tests.waiting import PATIENCE

STUCK = "STUCK"
"""The outcome of a worker that did not end in time: the call still sleeps."""

_EVENTS = {
    name: getattr(select, name)
    for name in ("EPOLLIN", "EPOLLPRI", "EPOLLOUT", "EPOLLERR", "EPOLLHUP", "EPOLLRDHUP")
}


def pattern(count: int, seed: int = 1) -> bytes:
    """`count` bytes that depend on their position, so that loss, repetition and reordering all show."""
    return random.Random(seed).randbytes(count)


def show(value: Any) -> Json:
    """A value as JSON: bytes as text when short, else as length and hash."""
    if isinstance(value, bytes | bytearray | memoryview):
        data = bytes(value)
        if len(data) <= 64 and data.isascii():
            return data.decode()
        return f"{len(data)} bytes {hashlib.sha256(data).hexdigest()[:16]}"
    if isinstance(value, tuple | list):
        return [show(item) for item in value]
    if value is None or isinstance(value, bool | int | float | str | dict):
        return value
    raise TypeError(f"not an observation: {value!r}")


def outcome(call: Callable[..., Any], *args: Any) -> Json:
    """The call's value, or the name of the errno that it raised."""
    try:
        return show(call(*args))
    except OSError as error:
        if error.errno is None:
            raise
        return errno.errorcode[error.errno]


def read_on(sock: socket.socket, chunk: int = 65536) -> tuple[bytes, str]:
    """Read until the end: everything, and how it ended ("EOF" or an errno's name)."""
    parts: list[bytes] = []
    while True:
        try:
            part = sock.recv(chunk)
        except OSError as error:
            return b"".join(parts), errno.errorcode[error.errno or 0]
        if not part:
            return b"".join(parts), "EOF"
        parts.append(part)


def read_when_readable(sock: socket.socket, chunk: int = 65536) -> tuple[bytes, str]:
    """Read until the end as an event loop does: poll, then recv() without waiting."""
    poller = select.poll()
    poller.register(sock, select.POLLIN)
    parts: list[bytes] = []
    while True:
        poller.poll(5000)
        part = sock.recv(chunk, socket.MSG_DONTWAIT)
        if not part:
            return b"".join(parts), "EOF"
        parts.append(part)


def read_exactly(sock: socket.socket, count: int, chunk: int = 1 << 31) -> bytes:
    """`count` bytes in pieces of `chunk` at most, or fewer when the stream ends before."""
    parts = bytearray()
    while len(parts) < count and (part := sock.recv(min(chunk, count - len(parts)))):
        parts += part
    return bytes(parts)


def fill(sock: socket.socket, size: int) -> int:
    """Send pieces of `size` bytes without waiting until the kernel refuses: bytes taken."""
    total, piece = 0, bytes(size)
    try:
        while True:
            total += sock.send(piece, socket.MSG_DONTWAIT)
    except BlockingIOError:
        return total


def event_names(mask: int) -> Json:
    """The names of the bits of an epoll mask that a program would look at."""
    return [name.removeprefix("EPOLL") for name, bit in _EVENTS.items() if mask & bit]


def poll_now(sock: socket.socket) -> Json:
    """What poll() says about the socket this moment."""
    poller = select.poll()
    poller.register(sock, select.POLLIN | select.POLLOUT | select.POLLPRI | select.POLLRDHUP)
    return event_names(poller.poll(0)[0][1]) if poller.poll(0) else []


class Worker:
    """A call in a thread of its own, whose outcome can be asked for."""

    def __init__(self, call: Callable[..., Any], *args: Any) -> None:
        self._outcome: Json = STUCK
        self._thread = threading.Thread(target=self._run, args=(call, args), daemon=True)
        self._thread.start()

    def _run(self, call: Callable[..., Any], args: tuple[Any, ...]) -> None:
        try:
            self._outcome = outcome(call, *args)
        except Exception as error:  # noqa: BLE001  # a thread has nobody else to tell
            self._outcome = f"{type(error).__name__}: {error}"

    @property
    def ident(self) -> int:
        """For signal.pthread_kill."""
        assert self._thread.ident is not None
        return self._thread.ident

    def until_asleep_in(self, call: str) -> Worker:
        """Wait until the thread sleeps inside that system call."""
        task = self._thread.native_id
        assert task is not None
        until(lambda: asleep_in(call, task), f"a thread asleep in {call}")
        return self

    def until_settled_in(self, call: str) -> None:
        """Wait until the thread has ended or sleeps inside that system call."""
        task = self._thread.native_id
        assert task is not None
        until(lambda: not self._thread.is_alive() or asleep_in(call, task), f"an end or sleep in {call}")

    def outcome(self, seconds: float = 5.0) -> Json:
        """What the call gave, or STUCK when it has not returned within `seconds`."""
        self._thread.join(seconds * PATIENCE)
        return self._outcome
