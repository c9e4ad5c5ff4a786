"""How the kernel's sockmap behaves: each probe tries one thing, on a connection of its own.

What is found here decides whether bytes can be lost, overtaken, or heaped up. A fix is named by the commit that
brought it and the first releases with it; distributions have it in others too, so only the behaviour is asked.
"""

import fcntl
import select
import socket
import struct
import termios
from collections.abc import Callable

from sockhop.control import walking
from sockhop.control.ends import COOKIE, NETNS_COOKIE, records
from sockhop.control.probes.answers import Missing, Need
from sockhop.control.probes.trial import SECONDS, Trial
from sockhop.kernel import repair

_SO_MEMINFO, _SO_COOKIE, _SO_NETNS_COOKIE = 55, 57, 71  # include/uapi/asm-generic/socket.h
_RMEM_ALLOC = 0  # SK_MEMINFO_RMEM_ALLOC of include/uapi/linux/sock_diag.h
#: More than TCP holds for a reader that does not read: its largest send buffer (tcp_wmem), and what hops may fill.
UNBOUNDED = 24 << 20


def hop(trial: Trial) -> str:
    """A message is found in the other end's hands, and was seen by no stack."""
    trial.hop(b"hop")
    received = trial.receive(3)
    if received != b"hop":
        raise Missing(
            f"a message that hopped arrived as {received!r}",
            "this kernel does what sockhop does not know: report it",
        )
    return "a message between two sockets hopped"


def order(trial: Trial) -> str:
    """Bytes that took the stack first are not overtaken, and hops go on after them."""
    trial.stack(b"stack,")
    trial.client.sendall(b"any,")
    received = trial.receive(10)
    trial.hop(b"hop")
    received += trial.receive(3)
    if received != b"stack,any,hop":
        raise Missing(f"bytes of the stack were overtaken, or lost ({received!r})", "use another kernel")
    return "stack and hop keep their order"


def one_queue(trial: Trial) -> str:
    """One read takes what came both ways: an edge-triggered reader stops at a short read (nginx, tokio, netty)."""
    trial.hop(b"hop,")
    trial.stack(b"stack")
    at_once = trial.peek(9)
    if at_once != b"hop,stack":
        raise Missing(
            f"a read ends where bytes of the stack begin ({at_once!r}): edge-triggered readers would hang",
            "use a kernel whose sk_skb verdict programs work with sk_msg (a7ba4558e69a, Linux 5.13)",
        )
    return "hops and bytes of the stack stand in one queue"


def charge(trial: Trial) -> str:
    """Unread bytes of hops count as the receiver's: nothing else bounds them."""
    trial.hop(bytes(1 << 15))
    memory = struct.unpack_from(
        "=I", trial.server.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, 64), 4 * _RMEM_ALLOC
    )[0]
    if memory < 1 << 15:
        raise Missing(
            f"unread bytes are not charged to their receiver ({memory} of {1 << 15}): readers that stall would "
            "take all memory",
            "use a kernel with 54f89b3178d5 (charge receive socket buffer): 6.13, 6.12.8, 6.1.122",
        )
    return "unread hops are charged to their receiver"


def bound(trial: Trial) -> str:
    """A reader that does not read stops the writer, and gets every byte when it does."""
    sent = trial.fill(UNBOUNDED)
    if len(sent) >= UNBOUNDED:
        raise Missing(
            f"{len(sent) >> 20} MB were taken in for a reader that does not read",
            "use another kernel: nothing bounds what is unread",
        )
    received = trial.receive(len(sent))
    if received != sent:
        raise Missing(
            f"of {len(sent)} bytes that a slow reader was sent, {len(received)} arrived, or others",
            "use a kernel with 7683167196bd (data lost during EAGAIN retries): 6.16, 6.12.35",
        )
    return "a slow reader stops the writer, and loses nothing"


def half_close(trial: Trial) -> str:
    """The end of a direction comes after all its bytes."""
    trial.hop(b"unread")
    trial.client.shutdown(socket.SHUT_WR)
    received = trial.receive(6)
    if received != b"unread" or trial.server.recv(1):
        raise Missing(
            f"a half-closed reader lost unread bytes ({received!r})",
            "use a kernel whose sockmap has no unhash hook any more: Linux 5.16",
        )
    return "a half-close keeps unread bytes"


def reset(trial: Trial) -> str:
    """A close with unread bytes wakes a writer that waits for room."""
    trial.fill(UNBOUNDED)
    trial.server.close()
    poll = select.poll()
    poll.register(trial.client, 0)  # errors and the end come unasked
    if not poll.poll(SECONDS * 1000):
        raise Missing(
            "a writer was not woken when its reader closed with unread bytes: it would wait for a minute",
            "raise net.core.rmem_max, or use another kernel",
        )
    return "a close with unread bytes wakes the writer"


def overlap(trial: Trial) -> str:
    """A segment that begins with bytes which were received already gives only those that are new."""
    trial.stack(b"0123456789")
    received = trial.receive(10)
    try:
        repair.send_again(trial.client, trial.spare, b"56789abcde", 5)
    except OSError as error:
        raise Missing(
            f"two segments that overlap could not be made: {error}", "use a kernel with TCP_REPAIR"
        ) from error
    received += trial.receive(5)
    trial.spare.sendall(b"f")
    received += trial.receive(1)
    if received != b"0123456789abcdef":
        raise Missing(
            f"a segment sent again made bytes come twice ({received!r})",
            "use a kernel whose bpf_skb_adjust_room() cuts sk_skb packets: Linux 5.10",
        )
    return "overlapping segments give each byte once"


def drain(trial: Trial) -> str:
    """A socket leaves the map when it is empty, not before, and goes on."""
    trial.hop(b"unread")
    trial.instance.close()
    early = walking.drain(trial.instance, 0)
    received = trial.receive(6)
    late = walking.drain(trial.instance, 0)
    trial.client.sendall(b"stack")
    received += trial.receive(5)
    if (early, late, received) != (1, 0, b"unreadstack"):
        raise Missing(
            f"sockets cannot leave the map without loss ({early} and {late} left in, {received!r} arrived)",
            "use a kernel whose iter/tcp can delete from a sockhash",
        )
    return "sockets leave the map when they are empty"


def fionread(trial: Trial) -> str:
    """``FIONREAD`` counts what is unread, whichever way it came."""
    trial.hop(b"hop,")
    trial.stack(b"stack")
    trial.peek(9)
    counts = [_unread(trial.server)]
    trial.receive(2)
    counts.append(_unread(trial.server))
    if counts != [9, 7]:
        raise Missing(
            f"FIONREAD says {counts} where 9 and 7 bytes are unread, and nothing shows who asks",
            "use a kernel with 929e30f93125 (FIONREAD for sockmap): 7.0, 6.12.85",
        )
    return "FIONREAD counts what is unread"


def _unread(end: socket.socket) -> int:
    return int(struct.unpack("=i", fcntl.ioctl(end, termios.FIONREAD, b"\0" * 4))[0])


def netns_cookies(trial: Trial) -> str:
    """Both sides call a network namespace by the same number."""
    wanted = struct.unpack("=Q", trial.client.getsockopt(socket.SOL_SOCKET, _SO_NETNS_COOKIE, 8))[0]
    cookie = struct.unpack("=Q", trial.client.getsockopt(socket.SOL_SOCKET, _SO_COOKIE, 8))[0]
    shown = {
        record[NETNS_COOKIE]
        for written in walking.everywhere(trial.instance, "flows")
        for record in records(written)
        if record[COOKIE] == cookie
    }
    if shown != {wanted}:
        raise Missing(
            f"a socket of network namespace {wanted} is shown as one of {shown or 'none'}",
            "report it: `flows` and `explain` may take connections for one another",
        )
    return "network namespaces are told apart"


# By id; drain last, since nothing hops after it.
PROBES: dict[str, tuple[Callable[[Trial], str], Need]] = {
    "hop": (hop, Need.HOPS),
    "order": (order, Need.HOPS),
    "one_queue": (one_queue, Need.HOPS),
    "charge": (charge, Need.HOPS),
    "bound": (bound, Need.HOPS),
    "half_close": (half_close, Need.HOPS),
    "reset": (reset, Need.HOPS),
    "overlap": (overlap, Need.HOPS),
    "fionread": (fionread, Need.AUTO),
    "netns_cookies": (netns_cookies, Need.DETAIL),
    "drain": (drain, Need.HOPS),
}
