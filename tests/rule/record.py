"""Records what the rule decides for real programs: ``python -m tests.rule.record``, as root.

The traces that it writes are what ``test_rule.py`` replays. Make them anew when the rule is meant to decide
otherwise, and read the difference: a message that now goes another way is the change.
"""

import ctypes
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from unittest import mock

import sockhop
from sockhop.control.instance import Instance
from sockhop.kernel import maps
from tests.conftest import Scope, end_processes, fresh_cgroup
from tests.programs.bodies import CURL, random_file, web_root
from tests.programs.ports import free_port, listening
from tests.programs.servers import nginx_origin, redis, serving
from tests.rule import decisions

MOST = 3000  # decisions in a trace

# Sends to itself without Nagle's algorithm, and stops reading now and then until no more can be sent: sizes from
# .. to, bytes in all.
_PAUSES = """
import random, socket, sys, threading
from tests.conformance.waiting import asleep_in, until
least, most, total = map(int, sys.argv[1:])
listener = socket.create_server(("127.0.0.1", 0))
writer = socket.create_connection(listener.getsockname())
writer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
reader = listener.accept()[0]
chance = random.Random(1)

def write():
    left = total
    while left > 0:
        message = bytes(chance.randint(least, most))
        writer.sendall(message)
        left -= len(message)
    writer.close()

thread = threading.Thread(target=write)
thread.start()
while reader.recv(1 << 16):
    if random.random() < 0.02:
        until(lambda: not thread.is_alive() or asleep_in("sendto", thread.native_id), "all is sent, or full")
thread.join()
"""


def _stores(scope: Scope, folder: Path) -> None:
    with redis(scope, folder) as port:
        ask = ["redis-benchmark", "-p", str(port), "-t", "set,get", "-c", "4", "-q", "-n", "300"]
        scope.run(ask, check=True, stdout=subprocess.DEVNULL)
        scope.run([*ask, "-P", "8"], check=True, stdout=subprocess.DEVNULL)
        scope.hops.pause()
        scope.run(ask, check=True, stdout=subprocess.DEVNULL)
        scope.hops.resume()


def _web(scope: Scope, folder: Path) -> None:
    root = web_root(folder)
    with nginx_origin(scope, folder, root) as port:
        urls = [f"http://127.0.0.1:{port}/{name}" for name in ("1k", "100k", "10m") * 20]
        scope.run([*CURL, *urls], check=True, stdout=subprocess.DEVNULL)


def _file(scope: Scope, folder: Path) -> None:
    original, port = random_file(folder / "original", 40 << 20), free_port()
    taker = ["nc", "-d", "-l", "127.0.0.1", str(port)]
    with serving(scope, taker, lambda: listening(port), folder / "copy"), original.open("rb") as source:
        scope.run(["nc", "-N", "127.0.0.1", str(port)], stdin=source, check=True)


def _nagle(scope: Scope, folder: Path) -> None:
    original, port = random_file(folder / "original", 10 << 20), free_port()
    taker = ["socat", "-u", f"TCP-LISTEN:{port},bind=127.0.0.1", f"CREATE:{folder / 'copy'}"]
    with serving(scope, taker, lambda: listening(port), folder / "log"):
        scope.run(["socat", "-u", f"OPEN:{original},rdonly", f"TCP:127.0.0.1:{port}"], check=True)


def _paused(least: int, most: int, total: int) -> Callable[[Scope, Path], None]:
    def run(scope: Scope, _folder: Path) -> None:
        scope.run([sys.executable, "-c", _PAUSES, least, most, total], check=True)

    return run


WORKLOADS = {
    "redis": _stores,
    "nginx": _web,
    "nc-file": _file,
    "socat-nagle": _nagle,
    "paused-reader-large": _paused(1, 1 << 17, 200 << 20),
    "paused-reader-small": _paused(1, 200, 4 << 20),
}


def _recorded(workload: Callable[[Scope, Path], None], layout: decisions.Layout) -> list[decisions.Decision]:
    """Run a program with the recorder, and return the decisions of which nothing changed while they were taken."""

    class Raw(ctypes.Structure):
        _fields_ = (("bytes", ctypes.c_ubyte * layout.size),)

    raws: list[Raw] = []  # read later: what comes while the ring is full is lost
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        cgroup = stack.enter_context(fresh_cgroup())
        hops = stack.enter_context(sockhop.Accelerator(cgroup, mode="eager", accept_data_loss=True))
        stack.callback(end_processes, cgroup)
        instance: Instance = hops._instance  # type: ignore[assignment]
        fd = stack.enter_context(instance.get("events"))
        poll = stack.enter_context(maps.ring(fd, Raw, raws.append))
        with ThreadPoolExecutor(1) as executor:
            running = executor.submit(workload, Scope(cgroup, hops), folder)
            while not running.done():
                poll(10)
        running.result()
        poll(0)
    found = [layout.unpack(bytes(raw.bytes)) for raw in raws]
    return [decision for decision in found if _is_steady(decision)]


def _is_steady(decision: decisions.Decision) -> bool:
    return all(
        number == decision[name.replace("start.", "finish.")]
        for name, number in decision.items()
        if name.startswith("start.")
    )


def main() -> None:
    """Record every workload."""
    with tempfile.TemporaryDirectory() as folder:
        recorder = decisions.compile_recorder(Path(folder))
        layout = decisions.layout_of(recorder)
        for name, workload in WORKLOADS.items():
            with mock.patch("sockhop.kernel.objects.object_path", return_value=recorder):
                found = _recorded(workload, layout)
            step = max(1, -(-len(found) // MOST))
            decisions.write(name, found[::step])
            print(f"{name}: {len(found)} decisions, of which every {step}. is kept")


if __name__ == "__main__":
    main()
