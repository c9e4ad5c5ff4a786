"""Tracepoints: attaching programs to them, so that the link can be pinned."""

import ctypes
import fcntl
import os
import platform

from sockhop.errors import Unsupported
from sockhop.kernel import libbpf, mounts

# The C library has no function for it; asm/unistd.h of each.
_PERF_EVENT_OPEN = {"x86_64": 298, "ppc64le": 319, "s390x": 331}
_PERF_EVENT_OPEN_GENERIC = 241  # include/uapi/asm-generic/unistd.h: arm64, riscv64, loongarch64
_PERF_TYPE_TRACEPOINT = 2
_PERF_EVENT_IOC_ENABLE = 0x2400
_PERF_FLAG_FD_CLOEXEC = 8


class _PerfEventAttr(ctypes.Structure):
    """``struct perf_event_attr``, its first version (PERF_ATTR_SIZE_VER0)."""

    _fields_ = (
        ("type", ctypes.c_uint32),
        ("size", ctypes.c_uint32),
        ("config", ctypes.c_uint64),
        ("sample_period", ctypes.c_uint64),
        ("unused", ctypes.c_uint64 * 3),
        ("wakeup_events", ctypes.c_uint32),
        ("bp_type", ctypes.c_uint32),
        ("config1", ctypes.c_uint64),
    )


def attach_raw(program: int) -> int:
    """Attach a ``tp_btf`` program to the tracepoint that it was loaded for; return the link's descriptor."""
    return libbpf.link_create(program, 0, libbpf.BPF_TRACE_RAW_TP, None)


def attach(program: int, group: str, name: str) -> int:
    """Attach a program to a tracepoint of tracefs; return the link's descriptor.

    Raises :class:`Unsupported` where the kernel has no such tracepoint, and :class:`OSError`.
    """
    event = _open(group, name)
    try:
        link = libbpf.link_create(program, event, libbpf.BPF_PERF_EVENT, None)
        fcntl.ioctl(event, _PERF_EVENT_IOC_ENABLE)
    finally:
        os.close(event)
    return link


def _open(group: str, name: str) -> int:
    where = mounts.require_tracefs() / "events" / group / name / "id"
    try:
        number = int(where.read_text())
    except OSError as error:
        raise Unsupported(f"this kernel has no tracepoint {group}/{name} ({error})") from error
    attributes = _PerfEventAttr(
        type=_PERF_TYPE_TRACEPOINT,
        size=ctypes.sizeof(_PerfEventAttr),
        config=number,
        sample_period=1,
        wakeup_events=1,
    )
    libc = ctypes.CDLL(None, use_errno=True)
    call = _PERF_EVENT_OPEN.get(platform.machine(), _PERF_EVENT_OPEN_GENERIC)
    # Of every process, and of CPU 0 only in name: a program of a tracepoint runs on each.
    event: int = libc.syscall(call, ctypes.byref(attributes), -1, 0, -1, _PERF_FLAG_FD_CLOEXEC)
    if event < 0:
        raise OSError(ctypes.get_errno(), f"perf_event_open: {os.strerror(ctypes.get_errno())}")
    return event
