"""Readers that block, in processes of their own: the test's has a handler for SIGALRM, and so would never hop."""

import signal
import subprocess
import sys

import pytest

from sockhop.control.classes import Class
from tests.conformance.waiting import asleep_in
from tests.conftest import Scope
from tests.waiting import until

BLOCKING = """
import socket
listener = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(listener.getsockname())
server, _ = listener.accept()
for sender, receiver in 100 * [(client, server), (server, client)]:
    sender.send(b"x")
    assert receiver.recv(1) == b"x"
"""


def test_a_blocking_reader_alone_may_hop(scope: Scope) -> None:
    """In a process of its own: this one has a handler for SIGALRM, and so would not."""
    scope.run([sys.executable, "-c", BLOCKING], check=True, timeout=10)
    assert [(known.state, known.reasons) for known in scope.hops.classes()] == [("hopping", ())] * 2


HELD_AT_TIMES = """
import os
for number, (sender, receiver) in enumerate(100 * [(client, server), (server, client)]):
    if number % 6 == 2:
        held = os.dup(client.fileno()), os.dup(server.fileno())
    sender.send(b"x")
    assert receiver.recv(1) == b"x"
    if number % 6 == 3:
        os.close(held[0])
        os.close(held[1])
client.close()
server.close()
"""


def test_who_looks_at_a_process_holds_its_sockets_for_a_moment(scope: Scope) -> None:
    """As ls /proc/PID/fd does: they are not shared for that, and the reads beside it count afterwards."""
    scope.run([sys.executable, "-c", BLOCKING + HELD_AT_TIMES], check=True, timeout=10)
    known = scope.hops.classes()
    assert [(one.state, one.reasons, one.reads) for one in known] == [("hopping", (), 200 - 33)] * 2


WAITING = """
print(flush=True)
input()
"""

RESETTING = """
import struct
client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
client.close()
"""


def classes_meanwhile(scope: Scope, script: str) -> list[Class]:
    """What is known when the script has come to its end, before its sockets are closed."""
    with scope.popen(
        [sys.executable, "-c", script + WAITING], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        assert process.stdout.readline()
        found = scope.hops.classes()
        process.communicate("\n", timeout=10)
    return found


def test_a_blocking_reader_is_known_when_a_connection_has_closed(scope: Scope) -> None:
    """However much it reads before: how its reads end is not known."""
    before = classes_meanwhile(scope, BLOCKING)
    assert [(known.state, known.blocking, known.reads > 64) for known in before] == [("learning", True, True)] * 2
    assert [(known.state, known.blocking) for known in scope.hops.classes()] == [("hopping", False)] * 2


def test_a_reset_counts_before_its_reader_has_woken(scope: Scope) -> None:
    """Other connections could be taken in meanwhile."""
    found = {known.role: (known.state, known.reasons) for known in classes_meanwhile(scope, BLOCKING + RESETTING)}
    assert found["server"] == ("stack", ("interrupted",))


BULK = """
import os, socket
listener = socket.create_server(("127.0.0.1", 0))
if not os.fork():
    server, _ = listener.accept()
    while True:
        left = 3 << 20
        while left:
            part = len(server.recv(left))
            if not part:
                os._exit(0)
            left -= part
        server.sendall(b"y")
client = socket.create_connection(listener.getsockname())
listener.close()
for _ in range(20):
    client.sendall(bytes(3 << 20))
    assert client.recv(1) == b"y"
"""


def test_a_blocking_reader_that_sends_in_bulk(scope: Scope) -> None:
    """It waits for its send buffer, and in the map an acknowledgement might then wake it in recv()."""
    scope.run([sys.executable, "-c", BULK], check=True, timeout=30)
    known = {one.role: one.reasons for one in scope.hops.classes()}
    assert known == {"client": ("bulk",), "server": ()}


RESET = """
import os, socket, struct
listener = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(listener.getsockname())
server, _ = listener.accept()
if not os.fork():
    server.close()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    os.read(0, 1)
    os._exit(0)
client.close()
print("ready", flush=True)
try:
    server.recv(1)
except ConnectionResetError:
    print("reset")
"""


def test_a_blocking_reader_that_is_reset(scope: Scope) -> None:
    """In the map it would see EAGAIN."""
    with scope.popen([sys.executable, "-c", RESET], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as reader:
        assert reader.stdout is not None
        assert reader.stdin is not None
        assert reader.stdout.readline() == b"ready\n"
        until(lambda: asleep_in("recvfrom", reader.pid), "the reader sleeps")
        reader.stdin.close()
        assert reader.stdout.read() == b"reset\n"
    (server,) = (known for known in scope.hops.classes() if known.role == "server")
    assert "interrupted" in server.reasons


def test_a_reader_that_is_killed_is_not_to_blame(scope: Scope) -> None:
    """Nobody sees what its last read gave."""
    script = BLOCKING + 'print("ready", flush=True)\nserver.recv(1)\n'
    with scope.popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as reader:
        assert reader.stdout is not None
        assert reader.stdout.readline() == b"ready\n"
        until(lambda: asleep_in("recvfrom", reader.pid), "the reader sleeps")
        reader.kill()
    assert [known.reasons for known in scope.hops.classes()] == [(), ()]


HALF_CLOSING = """
import os, select, socket, sys
listener = socket.create_server(("127.0.0.1", 0))
if not os.fork():
    while True:
        server, _ = listener.accept()
        server.setblocking(False)
        poll = select.poll()
        poll.register(server, select.POLLIN)
        while True:
            poll.poll()
            part = server.recv(1)
            if not part:
                break
            server.send(part)
        poll.unregister(server)
        poll.poll(100)  # longer than an acknowledgement is put off
        server.send(b"z")
        server.close()

def ask(half_closes):
    client = socket.create_connection(listener.getsockname())
    for _ in range(100):
        client.send(b"x")
        assert client.recv(1) == b"x"
    if half_closes:
        client.shutdown(socket.SHUT_WR)
        assert client.recv(1) == b"z"
    client.close()

for half_closes in map(int, sys.argv[1]):
    ask(half_closes)
os.killpg(0, 15)
"""


@pytest.mark.parametrize("half_closes", ["11111", "00001"], ids=["always", "after-others-have-hopped"])
def test_a_blocking_reader_that_half_closes(scope: Scope, half_closes: str) -> None:
    """Its own FIN's acknowledgement would wake it in the map, for EAGAIN."""
    command = [sys.executable, "-c", HALF_CLOSING, half_closes]
    with scope.popen(command, start_new_session=True, stderr=subprocess.PIPE) as process:
        _, errors = process.communicate(timeout=10)
        assert process.returncode == -signal.SIGTERM, errors
    known = {one.role: one.reasons for one in scope.hops.classes()}
    assert known == {"client": ("interrupted",), "server": ()}
    assert (scope.hops.status().hop.messages > 0) == ("0" in half_closes)
