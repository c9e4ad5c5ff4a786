"""System calls as C programs make them: no restart after EINTR, no hidden poll, any flag and any buffer."""

from __future__ import annotations

import ctypes
import os
import socket
from collections.abc import Callable

_libc = ctypes.CDLL(None, use_errno=True)
_libc.recv.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
_libc.recv.restype = ctypes.c_ssize_t
_libc.splice.argtypes = [
    ctypes.c_int,
    ctypes.c_void_p,
    ctypes.c_int,
    ctypes.c_void_p,
    ctypes.c_size_t,
    ctypes.c_uint,
]
_libc.splice.restype = ctypes.c_ssize_t
_libc.connect.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_uint]

SPLICE_F_NONBLOCK = 2
MSG_ZEROCOPY = 0x4000000
SO_ZEROCOPY = 60
TCP_INQ = 36
TCP_CM_INQ = 36
TCP_ULP = 31
TCP_FASTOPEN_CONNECT = 30
SO_MEMINFO = 55
SO_PEEK_OFF = 42
SO_TIMESTAMPNS = 35
SO_TIMESTAMPING = 37
TCP_ZEROCOPY_RECEIVE = 35
SIOCATMARK = 0x8905


def recv(sock: socket.socket, count: int, flags: int = 0) -> bytes:
    """One recv(2).

    Raises:
        OSError: with its errno, EINTR too.
    """
    buffer = ctypes.create_string_buffer(count)
    got = _checked(lambda: _libc.recv(sock.fileno(), buffer, count, flags))
    return buffer.raw[:got]


def recv_nowhere(sock: socket.socket, count: int, flags: int) -> int:
    """recv(2) without a buffer, as MSG_TRUNC allows on TCP: the number of bytes thrown away."""
    return _checked(lambda: _libc.recv(sock.fileno(), None, count, flags))


def splice(source: int, target: int, count: int, flags: int = 0) -> int:
    """One splice(2) between a pipe and a socket: the number of bytes moved."""
    return _checked(lambda: _libc.splice(source, None, target, None, count, flags))


def disconnect(sock: socket.socket) -> int:
    """connect(2) to AF_UNSPEC: the socket becomes unconnected and may connect again."""
    return _checked(lambda: _libc.connect(sock.fileno(), bytes(16), 16))


def getsockopt(sock: socket.socket, level: int, name: int, asked: bytes) -> bytes:
    """getsockopt(2) of an option whose value is also its question."""
    value = ctypes.create_string_buffer(asked, len(asked))
    length = ctypes.c_uint(len(asked))
    _checked(lambda: _libc.getsockopt(sock.fileno(), level, name, value, ctypes.byref(length)))
    return value.raw[: length.value]


def _checked(call: Callable[[], int]) -> int:
    result = call()
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
