"""What the tests give to ``run``: program.py TASK, a process with its own connection in the scope.

talk ROUNDS   passes a message each way, so many times
signals       prints "ready", then each signal that comes; ends with 7 at SIGTERM
serve         prints its port; whoever connects there has its bytes passed on through the connection in the scope
daemon        leaves a process behind that serves; prints its port; ends at the end of its input
reader        as daemon, and leaves another one behind, asleep in ``recv``, which the first client wakes
forks         leaves processes behind that fork all the time; ends
"""

import os
import signal
import socket
import sys


def pair() -> tuple[socket.socket, socket.socket]:
    """Connect two sockets of this process."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        server = listener.accept()[0]
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return client, server


def talk(rounds: int) -> None:
    """Pass messages and check them."""
    client, server = pair()
    for number in range(rounds):
        for sender, receiver in ((client, server), (server, client)):
            message = b"%d," % number
            sender.sendall(message)
            assert receiver.recv(64) == message


def signals() -> None:
    """Print signals."""
    wanted = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGQUIT}
    signal.pthread_sigmask(signal.SIG_BLOCK, wanted)
    print("ready", flush=True)
    while (number := signal.sigwait(wanted)) != signal.SIGTERM:
        print(signal.Signals(number).name, flush=True)
    sys.exit(7)


def serve(sleeper: bool = False, detached: bool = False) -> None:
    """Pass what clients send through the connection in the scope, and back."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody is waited for
    client, server = pair()
    asleep, wake = pair()
    if sleeper and not os.fork():
        close_standard()
        asleep.recv(1)
        os._exit(0)
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    if detached:
        os.setsid()
        close_standard()
    while True:
        with listener.accept()[0] as user:
            if sleeper:
                wake.sendall(b".")
                sleeper = False
            while message := user.recv(1 << 16):
                client.sendall(message)
                user.sendall(server.recv(1 << 16))


def close_standard() -> None:
    """Let nobody wait for what this process and its children print."""
    null = os.open(os.devnull, os.O_RDWR)
    for standard in range(3):
        os.dup2(null, standard)


def daemon(sleeper: bool) -> None:
    """Serve in a process that nobody waits for."""
    if not os.fork():
        serve(sleeper, detached=True)
    sys.stdin.read()


def forks() -> None:
    """Leave a few processes behind that only have children, and a child that has children."""
    close_standard()
    for _ in range(3):
        if not os.fork():
            while True:
                if os.fork():
                    os._exit(0)


def main() -> None:
    """Do what the arguments say."""
    task = sys.argv[1]
    if task == "talk":
        talk(int(sys.argv[2]))
    elif task == "signals":
        signals()
    elif task == "serve":
        serve()
    elif task == "forks":
        forks()
    else:
        daemon(task == "reader")


main()
