"""The server of hazard.c in Python: sends each message back, having read it with MSG_WAITALL.

waitall_server.py PORT WORKERS: processes that take connections from one listener. Says so when a read is short.
"""

import os
import socket
import struct
import sys


def read(connection: socket.socket, size: int) -> bytes:
    """Read all of it at once, or nothing at the end of the stream."""
    taken = connection.recv(size, socket.MSG_WAITALL)
    if len(taken) not in (0, size):
        print(f"SHORT: {len(taken)} of {size}", flush=True)
        sys.exit(1)
    return taken


def serve(connection: socket.socket) -> None:
    """Until the client closes."""
    with connection:
        while header := read(connection, 8):
            (size,) = struct.unpack_from("<I", header)
            connection.sendall(header + read(connection, size))


def main() -> None:
    """Fork the workers, and wait for them."""
    listener = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=100)
    children = []
    for _ in range(int(sys.argv[2])):
        child = os.fork()
        if not child:
            while True:
                serve(listener.accept()[0])
        children.append(child)
    for child in children:
        os.waitpid(child, 0)


if __name__ == "__main__":
    main()
