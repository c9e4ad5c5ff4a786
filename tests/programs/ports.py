"""Ports, and whether somebody listens on them."""

import random
import socket
from pathlib import Path

_LISTEN = "0A"  # TCP_LISTEN as /proc/net/tcp prints it


def free_port() -> int:
    """A TCP port that nobody holds, on IPv4 and IPv6.

    Below ip_local_port_range (32768 by default): no client of a test that runs beside us can be given it.
    """
    while True:
        port = random.randrange(10_000, 32_000)
        try:
            for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
                with socket.socket(family) as probe:
                    probe.bind((host, port))
        except OSError:
            continue
        return port


def listening(port: int) -> bool:
    """Whether a socket of this network namespace listens on `port`.

    Asks the kernel rather than connecting, because some servers here take one connection and no more.
    """
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            local, state = line.split()[1], line.split()[3]
            if state == _LISTEN and int(local.rpartition(":")[2], 16) == port:
                return True
    return False
