"""Reading and writing BPF maps and iterators by descriptor.

The map may have been made by another version, whose values are longer or shorter: they grow at their ends, and
keys never change. What only the map has is left alone, and what only our structure has is 0.
"""

import ctypes
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TypeVar

from sockhop.kernel import libbpf

S = TypeVar("S", bound=ctypes.Structure)
V = TypeVar("V", bound=ctypes.Structure)
Simple = ctypes.c_uint32 | ctypes.c_uint64
_BATCH = 4096
ZERO = ctypes.c_uint32(0)


class MapInfo(ctypes.Structure):
    """``struct bpf_map_info`` of include/uapi/linux/bpf.h, its first fields."""

    _fields_ = (
        ("type", ctypes.c_uint32),
        ("id", ctypes.c_uint32),
        ("key_size", ctypes.c_uint32),
        ("value_size", ctypes.c_uint32),
        ("max_entries", ctypes.c_uint32),
        ("map_flags", ctypes.c_uint32),
        ("name", ctypes.c_char * 16),
    )


def info(fd: int, kind: type[S]) -> S:
    """Return what the kernel tells about a BPF descriptor, as far as ``kind`` has room for it."""
    result = kind()
    size = ctypes.c_uint32(ctypes.sizeof(kind))
    libbpf.obj_get_info_by_fd(fd, ctypes.byref(result), ctypes.byref(size))
    return result


def is_element(fd: int) -> bool:
    """Whether it is an array of one element. Raises :class:`OSError` for what is no BPF object."""
    about = info(fd, MapInfo)
    return (about.type, about.key_size, about.max_entries) == (libbpf.BPF_MAP_TYPE_ARRAY, 4, 1)


def read(fd: int, key: Simple, kind: type[S]) -> S:
    """Return an element. Raises :class:`OSError` if it is not there."""
    value = _room(info(fd, MapInfo).value_size, kind)
    libbpf.map_lookup_elem(fd, ctypes.byref(key), value)
    return kind.from_buffer_copy(value)


def _room(size: int, kind: type[ctypes.Structure]) -> ctypes.Array[ctypes.c_char]:
    """For what is so large in the map, and for a structure: the kernel copies the whole."""
    return ctypes.create_string_buffer(max(size, ctypes.sizeof(kind)))


def read_element(fd: int, kind: type[S]) -> S:
    """Return element 0 of an array."""
    return read(fd, ZERO, kind)


def write_element(fd: int, value: ctypes.Structure) -> None:
    """Replace element 0 of an array."""
    whole = _room(info(fd, MapInfo).value_size, type(value))
    libbpf.map_lookup_elem(fd, ctypes.byref(ZERO), whole)
    ctypes.memmove(whole, ctypes.byref(value), ctypes.sizeof(value))
    libbpf.map_update_elem(fd, ctypes.byref(ZERO), whole, 0)


def read_per_cpu(fd: int, kind: type[S]) -> list[S]:
    """Return element 0 of a per-CPU array, one value a possible CPU."""
    size, step = _per_cpu(fd)
    values = bytearray(step * libbpf.num_possible_cpus())
    libbpf.map_lookup_elem(fd, ctypes.byref(ZERO), (ctypes.c_char * len(values)).from_buffer(values))
    missing = bytes(max(0, ctypes.sizeof(kind) - size))
    return [kind.from_buffer_copy(values[at : at + size] + missing) for at in range(0, len(values), step)]


def clear_per_cpu(fd: int) -> None:
    """Set element 0 of a per-CPU array to zeros."""
    _, step = _per_cpu(fd)
    libbpf.map_update_elem(fd, ctypes.byref(ZERO), bytes(step * libbpf.num_possible_cpus()), 0)


def _per_cpu(fd: int) -> tuple[int, int]:
    """The bytes of a value, and from one CPU's to the next (``bpf_percpu_array_copy``)."""
    size = info(fd, MapInfo).value_size
    return size, (size + 7) & ~7


def count_keys(fd: int) -> int:
    """Return how many elements a hash has.

    One that changes meanwhile may send the walk back to its start (``map_get_next_key``), so keys are counted
    once each, and a walk that meets no end is cut off.
    """
    about = info(fd, MapInfo)
    key = ctypes.create_string_buffer(about.key_size)
    seen: set[bytes] = set()
    previous = None
    with suppress(FileNotFoundError):  # the end
        for _ in range(2 * about.max_entries):
            libbpf.map_get_next_key(fd, previous, key)
            seen.add(key.raw)
            previous = key  # the kernel reads it before it writes the next
    return len(seen)


def items(fd: int, key_type: type[S], value_type: type[V]) -> Iterator[tuple[S, V]]:
    """Yield the elements of a hash. One that changes meanwhile may show an element twice, or not at all."""
    about = info(fd, MapInfo)
    previous = None
    for _ in range(2 * about.max_entries):
        key, value = _room(about.key_size, key_type), _room(about.value_size, value_type)
        try:
            libbpf.map_get_next_key(fd, previous, key)
        except FileNotFoundError:
            return
        previous = key
        with suppress(FileNotFoundError):  # it has gone meanwhile
            libbpf.map_lookup_elem(fd, key, value)
            yield key_type.from_buffer_copy(key), value_type.from_buffer_copy(value)


def put(fd: int, key: Simple, value: ctypes.Structure | Simple) -> None:
    """Set an element."""
    libbpf.map_update_elem(fd, ctypes.byref(key), ctypes.byref(value), 0)


def delete(fd: int, key: ctypes.Structure | ctypes.c_uint64) -> None:
    """Delete an element, if it is there."""
    with suppress(FileNotFoundError):
        libbpf.map_delete_elem(fd, ctypes.byref(key))


def empty(fd: int) -> None:
    """Delete every element of a hash, a batch at a time."""
    about = info(fd, MapInfo)
    position = ctypes.create_string_buffer(max(about.key_size, 4))
    keys = ctypes.create_string_buffer(about.key_size * _BATCH)
    values = ctypes.create_string_buffer(about.value_size * _BATCH)
    start = None
    with suppress(FileNotFoundError):  # the end
        while True:
            count = ctypes.c_uint32(_BATCH)
            libbpf.map_lookup_and_delete_batch(fd, start, position, keys, values, ctypes.byref(count), None)
            start = position


def run_iterator(link: int) -> bytes:
    """Run an iterator once, in this thread's network namespace; return what it wrote."""
    fd = libbpf.iter_create(link)
    try:
        chunks = []
        while chunk := os.read(fd, 1 << 20):
            chunks.append(chunk)
    finally:
        os.close(fd)
    return b"".join(chunks)


@contextmanager
def ring(fd: int, kind: type[S], receive: Callable[[S], None]) -> Iterator[Callable[[int], int]]:
    """Yield ``poll(milliseconds)``, which hands each record of a ring buffer to ``receive``.

    What ``receive`` raises leaves ``poll``.
    """
    errors: list[BaseException] = []

    def sample(_context: int, data: int, size: int) -> int:
        try:
            receive(kind.from_buffer_copy(ctypes.string_at(data, size).ljust(ctypes.sizeof(kind), b"\0")))
        except BaseException as error:  # noqa: BLE001 - an exception cannot cross C
            errors.append(error)
            return -1
        return 0

    callback = libbpf.RING_SAMPLE(sample)
    handle = libbpf.ring_buffer_new(fd, callback, None, None)

    def poll(milliseconds: int) -> int:
        try:
            return libbpf.ring_buffer_poll(handle, milliseconds)
        except OSError:
            if errors:
                raise errors.pop() from None
            raise

    try:
        yield poll
    finally:
        libbpf.ring_buffer_free(handle)
