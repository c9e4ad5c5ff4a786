"""The types of ``dataplane/abi.h`` in ctypes. ``tests/unit/test_abi.py`` compares them with the object."""

import ctypes
from enum import IntEnum


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


class Role(IntEnum):
    """Which end of a connection a socket is."""

    CLIENT = 0
    SERVER = 1


class Action(IntEnum):
    """What a rule says about the ends that it matches."""

    LEARNED = 0
    ALWAYS = 1
    NEVER = 2


class Rule(ctypes.Structure):
    """``struct rule``: which ends it matches, and what is done with them."""

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


class Traffic(ctypes.Structure):
    """``struct traffic``: counters of one CPU."""

    _fields_ = (
        ("messages", ctypes.c_uint64 * len(Outcome)),
        ("bytes", ctypes.c_uint64 * len(Outcome)),
        ("refused", ctypes.c_uint64 * len(Refusal)),
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
    )


class Gauge(ctypes.Structure):
    """``struct gauge``: what goes up and down."""

    _fields_ = (("tracked", ctypes.c_uint64),)


class Event(ctypes.Structure):
    """``struct event``."""

    _fields_ = (
        ("time_ns", ctypes.c_uint64),
        ("cookie", ctypes.c_uint64),
        ("netns_cookie", ctypes.c_uint64),
        ("kind", ctypes.c_uint32),
        ("outcome", ctypes.c_uint32),
        ("family", ctypes.c_uint16),
        ("local_port", ctypes.c_uint16),
        ("remote_port", ctypes.c_uint16),
        ("is_server", ctypes.c_uint16),
        ("local_address", ctypes.c_uint8 * 16),
        ("remote_address", ctypes.c_uint8 * 16),
    )


MAX_RULES = 64
MAGIC = 0x706F686B636F73  # "sockhop", little-endian
