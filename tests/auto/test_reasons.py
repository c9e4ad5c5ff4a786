"""What an application does that hops cannot do is seen in time, and is the reason why its class never hops."""

import os
import select
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sockhop.kernel.mounts import mounts
from tests.auto.talk import PROMPT, Connection, Service, receive, spliced
from tests.auto.test_blocking import BLOCKING
from tests.conftest import Scope, missing

SO_TIMESTAMPNS, SO_ZEROCOPY, SO_PEEK_OFF, MSG_ZEROCOPY = 35, 60, 42, 0x4000000


def waitall(connection: Connection) -> None:
    message = connection.send(connection.client, 10)
    connection.server.setblocking(True)
    assert connection.server.recv(10, socket.MSG_WAITALL) == message
    connection.server.setblocking(False)


def urgent(connection: Connection) -> None:
    connection.client.send(b"!", socket.MSG_OOB)
    select.select([], [], [connection.server], PROMPT)
    assert connection.server.recv(1, socket.MSG_OOB) == b"!"


def inline(connection: Connection) -> None:
    connection.server.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)


def low_water(connection: Connection) -> None:
    connection.server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 5)


def time_stamps(connection: Connection) -> None:
    connection.server.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)


def peek_offset(connection: Connection) -> None:
    connection.server.setsockopt(socket.SOL_SOCKET, SO_PEEK_OFF, 0)


def discards(connection: Connection) -> None:
    connection.send(connection.client, 10)
    receive_flag = connection.server.recv(10, socket.MSG_TRUNC)
    assert len(receive_flag) == 10


def splices(connection: Connection) -> None:
    message = connection.send(connection.client, 10)
    assert spliced(connection.server, 10) == message


def reads_with_a_handler(connection: Connection) -> None:
    before = signal.signal(signal.SIGALRM, lambda *_: None)
    try:
        blocking_read(connection)
    finally:
        signal.signal(signal.SIGALRM, before)


def reads_among_threads(connection: Connection) -> None:
    over = threading.Event()
    thread = threading.Thread(target=over.wait)
    thread.start()
    try:
        blocking_read(connection)
    finally:
        over.set()
        thread.join()


def blocking_read(connection: Connection) -> None:
    message = connection.send(connection.client, 10)
    connection.server.setblocking(True)
    assert connection.server.recv(10) == message
    connection.server.setblocking(False)


def interrupted(connection: Connection) -> None:
    """The handler's exception ends a read that is blocked in the kernel."""

    def handler(*_: object) -> None:
        raise InterruptedError

    before = signal.signal(signal.SIGPROF, handler)
    connection.server.setblocking(True)
    signal.setitimer(signal.ITIMER_REAL, 0)
    sender = threading.Timer(0.05, lambda: signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGPROF))
    sender.start()
    try:
        with pytest.raises(InterruptedError):
            connection.server.recv(10)
    finally:
        sender.join()
        signal.signal(signal.SIGPROF, before)
        connection.server.setblocking(False)


def low_water_for_one_read(connection: Connection) -> None:
    low_water(connection)
    message = connection.send(connection.client, 10)
    assert receive(connection.server, 10) == message
    connection.server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)


def shared_with_a_process(connection: Connection) -> None:
    child = os.fork()
    if not child:
        signal.pause()
    try:
        blocking_read(connection)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def leaves_urgent_bytes(connection: Connection) -> None:
    """To be read inline, or never."""
    connection.client.send(b"!", socket.MSG_OOB)


def zero_copy(connection: Connection) -> None:
    connection.server.setsockopt(socket.SOL_SOCKET, SO_ZEROCOPY, 1)
    connection.server.send(b"z" * 10, MSG_ZEROCOPY)
    assert receive(connection.client, 10) == b"z" * 10
    connection.server.recvmsg(1, 100, socket.MSG_ERRQUEUE)


HAZARDS = [
    (waitall, "waitall"),
    (urgent, "oob"),
    (inline, "oob"),
    (low_water, "rcvlowat"),
    (time_stamps, "timestamps"),
    (peek_offset, "peek_offset"),
    (discards, "discard"),
    (splices, "splice"),
    (reads_with_a_handler, "signals"),
    (reads_among_threads, "threads"),
    (interrupted, "interrupted"),
    (low_water_for_one_read, "rcvlowat"),
    (shared_with_a_process, "threads"),
    (leaves_urgent_bytes, "oob"),
    (zero_copy, "zerocopy"),
    (zero_copy, "errqueue"),
]


@pytest.mark.parametrize(("hazard", "reason"), HAZARDS, ids=[f"{act.__name__}-{why}" for act, why in HAZARDS])
def test_what_hops_cannot_do_keeps_the_class_on_the_stack(
    scope: Scope, hazard: Callable[[Connection], None], reason: str
) -> None:
    """From the first time, however the rest of the connections go on."""
    service = Service(scope)
    with service.connection() as connection:
        connection.talk(3)
        hazard(connection)
    assert reason in service.known("server").reasons
    assert service.known("server").state == "stack"
    for _ in range(3):
        with service.connection() as connection:
            connection.talk(30)
    status = scope.hops.status()
    assert (status.hop.messages, status.sockets.tracked) == (0, 0)


NAMED = """
import socket, sys
listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind(("127.0.0.1", int(sys.argv[1])))
listener.listen()
socket.create_connection(listener.getsockname())
"""


def test_haproxy_where_another_program_has_hopped(scope: Scope, tmp_path: Path) -> None:
    """Before its first byte: it might read that by splice(). A process is called as its program's file is."""
    service = Service(scope)
    service.learn()
    service.listener.close()
    program = tmp_path / "haproxy"
    program.symlink_to("/usr/bin/python3")
    scope.run([program, "-c", NAMED, service.port], check=True, timeout=PROMPT)
    for role in ("client", "server"):
        assert (service.known(role).state, service.known(role).reasons) == ("stack", ("may_splice",))


def test_a_server_that_is_not_there_yet(scope: Scope) -> None:
    """With TCP_DEFER_ACCEPT there is none until its client has sent something, which says nothing against it."""
    service = Service(scope)
    service.learn()
    service.listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 5)
    with socket.create_connection(service.listener.getsockname()) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(10):
            client.send(b"x")
        server, _ = service.listener.accept()
        with server:
            receive(server, 10)
            for _ in range(10):
                client.send(b"x")
            receive(server, 10)
    for role in ("client", "server"):
        assert (service.known(role).state, service.known(role).reasons) == ("hopping", ())


@pytest.fixture
def memory_group() -> Iterator[Path]:
    """A memory cgroup of version 1 with a limit of TCP memory, far away."""
    limit = "memory.kmem.tcp.limit_in_bytes"
    roots = [mount.point for mount in mounts() if mount.kind == "cgroup" and (mount.point / limit).exists()]
    if not roots:
        missing("no memory cgroup of version 1: nobody can set such a limit here")
    group = roots[0] / f"sockhop-test-{os.getpid()}"
    group.mkdir()
    try:
        (group / limit).write_text("1G")
        yield group
    finally:
        group.rmdir()


def test_a_limit_of_tcp_memory(scope: Scope, memory_group: Path) -> None:
    """Near it a hop would give ENOMEM where TCP waits."""
    enter = f'import os\nopen("{memory_group}/cgroup.procs", "w").write(str(os.getpid()))\n'
    scope.run([sys.executable, "-c", enter + 3 * BLOCKING], check=True, timeout=PROMPT)
    assert [known.reasons for known in scope.hops.classes()] == 6 * [("memory_limit",)]
    assert scope.hops.status().hop.messages == 0


def test_a_thousand_cold_starts(scope: Scope) -> None:
    """A class that splices, or waits for all, within its first reads never hops."""
    ports = set()
    for number in range(1000):
        service = Service(scope)
        for _ in range(1 + number % 3):
            with service.connection() as connection:
                connection.talk(number % 7)
                (waitall if number % 2 else splices)(connection)
                connection.talk(number % 5)
        ports.add(service.port)
        service.listener.close()
    states = {known.port: known.state for known in scope.hops.classes() if known.role == "server"}
    assert states == dict.fromkeys(ports, "stack")
    status = scope.hops.status()
    assert (status.hop.messages, status.stack.messages) == (0, 0)
