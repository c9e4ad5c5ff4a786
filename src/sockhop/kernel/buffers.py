"""How large the kernel lets buffers be."""

from pathlib import Path

#: Bytes with which bulk is not slower than with the kernel's own tuning.
LEAST = 2 << 20
_RMEM_MAX = Path("/proc/sys/net/core/rmem_max")


def rmem_max() -> int:
    """Return net.core.rmem_max, the most that ``SO_RCVBUF`` takes; 0 where it cannot be seen."""
    try:
        return int(_RMEM_MAX.read_text())
    except FileNotFoundError:
        return 0


def receive_buffer(wanted: int) -> int:
    """Return the bytes to receive in that a socket is given: ``wanted``, as much as it can get, or 0.

    Less than LEAST would be worse than none: until one is set, the kernel tunes the buffer, up to
    net.ipv4.tcp_rmem.
    """
    most = 2 * rmem_max()  # sk_setsockopt() doubles what it is given
    if wanted <= most:
        return wanted
    return most if most >= LEAST else 0
