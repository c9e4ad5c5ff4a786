"""Stores values of 1 B to 1 MB in redis or memcached, one by one and pipelined, and checks what comes back.

kv_client.py {redis,memcached} HOST PORT SEED BYTES   prints how many bytes of values went there and back
"""

import random
import socket
import sys
from collections.abc import Iterator
from typing import BinaryIO, Protocol

LARGEST = 1 << 20
BATCH = 64


class Store(Protocol):
    """What redis and memcached have in common, as bytes of their protocols."""

    def put(self, key: bytes, value: bytes) -> bytes: ...

    def get(self, key: bytes) -> bytes: ...

    def stored(self, replies: BinaryIO) -> None: ...

    def value(self, replies: BinaryIO, key: bytes) -> bytes: ...


def line(replies: BinaryIO) -> bytes:
    """One line of a reply, without its end."""
    received = replies.readline()
    assert received.endswith(b"\r\n"), received
    return received[:-2]


def block(replies: BinaryIO, size: int) -> bytes:
    """A value of `size` bytes and the end of line after it."""
    received = replies.read(size + 2)
    assert len(received) == size + 2, f"{len(received)} of {size + 2} bytes"
    assert received.endswith(b"\r\n"), "a value longer than announced"
    return received[:-2]


class Redis:
    """RESP2."""

    def put(self, key: bytes, value: bytes) -> bytes:
        return b"*3\r\n$3\r\nSET\r\n$%d\r\n%b\r\n$%d\r\n%b\r\n" % (len(key), key, len(value), value)

    def get(self, key: bytes) -> bytes:
        return b"*2\r\n$3\r\nGET\r\n$%d\r\n%b\r\n" % (len(key), key)

    def stored(self, replies: BinaryIO) -> None:
        assert (reply := line(replies)) == b"+OK", reply

    def value(self, replies: BinaryIO, key: bytes) -> bytes:
        head = line(replies)
        assert head.startswith(b"$"), head
        return block(replies, int(head[1:]))


class Memcached:
    """memcached's text protocol."""

    def put(self, key: bytes, value: bytes) -> bytes:
        return b"set %b 0 0 %d\r\n%b\r\n" % (key, len(value), value)

    def get(self, key: bytes) -> bytes:
        return b"get %b\r\n" % key

    def stored(self, replies: BinaryIO) -> None:
        assert (reply := line(replies)) == b"STORED", reply

    def value(self, replies: BinaryIO, key: bytes) -> bytes:
        head = line(replies).split()
        assert head[:2] == [b"VALUE", key], head
        received = block(replies, int(head[3]))
        assert (end := line(replies)) == b"END", end
        return received


class Client:
    """One connection to a store, and what should be in it."""

    def __init__(self, store: Store, connection: socket.socket, seed: int) -> None:
        self.store, self.connection, self.random = store, connection, random.Random(seed)
        self.replies: BinaryIO = connection.makefile("rb")
        self.name = seed
        self.expected: dict[bytes, bytes] = {}
        self.moved = 0

    def new_values(self, total: int) -> Iterator[tuple[bytes, bytes]]:
        """Keys in random order with random values, the sizes spread evenly over the orders of magnitude."""
        sizes = [1, LARGEST]
        while sum(sizes) < total:
            sizes.append(int(2 ** self.random.uniform(0, 20)))
        keys = [b"%d:%d" % (self.name, number) for number in range(len(sizes))]
        self.random.shuffle(keys)
        for key, size in zip(keys, sizes, strict=True):
            yield key, self.random.randbytes(size)

    def put(self, values: list[tuple[bytes, bytes]]) -> None:
        """Store all of `values` in one write, then read all the replies."""
        self.connection.sendall(b"".join(self.store.put(key, value) for key, value in values))
        for _ in values:
            self.store.stored(self.replies)
        self.moved += sum(len(value) for _, value in values)
        self.expected.update(values)

    def check(self, keys: list[bytes]) -> None:
        """Ask for all of `keys` in one write, then compare all the values."""
        self.connection.sendall(b"".join(map(self.store.get, keys)))
        for key in keys:
            received = self.store.value(self.replies, key)
            assert received == self.expected[key], f"{key!r}: changed"
            self.moved += len(received)


def exercise(client: Client, total: int) -> None:
    """About `total` bytes of values: half one by one, half pipelined over the first; then all again."""
    for key, value in client.new_values(total // 2):
        client.put([(key, value)])
        client.check([key])
    values = list(client.new_values(total // 2))
    for start in range(0, len(values), BATCH):
        client.put(values[start : start + BATCH])
    keys = list(client.expected)
    client.random.shuffle(keys)
    for start in range(0, len(keys), BATCH):
        client.check(keys[start : start + BATCH])


if __name__ == "__main__":
    kind, host, port, seed, size = sys.argv[1:]
    with socket.create_connection((host, int(port)), timeout=30) as opened:
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        checking = Client(Redis() if kind == "redis" else Memcached(), opened, int(seed))
        exercise(checking, int(size))
    print(checking.moved)
