"""A TCP sender put in another's place: what checkpoint and restore does (TCP_REPAIR, CAP_NET_ADMIN).

Source: the kernel's ``include/uapi/linux/tcp.h`` and ``tcp_repair_*`` of ``net/ipv4/tcp.c``.
"""

import socket
import struct

_TCP_REPAIR, _TCP_REPAIR_QUEUE, _TCP_QUEUE_SEQ, _TCP_REPAIR_WINDOW = 19, 20, 21, 29
_ON, _OFF = 1, -1  # TCP_REPAIR_OFF_NO_WP: without a window probe
_RECEIVE, _SEND = 1, 2  # TCP_RECV_QUEUE, TCP_SEND_QUEUE


def send_again(sender: socket.socket, again: socket.socket, data: bytes, overlap: int) -> None:
    """Send ``data`` in one segment whose first ``overlap`` bytes the receiver has already.

    TCP does so after a loss. ``sender``, all of whose bytes must have been received, is closed; its peer sees
    nothing of that, and goes on with ``again``, a new socket of the same network namespace. Raises
    :class:`OSError`.
    """
    _set(sender, _TCP_REPAIR, _ON)
    sent, received = (_sequence(sender, queue) for queue in (_SEND, _RECEIVE))
    addresses = sender.getsockname(), sender.getpeername()
    sender.close()
    _set(again, _TCP_REPAIR, _ON)
    again.bind(addresses[0])
    start = (sent - overlap) % (1 << 32)
    for queue, number in ((_SEND, start), (_RECEIVE, received)):
        _set(again, _TCP_REPAIR_QUEUE, queue)
        again.setsockopt(socket.IPPROTO_TCP, _TCP_QUEUE_SEQ, struct.pack("=I", number))
    again.connect(addresses[1])
    # snd_wl1, snd_wnd, max_window, rcv_wnd, rcv_wup: a window that holds it all.
    window = struct.pack("=5I", received, len(data), len(data), 65535, received)
    again.setsockopt(socket.IPPROTO_TCP, _TCP_REPAIR_WINDOW, window)
    _set(again, _TCP_REPAIR, _OFF)
    again.send(data)


def _set(end: socket.socket, option: int, value: int) -> None:
    end.setsockopt(socket.IPPROTO_TCP, option, value)


def _sequence(end: socket.socket, queue: int) -> int:
    """``write_seq`` or ``rcv_nxt``."""
    _set(end, _TCP_REPAIR_QUEUE, queue)
    return int(end.getsockopt(socket.IPPROTO_TCP, _TCP_QUEUE_SEQ)) % (1 << 32)
