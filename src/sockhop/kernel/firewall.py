"""Noticing that a firewall has changed, in every network namespace.

The kernel tells whoever listens of each change (netlink(7)):

    NETLINK_NETFILTER, group NFNLGRP_NFTABLES   tables, chains, rules, sets: of nft, and of iptables-nft
    NETLINK_ROUTE, group RTNLGRP_TC             qdiscs, classes, filters

What exactly has changed is of no interest here, so nothing is parsed; a message that was lost for want of room
(ENOBUFS) is a change like any other.

The kernel tells nobody of changes of iptables-legacy (``xt_replace_table()``), and what can be asked for cheaply,
the sizes in ``IPT_SO_GET_INFO``, are the same after another policy or a replaced rule. Nor of ipset, XDP, tcx and
programs of cgroups. For these there is the recheck interval.
"""

import errno
import os
import select
import socket
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from sockhop.kernel import namespaces

NETLINK_NETFILTER = 12  # include/uapi/linux/netlink.h; Python names it from 3.12 on
NFNLGRP_NFTABLES = 7  # include/uapi/linux/netfilter/nfnetlink.h
RTNLGRP_TC = 4  # include/uapi/linux/rtnetlink.h
_SOURCES = {
    "nftables": (NETLINK_NETFILTER, NFNLGRP_NFTABLES),
    "tc": (socket.NETLINK_ROUTE, RTNLGRP_TC),
}
BURST_SECONDS = 0.05
_AT_ONCE = 1000  # messages; a socket with more is looked at again


@dataclass(frozen=True)
class Change:
    """``what`` (nftables, tc, or a namespace that has come) changed, and where."""

    what: str
    namespace: Path


class Watcher:
    """Listens in each network namespace that a process or a mount of ours shows, and may be entered.

    An open socket keeps its namespace alive, so call :meth:`follow` often: what is gone is let go there. Mounts
    that come and go, as those of ``ip netns`` and container engines, are noticed by themselves.

    :param wake: a descriptor that ends :meth:`wait` when it is readable.
    :param skipped: is told once of each namespace in which no socket can be opened, and why.
    """

    def __init__(self, wake: int, skipped: Callable[[Path, OSError], None]) -> None:
        self._wake, self._tell_skipped = wake, skipped
        self._sockets: dict[int, list[socket.socket]] = {}  # by namespace
        self._paths: dict[int, Path] = {}  # of each, as it is called now: a process may have shown it first
        self._sources: dict[int, tuple[socket.socket, str, int]] = {}  # by descriptor: of what, and where
        self._skipped: set[int] = set()
        self._rested = 0.0
        self._mounts = Path("/proc/self/mountinfo").open("rb")  # noqa: SIM115 - close() does
        self._poll = select.poll()
        self._poll.register(wake, select.POLLIN)
        self._poll.register(self._mounts, select.POLLPRI)  # proc_pid_mountinfo(5)

    def close(self) -> None:
        """Stop listening."""
        for inode in list(self._sockets):
            self._leave(inode)
        self._mounts.close()

    def count(self) -> int:
        """Return in how many namespaces it listens."""
        return len(self._sockets)

    def follow(self) -> set[Change]:
        """Listen in the namespaces that have come, which are returned, and no longer in those that are gone."""
        found = self._paths = namespaces.find()
        for inode in self._sockets.keys() - found.keys():
            self._leave(inode)
        self._skipped &= found.keys()
        come = {inode: path for inode, path in found.items() if inode not in self._sockets.keys() | self._skipped}
        return {Change("namespace", _shown(path)) for inode, path in come.items() if self._enter(inode, path)}

    def _enter(self, inode: int, path: Path) -> bool:
        def listen() -> dict[str, socket.socket]:
            # The path is a process's, and its number may be another's by now.
            if Path("/proc/thread-self/ns/net").stat().st_ino != inode:
                raise FileNotFoundError
            return _listen()

        try:
            # Not even one's own can be entered without CAP_SYS_ADMIN (setns(2)).
            sockets = listen() if path == namespaces.OWN else namespaces.inside(path, listen)
        except (FileNotFoundError, ProcessLookupError):  # it has gone meanwhile
            return False
        except OSError as error:
            self._skipped.add(inode)
            self._tell_skipped(_shown(path), error)
            return False
        self._sockets[inode] = list(sockets.values())
        for what, sock in sockets.items():
            self._sources[sock.fileno()] = sock, what, inode
            self._poll.register(sock, select.POLLIN)
        return True

    def _leave(self, inode: int) -> None:
        for sock in self._sockets.pop(inode):
            self._poll.unregister(sock)
            del self._sources[sock.fileno()]
            sock.close()

    def wait(self, seconds: float) -> set[Change]:
        """Return what has changed as soon as something has; nothing when woken, or after ``seconds``.

        The first change is returned at once; what follows it within ``BURST_SECONDS`` comes together.
        """
        deadline = time.monotonic() + seconds
        rest = min(self._rested, deadline) - time.monotonic()
        if rest > 0 and select.select([self._wake], [], [], rest)[0]:
            return set()
        ready = dict(self._poll.poll(max(0.0, deadline - time.monotonic()) * 1000))
        if ready:
            self._rested = time.monotonic() + BURST_SECONDS
        told = [self._sources[descriptor] for descriptor in ready if descriptor in self._sources]
        changes = {Change(what, _shown(self._paths[inode])) for sock, what, inode in told if _has_news(sock)}
        return changes | self.follow() if self._mounts.fileno() in ready else changes


def _shown(namespace: Path) -> Path:
    """What others call it."""
    return Path(f"/proc/{os.getpid()}/ns/net") if namespace == namespaces.OWN else namespace


def _listen() -> dict[str, socket.socket]:
    opened: dict[str, socket.socket] = {}
    with ExitStack() as undo:
        for what, (protocol, group) in _SOURCES.items():
            try:
                sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, protocol)
            except OSError as error:
                if error.errno == errno.EPROTONOSUPPORT:  # a kernel without netfilter has no nftables either
                    continue
                raise
            undo.callback(sock.close)
            sock.bind((0, 1 << (group - 1)))
            opened[what] = sock
        undo.pop_all()
    return opened


def _has_news(sock: socket.socket) -> bool:
    """Take what a socket has; whether there was anything. Messages are cut to nothing, netlink drops the rest."""
    news = False
    for _ in range(_AT_ONCE):
        try:
            sock.recv(1)
        except BlockingIOError:
            break
        except OSError as error:
            if error.errno != errno.ENOBUFS:
                raise
        news = True
    return news
