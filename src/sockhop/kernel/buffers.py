"""How large the kernel lets buffers be."""

from pathlib import Path

_RMEM_MAX = Path("/proc/sys/net/core/rmem_max")


def rmem_max() -> int:
    """Return net.core.rmem_max, the most that ``SO_RCVBUF`` takes; 0 where it cannot be seen."""
    try:
        return int(_RMEM_MAX.read_text())
    except FileNotFoundError:
        return 0


def receive_buffer(wanted: int) -> int:
    """Return the bytes to receive in that a socket can be given: ``wanted``, or 0 if it would get less.

    Less would be worse than none: until one is set, the kernel tunes the buffer, up to net.ipv4.tcp_rmem.
    """
    return wanted if wanted <= 2 * rmem_max() else 0  # sk_setsockopt() doubles what it is given
