"""Connections in a cgroup, and where that is allowed in a network namespace, that are nobody else's."""

import fcntl
import os
import socket
import struct
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from sockhop.kernel import cgroups, namespaces

_SIOCSIFFLAGS, _IFF_UP = 0x8914, 0x1  # include/uapi/linux/sockios.h, if.h
_SECONDS = 10.0  # that making them may take, on the busiest machine

#: The ends of a connection, client and server, and an unconnected socket beside them.
Sockets = tuple[socket.socket, socket.socket, socket.socket]


@contextmanager
def connections(cgroup: Path, count: int) -> Iterator[list[Sockets]]:
    """Yield the sockets of ``count`` connections over loopback, which belong to the cgroup.

    A child process makes them: a socket belongs to the cgroup and the network namespace of its maker, and this
    process stays where it is. The namespace is of the child's own if this process may make one (CAP_SYS_ADMIN),
    and can be found as long as the block lasts. Raises :class:`OSError`.
    """
    ours, theirs = socket.socketpair()
    with ours, ExitStack() as stack:
        with theirs:
            child = os.fork()
            if not child:
                ours.close()  # so that it hears when this process is killed
                _make(theirs, cgroup, count)
        stack.callback(os.waitpid, child, 0)
        stack.callback(ours.shutdown, socket.SHUT_RDWR)
        ours.settimeout(_SECONDS)
        data, descriptors, _, _ = socket.recv_fds(ours, 1024, 3 * count)
        sockets = [stack.enter_context(socket.socket(fileno=descriptor)) for descriptor in descriptors]
        if len(sockets) != 3 * count or not ours.recv(1):
            raise OSError(data.decode() or "the process that makes connections died")
        yield list(zip(sockets[::3], sockets[1::3], sockets[2::3], strict=True))


def _make(parent: socket.socket, cgroup: Path, count: int) -> None:
    """What the child does; it ends with the block, or with its parent."""
    try:
        cgroups.enter(cgroup)
        with suppress(PermissionError):
            _leave_network()
        listener = socket.create_server(("127.0.0.1", 0))
        made: list[socket.socket] = []
        for _ in range(count):
            made += (socket.create_connection(listener.getsockname()), listener.accept()[0], socket.socket())
        socket.send_fds(parent, [b"made"], [each.fileno() for each in made])
        for each in made:
            each.close()
        parent.send(b".")  # now a close by the parent is the last one
        parent.recv(1)
    except OSError as error:
        with suppress(OSError):
            parent.send(str(error).encode())
    finally:
        os._exit(0)


def _leave_network() -> None:
    """Be in a new network namespace, whose loopback is up."""
    namespaces.leave()
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sH22x", b"lo", _IFF_UP))
