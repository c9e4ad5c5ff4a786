"""The types of ``dataplane/abi.h`` in ctypes. ``tests/unit/test_abi.py`` compares them with the object."""

import ctypes
import struct
from collections.abc import Iterator
from enum import IntEnum
from typing import Any


class Outcome(IntEnum):
    """What became of a message. All but HOP are reasons for the stack."""

    HOP = 0
    UNREAD = 1
    FULL = 2
    RECHECK = 3
    NO_PEER = 4
    PAUSED = 5
    NAGLE_BURST = 6
    REDIRECT_FAILED = 7
    CLOSING = 8
    RCVLOWAT = 9
    MEMORY = 10
    WINDOW = 11
    CLASS = 12


class Refusal(IntEnum):
    """Why an end of a local pair was not put into the map."""

    MAP_FULL = 0
    KERNEL_SOCKET = 1
    MPTCP = 2
    ULP = 3
    BUSY = 4
    REPAIR = 5


class EventKind(IntEnum):
    """What happened to a connection."""

    CONNECTED = 0
    PAIRED = 1
    HOP_ON = 2
    TO_STACK = 3
    CLOSED = 4
    ADOPTED = 5
    CLASS = 6


class Role(IntEnum):
    """An end's part in its connection."""

    CLIENT = 0
    SERVER = 1


class Blocking(IntEnum):
    """Bits: of connections whose reads may block, there was one that..."""

    SEEN = 1
    ENDED = 2


class ClassState(IntEnum):
    """What is done with the sockets of a class."""

    LEARNING = 0
    HOPPING = 1
    STACK = 2


class Action(IntEnum):
    """What a rule says of the ends that it matches."""

    LEARNED = 0
    ALWAYS = 1
    NEVER = 2


class Reason(IntEnum):
    """Why a class is kept on the stack: bits of ``ClassInfo.reasons``."""

    WAITALL = 0
    OOB = 1
    ZEROCOPY = 2
    ERRQUEUE = 3
    INTERRUPTED = 4
    SIGNALS = 5
    THREADS = 6
    SPLICE = 7
    UNSEEN = 8
    RCVLOWAT = 9
    TIMESTAMPS = 10
    PEEK_OFFSET = 11
    DISCARD = 12
    MEMORY_LIMIT = 13
    BULK = 14
    SHORT_LIVED = 15
    SMALL_WRITES = 16
    MAY_SPLICE = 17
    CORKED = 18


class FlowFlag(IntEnum):
    """What is so of a connection's end: bits of ``Flow.flags``."""

    OBSERVED = 0
    TRACKED = 1
    IN_MAP = 2
    KEPT = 3
    PEER_GONE = 4
    IN_SCOPE = 5
    HAS_FILE = 6
    BLOCKS = 7
    HAS_CLASS = 8
    ULP = 9
    MPTCP = 10
    KERNEL_SOCKET = 11
    REPAIR = 12
    FOREIGN = 13
    PAIRED = 14


class Traffic(ctypes.Structure):
    """``struct traffic``: counters of one CPU."""

    _fields_ = (
        ("messages", ctypes.c_uint64 * 32),
        ("bytes", ctypes.c_uint64 * 32),
        ("refused", ctypes.c_uint64 * 16),
    )


class Config(ctypes.Structure):
    """``struct config``: what user space tells the data plane."""

    _fields_ = (
        ("magic", ctypes.c_uint64),
        ("build", ctypes.c_uint64),
        ("recheck_ns", ctypes.c_uint64),
        ("trace_until_ns", ctypes.c_uint64),
        ("paused", ctypes.c_uint32),
        ("closed", ctypes.c_uint32),
        ("epoch", ctypes.c_uint32),
        ("capacity", ctypes.c_uint32),
        ("rcvbuf", ctypes.c_uint32),
        ("queue_messages", ctypes.c_uint32),
        ("burst_messages", ctypes.c_uint32),
        ("burst_bytes", ctypes.c_uint32),
        ("eager", ctypes.c_uint32),
        ("rules", ctypes.c_uint32),
        ("generation", ctypes.c_uint32),
        ("learn_connections", ctypes.c_uint32),
        ("learn_reads", ctypes.c_uint32),
        ("least_messages", ctypes.c_uint32),
        ("review_ns", ctypes.c_uint64),
        ("room", ctypes.c_uint32),
        ("watched", ctypes.c_uint32),
        ("guarded", ctypes.c_uint32),
        ("small_bytes", ctypes.c_uint32),
    )


class Gauge(ctypes.Structure):
    """``struct gauge``: what goes up and down."""

    _fields_ = (
        ("tracked", ctypes.c_uint64),
        ("observed", ctypes.c_uint64),
        ("adopted", ctypes.c_uint64),
        ("turns", ctypes.c_uint32),
        ("missed", ctypes.c_uint32),
    )


class ClassKey(ctypes.Structure):
    """``struct class_key``: a service in a role."""

    _fields_ = (
        ("cgroup", ctypes.c_uint64),
        ("port", ctypes.c_uint16),
        ("role", ctypes.c_uint16),
        ("unused", ctypes.c_uint32),
    )


class ClassInfo(ctypes.Structure):
    """``struct class_info``: what was learned about a class."""

    _fields_ = (
        ("since_ns", ctypes.c_uint64),
        ("connections", ctypes.c_uint64),
        ("reads", ctypes.c_uint64),
        ("read_bytes", ctypes.c_uint64),
        ("writes", ctypes.c_uint64),
        ("written_bytes", ctypes.c_uint64),
        ("recent_connections", ctypes.c_uint32),
        ("recent_messages", ctypes.c_uint32),
        ("recent_bursts", ctypes.c_uint32),
        ("recent_corked", ctypes.c_uint32),
        ("blocking", ctypes.c_uint32),
        ("watched", ctypes.c_uint32),
        ("state", ctypes.c_uint32),
        ("reasons", ctypes.c_uint32),
    )


class Rule(ctypes.Structure):
    """``struct rule``: the first that matches an end decides for it."""

    _fields_ = (
        ("cgroup", ctypes.c_uint64),
        ("cgroup_level", ctypes.c_uint32),
        ("action", ctypes.c_uint32),
        ("first_port", ctypes.c_uint16),
        ("last_port", ctypes.c_uint16),
        ("roles", ctypes.c_uint8),
        ("prefix", ctypes.c_uint8),
        ("unused", ctypes.c_uint16),
        ("address", ctypes.c_uint8 * 16),
    )


class Event(ctypes.Structure):
    """``struct event``."""

    _fields_ = (
        ("time_ns", ctypes.c_uint64),
        ("cookie", ctypes.c_uint64),
        ("netns_cookie", ctypes.c_uint64),
        ("kind", ctypes.c_uint32),
        ("outcome", ctypes.c_uint32),
        ("state", ctypes.c_uint32),
        ("reasons", ctypes.c_uint32),
        ("family", ctypes.c_uint16),
        ("local_port", ctypes.c_uint16),
        ("remote_port", ctypes.c_uint16),
        ("role", ctypes.c_uint16),
        ("local_address", ctypes.c_uint8 * 16),
        ("remote_address", ctypes.c_uint8 * 16),
    )


class Flow(ctypes.Structure):
    """``struct flow``: one end of a connection."""

    _fields_ = (
        ("cookie", ctypes.c_uint64),
        ("peer", ctypes.c_uint64),
        ("netns_cookie", ctypes.c_uint64),
        ("cgroup", ctypes.c_uint64),
        ("messages", ctypes.c_uint64),
        ("hopped_bytes", ctypes.c_uint64),
        ("hopped_messages", ctypes.c_uint32),
        ("outcome", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
        ("action", ctypes.c_uint32),
        ("allowed", ctypes.c_uint32),
        ("class_state", ctypes.c_uint32),
        ("class_reasons", ctypes.c_uint32),
        ("hazards", ctypes.c_uint32),
        ("snd", ctypes.c_uint32),
        ("rcv", ctypes.c_uint32),
        ("family", ctypes.c_uint16),
        ("local_port", ctypes.c_uint16),
        ("remote_port", ctypes.c_uint16),
        ("tcp_state", ctypes.c_uint8),
        ("role", ctypes.c_uint8),
        ("local_address", ctypes.c_uint8 * 16),
        ("remote_address", ctypes.c_uint8 * 16),
    )


class Owner(ctypes.Structure):
    """``struct owner``: a process's descriptor of a TCP socket."""

    _fields_ = (
        ("cookie", ctypes.c_uint64),
        ("pid", ctypes.c_uint32),
        ("descriptor", ctypes.c_uint32),
        ("command", ctypes.c_uint8 * 16),
    )


_CODES: dict[Any, str] = {ctypes.c_uint64: "Q", ctypes.c_uint32: "I", ctypes.c_uint16: "H", ctypes.c_uint8: "B"}


def tuples(kind: type[ctypes.Structure], written: bytes) -> Iterator[tuple[Any, ...]]:
    """Yield each structure of those that stand one behind the other, as a tuple; arrays of bytes are bytes."""
    codes = [_CODES.get(part) or f"{ctypes.sizeof(part)}s" for _, part, *_ in kind._fields_]
    return struct.iter_unpack("=" + "".join(codes), written)


MAX_RULES = 64
MAX_PORT = 65535
ANY_ROLE = sum(1 << role for role in Role)
MAGIC = 0x706F686B636F73  # "sockhop", little-endian
