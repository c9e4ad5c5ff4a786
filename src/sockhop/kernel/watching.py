"""Tracepoints and watchpoints: attaching programs to them, by links that can be pinned.

Source: perf_event_open(2).
"""

import ctypes
import fcntl
import os
import platform
from pathlib import Path

from sockhop.errors import Unsupported
from sockhop.kernel import libbpf, mounts

# The C library has no function for it; asm/unistd.h of each.
_PERF_EVENT_OPEN = {"x86_64": 298, "ppc64le": 319, "s390x": 331}
_PERF_EVENT_OPEN_GENERIC = 241  # include/uapi/asm-generic/unistd.h: arm64, riscv64, loongarch64
_PERF_TYPE_TRACEPOINT, _PERF_TYPE_BREAKPOINT = 2, 5
_HW_BREAKPOINT_RW = 3
_PERF_EVENT_IOC_ENABLE = 0x2400
_PERF_FLAG_FD_CLOEXEC = 8
_POINTER_SIZE = 8


class _PerfEventAttr(ctypes.Structure):
    """``struct perf_event_attr``, its second version (PERF_ATTR_SIZE_VER1)."""

    _fields_ = (
        ("type", ctypes.c_uint32),
        ("size", ctypes.c_uint32),
        ("config", ctypes.c_uint64),
        ("sample_period", ctypes.c_uint64),
        ("sample_type", ctypes.c_uint64),
        ("read_format", ctypes.c_uint64),
        ("flags", ctypes.c_uint64),
        ("wakeup_events", ctypes.c_uint32),
        ("bp_type", ctypes.c_uint32),
        ("bp_addr", ctypes.c_uint64),
        ("bp_len", ctypes.c_uint64),
    )


def raw(program: int) -> int:
    """Attach a ``tp_btf`` program to the tracepoint that it was loaded for; return the link's descriptor."""
    return libbpf.link_create(program, 0, libbpf.BPF_TRACE_RAW_TP, None)


def tracepoint(program: int, group: str, name: str) -> int:
    """Attach a program to a tracepoint of tracefs; return the link's descriptor.

    Raises :class:`Unsupported` where the kernel has no such tracepoint, and :class:`OSError`.
    """
    where = mounts.require_tracefs() / "events" / group / name / "id"
    try:
        number = int(where.read_text())
    except OSError as error:
        raise Unsupported(f"this kernel has no tracepoint {group}/{name} ({error})") from error
    # Of CPU 0 only in name: a program of a tracepoint runs on each.
    return _attach(program, 0, _PerfEventAttr(type=_PERF_TYPE_TRACEPOINT, config=number))


def watchpoint(program: int, cpu: int, address: int) -> int:
    """Run a program each time this CPU reads or writes the pointer at an address of the kernel.

    Return the link's descriptor. Raises :class:`OSError` where there is no debug register left, or none at all.
    """
    where = _PerfEventAttr(
        type=_PERF_TYPE_BREAKPOINT, bp_type=_HW_BREAKPOINT_RW, bp_addr=address, bp_len=_POINTER_SIZE
    )
    return _attach(program, cpu, where)


def online_cpus() -> list[int]:
    """Return the numbers of the CPUs that are online (cpulist of sysfs)."""
    found: list[int] = []
    for part in Path("/sys/devices/system/cpu/online").read_text().strip().split(","):
        first, _, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    return found


def _attach(program: int, cpu: int, attributes: _PerfEventAttr) -> int:
    attributes.size = ctypes.sizeof(attributes)
    attributes.sample_period = attributes.wakeup_events = 1
    libc = ctypes.CDLL(None, use_errno=True)
    call = _PERF_EVENT_OPEN.get(platform.machine(), _PERF_EVENT_OPEN_GENERIC)
    event: int = libc.syscall(call, ctypes.byref(attributes), -1, cpu, -1, _PERF_FLAG_FD_CLOEXEC)
    if event < 0:
        raise OSError(ctypes.get_errno(), f"perf_event_open: {os.strerror(ctypes.get_errno())}")
    try:
        link = libbpf.link_create(program, event, libbpf.BPF_PERF_EVENT, None)
        fcntl.ioctl(event, _PERF_EVENT_IOC_ENABLE)
    finally:
        os.close(event)
    return link
