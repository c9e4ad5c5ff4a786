"""Why something takes the stack, in words that follow "because"."""

from sockhop.kernel.abi import FlowFlag, Outcome, Reason

# What a program does that keeps its class on the stack. Follows "the server" or "the client".
DOES = {
    Reason.WAITALL: "reads with MSG_WAITALL, and a hop would return short",
    Reason.OOB: "uses urgent data (MSG_OOB or SO_OOBINLINE), which a hop would make ordinary bytes",
    Reason.ZEROCOPY: "sends with MSG_ZEROCOPY, whose completions hops do not give",
    Reason.ERRQUEUE: "reads the error queue (MSG_ERRQUEUE), which hops do not fill",
    Reason.INTERRUPTED: "is woken in blocking reads by signals, a reset or its own FIN: EAGAIN, if it could hop",
    Reason.SIGNALS: "reads blocking and handles signals, which would make such a read fail with EAGAIN",
    Reason.THREADS: "reads blocking and has several threads, which could make such a read fail with EAGAIN",
    Reason.SPLICE: "calls splice() on its sockets, which would wait for ever",
    Reason.UNSEEN: "takes bytes from its sockets otherwise than by recv(), as splice() does, which would hang",
    Reason.RCVLOWAT: "sets SO_RCVLOWAT, which sockets that can hop ignore",
    Reason.TIMESTAMPS: "asks for time stamps or TCP_INQ, which hops do not give",
    Reason.PEEK_OFFSET: "sets SO_PEEK_OFF, which sockets that can hop ignore",
    Reason.DISCARD: "throws bytes away with MSG_TRUNC, which would fail with EFAULT",
    Reason.MEMORY_LIMIT: "is near its limit of memory, or has one of TCP's own: hops would fail with ENOMEM",
    Reason.BULK: "reads blocking after it has sent in bulk, which could make such a read fail with EAGAIN",
    Reason.SHORT_LIVED: "has connections of so few messages that taking them in would cost more than it saves",
    Reason.SMALL_WRITES: "sends many small writes in a row, which TCP joins: it is faster",
    Reason.CORKED: "sends long streams by sendfile(), under a cork or in writes beyond SO_RCVBUF: TCP is faster",
    Reason.MAY_SPLICE: "is HAProxy, which may turn to splice() in mid-stream, and would then wait for ever",
}

# The same in short, for tables.
SHORT = {
    Reason.WAITALL: "MSG_WAITALL",
    Reason.OOB: "urgent data",
    Reason.ZEROCOPY: "MSG_ZEROCOPY",
    Reason.ERRQUEUE: "error queue",
    Reason.INTERRUPTED: "interrupted blocking read",
    Reason.SIGNALS: "blocking reads and signal handlers",
    Reason.THREADS: "blocking reads and threads",
    Reason.SPLICE: "splice()",
    Reason.UNSEEN: "bytes taken without recv()",
    Reason.RCVLOWAT: "SO_RCVLOWAT",
    Reason.TIMESTAMPS: "time stamps",
    Reason.PEEK_OFFSET: "SO_PEEK_OFF",
    Reason.DISCARD: "MSG_TRUNC",
    Reason.MEMORY_LIMIT: "memory limit",
    Reason.BULK: "blocking reads after bulk",
    Reason.SHORT_LIVED: "short-lived connections",
    Reason.SMALL_WRITES: "bursts of small writes",
    Reason.CORKED: "long streams that cannot hop",
    Reason.MAY_SPLICE: "may turn to splice()",
}

# Why the last message of a direction took the stack, and what can be done about it.
OUTCOMES = {
    Outcome.UNREAD: ("bytes that took the stack before have not arrived", ""),
    Outcome.FULL: ("the reader does not keep up: its receive buffer or its queue of messages is full", ""),
    Outcome.RECHECK: (
        "it has to show itself to firewalls now and then; it hops again when TCP has acknowledged that message",
        "",
    ),
    Outcome.NO_PEER: ("the other end is not known yet, or is gone", ""),
    Outcome.PAUSED: ("hops were paused when its last message was sent", ""),
    Outcome.NAGLE_BURST: (
        "it sends many small writes in a row, unanswered, with Nagle's algorithm: TCP joins them, and is faster",
        "let the program make larger writes, or set TCP_NODELAY if it must not wait",
    ),
    Outcome.REDIRECT_FAILED: ("the kernel did not find the other socket in the map", ""),
    Outcome.CLOSING: ("one of the ends has shut down or is closing", ""),
    Outcome.RCVLOWAT: (
        "the reader has set SO_RCVLOWAT, which only TCP knows how to keep",
        "let the program leave SO_RCVLOWAT at 1",
    ),
    Outcome.MEMORY: (
        "TCP's memory is short",
        "raise net.ipv4.tcp_mem, or find out who uses it: cat /proc/net/sockstat",
    ),
    Outcome.WINDOW: ("TCP has promised the reader's room to bytes that take the stack", ""),
    Outcome.CLASS: ("a class or a rule was against it when its last message was sent", ""),
}


# What of a socket itself keeps it out: a code, what follows "the socket of the server", and what can be done.
SOCKETS = {
    FlowFlag.KERNEL_SOCKET: ("kernel_socket", "belongs to the kernel itself (NFS, nvme-tcp, ceph)", ""),
    FlowFlag.MPTCP: (
        "mptcp",
        "is part of an MPTCP connection, which the kernel does not let hop",
        "let the program make plain TCP sockets (of Go programs: GODEBUG=multipathtcp=0)",
    ),
    FlowFlag.ULP: ("ulp", "has an upper layer protocol, such as kTLS, which the kernel does not let hop", ""),
    FlowFlag.REPAIR: ("repair", "is in repair mode, as CRIU uses it", ""),
    FlowFlag.FOREIGN: (
        "foreign",
        "belongs to BPF programs or callbacks of somebody else",
        "find out whose: bpftool prog show; bpftool map show",
    ),
}


def does(reasons: tuple[str, ...]) -> str:
    """Return what a program does, given the names of the reasons; follows "the server"."""
    return ", and ".join(DOES[Reason[name.upper()]] for name in reasons)


def in_short(reasons: tuple[str, ...]) -> str:
    """Return the reasons for a table."""
    return ", ".join(SHORT[Reason[name.upper()]] for name in reasons)
