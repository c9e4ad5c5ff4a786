"""Sends SIZE bytes through a non-blocking socket with TCP_CORK on, to a thread; prints the seconds it took.

corked.py SIZE
"""

import select
import socket
import sys
import threading
import time


def discard(connection: socket.socket) -> None:
    """Read to the end."""
    while connection.recv(1 << 16):
        pass


def main(size: int) -> None:
    """Both ends are in this process."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        sender = socket.create_connection(listener.getsockname())
        receiver, _ = listener.accept()
    reading = threading.Thread(target=discard, args=(receiver,))
    reading.start()
    sender.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
    sender.setblocking(False)
    start, block = time.monotonic(), bytes(60_000)
    while size > 0:
        try:
            size -= sender.send(block[:size])
        except BlockingIOError:
            select.select([], [sender], [])
    sender.close()
    reading.join()
    print(time.monotonic() - start)


if __name__ == "__main__":
    main(int(sys.argv[1]))
