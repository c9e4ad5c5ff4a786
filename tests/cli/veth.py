"""Connections between two network namespaces, that can be found or not."""

import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from tests.cli.connections import SECONDS, Connection, visiting
from tests.cli.sandbox import Sandbox
from tests.conformance.namespaces import enter, two_over_veth

HERE, THERE = "10.77.0.1", "10.77.0.2"


@contextmanager
def over_veth(sandbox: Sandbox, *, seen: bool = True) -> Iterator[Connection]:
    """A connection from 10.77.0.1 to 10.77.0.2; the second one's namespace is ``seen`` or only in descriptors."""
    with ExitStack() as stack:
        made: list[Connection] = []

        def connect() -> None:  # in a thread of its own: its namespace goes with it
            first, second = two_over_veth()
            stack.callback(os.close, first)
            stack.callback(os.close, second)
            for number, namespace in enumerate((first, second)):
                if number == 0 or seen:
                    stack.enter_context(_held(namespace))
            enter(second)
            with socket.create_server((THERE, 0)) as listener:
                enter(first)
                client = socket.create_connection(listener.getsockname(), timeout=SECONDS)
                made.append(Connection(client, listener.accept()[0]))

        with visiting(sandbox.root):
            thread = threading.Thread(target=connect)
            thread.start()
            thread.join()
        yield stack.enter_context(made[0])


@contextmanager
def _held(namespace: int) -> Iterator[None]:
    """A process in the namespace, by which it is found."""
    with subprocess.Popen(
        ["nsenter", f"--net=/proc/self/fd/{namespace}", "sh", "-c", "echo ready; exec cat"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        pass_fds=[namespace],
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"ready\n"
        yield
        holder.communicate()
