"""What the running kernel says of its own types and functions: BTF (``Documentation/bpf/btf.rst``)."""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sockhop.kernel import libbpf

VMLINUX = Path("/sys/kernel/btf/vmlinux")
_STRUCT, _FUNCTION = 4, 12  # BTF_KIND_STRUCT, BTF_KIND_FUNC of include/uapi/linux/btf.h


class _Type(ctypes.Structure):
    """``struct btf_type``; the members of a structure follow it."""

    _fields_ = (("name", ctypes.c_uint32), ("info", ctypes.c_uint32), ("size", ctypes.c_uint32))


class _Member(ctypes.Structure):
    """``struct btf_member``."""

    _fields_ = (("name", ctypes.c_uint32), ("type", ctypes.c_uint32), ("offset", ctypes.c_uint32))


class Btf:
    """The kernel's types, as long as :func:`vmlinux` is open."""

    def __init__(self, handle: int) -> None:
        self._handle = handle

    def has_function(self, name: str) -> bool:
        """Whether there is a function of this name; a kfunc is one."""
        return self._find(name, _FUNCTION) is not None

    def has_member(self, structure: str, member: str) -> bool:
        """Whether the structure is there and has such a member, anonymous structures within it apart."""
        address = self._find(structure, _STRUCT)
        if address is None:
            return False
        count = _Type.from_address(address).info & 0xFFFF  # BTF_INFO_VLEN
        members = (_Member * count).from_address(address + ctypes.sizeof(_Type))
        return any(libbpf.btf_name_by_offset(self._handle, each.name) == member.encode() for each in members)

    def _find(self, name: str, kind: int) -> int | None:
        try:
            number = libbpf.btf_find_by_name_kind(self._handle, name.encode(), kind)
        except OSError:
            return None
        return libbpf.btf_type_by_id(self._handle, number)


@contextmanager
def vmlinux() -> Iterator[Btf]:
    """Open the running kernel's. Raises :class:`OSError` where it has none."""
    handle = libbpf.btf_parse(str(VMLINUX).encode(), None)
    try:
        yield Btf(handle)
    finally:
        libbpf.btf_free(handle)
