"""Sockets that cannot leave the map at once."""

import ctypes
import errno
import os
import socket
import struct
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from sockhop.control import walking
from sockhop.control.instance import Instance
from sockhop.kernel import maps
from tests.conformance.observing import Worker
from tests.conftest import NEVER, Scope
from tests.waiting import until

pytestmark = pytest.mark.bpf

SO_COOKIE = 57


@pytest.fixture
def connection(scope: Scope) -> Iterator[tuple[socket.socket, socket.socket]]:
    """A client and its server, which hop."""
    scope.enter()
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        client = stack.enter_context(socket.create_connection(listener.getsockname()))
        server = stack.enter_context(listener.accept()[0])
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield client, server


def test_a_reader_comes_at_the_last_moment(scope: Scope, connection: tuple[socket.socket, socket.socket]) -> None:
    """What sockhop_drain does when it has taken the socket out, and the reader sleeps with the psock."""
    client, server = connection
    instance = scope.hops._up()
    reader = Worker(server.recv, 100).until_asleep_in("recvfrom")
    key = key_of(instance, server)
    with instance.get("sockets") as sockets, instance.get("leaving") as leaving:
        maps.delete(sockets, key)
        with pytest.raises(OSError, match=os.strerror(errno.EBUSY)):
            maps.put(sockets, key, ctypes.c_uint64(server.fileno()))
        maps.put(leaving, key, ctypes.c_uint64(server.fileno()))
    assert instance.left() == 2
    for number in range(10):
        client.sendall(b"%d by the stack" % number)
        assert reader.outcome() == f"{number} by the stack"
        reader = Worker(server.recv, 100).until_asleep_in("recvfrom")
    assert scope.hops.status().stack.reasons["redirect_failed"] == 10
    instance.set_rules([NEVER])
    walking.everywhere(instance, "drain")
    assert instance.left() == 2
    client.sendall(b"and now nobody sleeps in it")
    assert reader.outcome() == "and now nobody sleeps in it"
    walking.everywhere(instance, "drain")
    assert instance.left() == 0
    reader = Worker(server.recv, 100).until_asleep_in("recvfrom")
    client.sendall(b"plain TCP")
    assert reader.outcome() == "plain TCP"


def test_after_a_fin_it_leaves_when_it_is_quiet(
    scope: Scope, connection: tuple[socket.socket, socket.socket]
) -> None:
    """What stays in its queue then is freed without the socket's lock (sk_psock_destroy)."""
    client, server = connection
    instance = scope.hops._up()
    key = key_of(instance, server)
    client.shutdown(socket.SHUT_WR)
    assert server.recv(100) == b""
    instance.set_rules([NEVER])
    for number in range(100):
        server.sendall(b"%d" % number)
        assert client.recv(100) == b"%d" % number
        walking.everywhere(instance, "drain")
        assert key_of(instance, server).value == key.value
    until(lambda: walking.drain(instance, 0) == 0, "both are out")
    server.sendall(b"plain TCP")
    assert client.recv(100) == b"plain TCP"


def key_of(instance: Instance, sock: socket.socket) -> ctypes.c_uint64:
    """The key of the socket in the sockhash, which shows cookies (sock_hash_lookup_sys)."""
    (cookie,) = struct.unpack("Q", sock.getsockopt(socket.SOL_SOCKET, SO_COOKIE, 8))
    with instance.get("sockets") as sockets:
        pairs = list(maps.items(sockets, ctypes.c_uint64, ctypes.c_uint64))
    (key,) = (key for key, value in pairs if value.value == cookie)
    return key
