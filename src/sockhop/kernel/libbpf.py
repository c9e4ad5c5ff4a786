"""libbpf.so.1, typed. Nothing else in the package loads it.

The calls keep libbpf's own names and semantics; what they return is checked, and a failure is raised
as :class:`OSError` with the call's name. Source: libbpf's ``bpf.h`` and ``libbpf.h``, version 1.1.
"""

import ctypes
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from sockhop.errors import Unsupported

BPF_MAP_TYPE_ARRAY = 2
BPF_CGROUP_SOCK_OPS = 3
BPF_SK_MSG_VERDICT = 7
BPF_TRACE_RAW_TP = 23
BPF_TRACE_ITER = 28
BPF_SK_SKB_VERDICT = 38

RING_SAMPLE = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)
_PRINT = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)


@cache
def _library() -> ctypes.CDLL:
    try:
        return ctypes.CDLL("libbpf.so.1", use_errno=True)
    except OSError as error:
        raise Unsupported(
            f"libbpf.so.1 cannot be loaded ({error}): sockhop reaches the kernel's BPF through it. "
            "Install the package libbpf1."
        ) from error


def _function(name: str, restype: Any, *argtypes: Any) -> Callable[..., Any]:
    """Return the typed function; the library is opened at the first call of any."""

    @cache
    def resolved() -> Any:
        function = getattr(_library(), name)
        function.restype, function.argtypes = restype, argtypes
        return function

    def call(*args: Any) -> Any:
        return resolved()(*args)

    return call


def _raise(name: str, number: int) -> None:
    raise OSError(number, f"{name}: {os.strerror(number)}")


def _int_call(name: str, *argtypes: Any) -> Callable[..., int]:
    function = _function(name, ctypes.c_int, *argtypes)

    def call(*args: Any) -> int:
        result: int = function(*args)
        if result < 0:
            _raise(name, ctypes.get_errno() or -result)
        return result

    return call


def _pointer_call(name: str, *argtypes: Any) -> Callable[..., int]:
    function = _function(name, ctypes.c_void_p, *argtypes)

    def call(*args: Any) -> int:
        result: int | None = function(*args)
        if not result:
            _raise(name, ctypes.get_errno())
        return int(result or 0)

    return call


_p, _i, _u32, _s, _u64 = ctypes.c_void_p, ctypes.c_int, ctypes.c_uint32, ctypes.c_char_p, ctypes.c_uint64

object_open_file = _pointer_call("bpf_object__open_file", _s, _p)
object_load = _int_call("bpf_object__load", _p)
object_close = _function("bpf_object__close", None, _p)
object_find_map = _pointer_call("bpf_object__find_map_by_name", _p, _s)
object_find_program = _pointer_call("bpf_object__find_program_by_name", _p, _s)
map_fd = _int_call("bpf_map__fd", _p)
map_set_max_entries = _int_call("bpf_map__set_max_entries", _p, _u32)
map_reuse_fd = _int_call("bpf_map__reuse_fd", _p, _i)
program_set_autoload = _int_call("bpf_program__set_autoload", _p, ctypes.c_bool)
program_fd = _int_call("bpf_program__fd", _p)
program_set_expected_attach_type = _int_call("bpf_program__set_expected_attach_type", _p, _i)

obj_pin = _int_call("bpf_obj_pin", _i, _s)
obj_get = _int_call("bpf_obj_get", _s)
obj_get_info_by_fd = _int_call("bpf_obj_get_info_by_fd", _i, _p, ctypes.POINTER(_u32))
map_lookup_elem = _int_call("bpf_map_lookup_elem", _i, _p, _p)
map_get_next_key = _int_call("bpf_map_get_next_key", _i, _p, _p)
map_lookup_and_delete_batch = _int_call(
    "bpf_map_lookup_and_delete_batch", _i, _p, _p, _p, _p, ctypes.POINTER(_u32), _p
)
map_delete_elem = _int_call("bpf_map_delete_elem", _i, _p)
map_update_elem = _int_call("bpf_map_update_elem", _i, _p, _p, _u64)
prog_attach = _int_call("bpf_prog_attach", _i, _i, _i, ctypes.c_uint)
link_create = _int_call("bpf_link_create", _i, _i, _i, _p)
iter_create = _int_call("bpf_iter_create", _i)
num_possible_cpus = _int_call("libbpf_num_possible_cpus")

ring_buffer_new = _pointer_call("ring_buffer__new", _i, RING_SAMPLE, _p, _p)
ring_buffer_poll = _int_call("ring_buffer__poll", _p, _i)
ring_buffer_free = _function("ring_buffer__free", None, _p)

btf_parse = _pointer_call("btf__parse", _s, _p)
btf_free = _function("btf__free", None, _p)
btf_find_by_name_kind = _int_call("btf__find_by_name_kind", _p, _s, _u32)
btf_type_by_id = _pointer_call("btf__type_by_id", _p, _u32)
btf_name_by_offset = _function("btf__name_by_offset", _s, _p, _u32)

_set_print = _function("libbpf_set_print", ctypes.c_void_p, _PRINT)


@contextmanager
def messages() -> Iterator[list[str]]:
    """Collect what libbpf would write to stderr; outside of the block it stays silent."""
    libc = ctypes.CDLL(None)
    libc.vsnprintf.argtypes = (ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_void_p)
    said: list[str] = []

    def receive(level: int, text: bytes, arguments: int) -> int:
        if level == 0:
            buffer = ctypes.create_string_buffer(1 << 16)
            libc.vsnprintf(buffer, len(buffer), text, arguments)
            said.append(buffer.value.decode(errors="replace").rstrip())
        return 0

    callback = _PRINT(receive)
    _set_print(callback)
    try:
        yield said
    finally:
        _set_print(_PRINT(0))
