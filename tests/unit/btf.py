"""The types inside an object file, read through libbpf. Source: include/uapi/linux/btf.h."""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sockhop.kernel import libbpf

STRUCT, ENUM = 4, 6


@dataclass(frozen=True)
class Field:
    """A member of a struct: its place in bytes. ``size`` is that of the whole member."""

    name: str
    offset: int
    size: int


class _Type(ctypes.Structure):
    """``struct btf_type``; ``size`` is its union with ``type``."""

    _fields_ = (("name_off", ctypes.c_uint32), ("info", ctypes.c_uint32), ("size", ctypes.c_uint32))


class _Member(ctypes.Structure):
    """``struct btf_member``; ``offset`` is in bits (no bit fields here)."""

    _fields_ = (("name_off", ctypes.c_uint32), ("type", ctypes.c_uint32), ("offset", ctypes.c_uint32))


class _Enumerator(ctypes.Structure):
    """``struct btf_enum``."""

    _fields_ = (("name_off", ctypes.c_uint32), ("value", ctypes.c_int32))


class Btf:
    """An object's types, as long as :func:`types_of` is open."""

    def __init__(self, handle: int) -> None:
        self._handle = handle

    def struct(self, name: str) -> tuple[int, list[Field]]:
        """Return the struct's size in bytes and its fields. Raises :class:`OSError` if there is none."""
        address, head = self._find(name, STRUCT)
        members = (_Member * (head.info & 0xFFFF)).from_address(address + ctypes.sizeof(_Type))
        starts = [member.offset // 8 for member in members] + [head.size]
        return head.size, [
            Field(self._name(member.name_off), start, end - start)
            for member, start, end in zip(members, starts, starts[1:], strict=False)
        ]

    def enum(self, name: str) -> dict[str, int]:
        """Return the enum's values by name. Raises :class:`OSError` if there is none."""
        address, head = self._find(name, ENUM)
        values = (_Enumerator * (head.info & 0xFFFF)).from_address(address + ctypes.sizeof(_Type))
        return {self._name(value.name_off): value.value for value in values}

    def _find(self, name: str, kind: int) -> tuple[int, _Type]:
        number = libbpf.btf_find_by_name_kind(self._handle, name.encode(), kind)
        address = libbpf.btf_type_by_id(self._handle, number)
        return address, _Type.from_address(address)

    def _name(self, offset: int) -> str:
        name: bytes = libbpf.btf_name_by_offset(self._handle, offset)
        return name.decode()


@contextmanager
def types_of(path: Path) -> Iterator[Btf]:
    """Read the types of an object file."""
    handle = libbpf.btf_parse(str(path).encode(), None)
    try:
        yield Btf(handle)
    finally:
        libbpf.btf_free(handle)
