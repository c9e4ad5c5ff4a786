"""Starting, waiting for and ending the measured programs, each with a deadline."""

import contextlib
import json
import os
import resource
import select
import selectors
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from sockhop.bench.machine import Failed, Place
from sockhop.bench.usage import Meter, Usage
from sockhop.kernel import signals

#: How a process is started that talks to us.
TALKING: Mapping[str, int] = {
    "stdin": subprocess.PIPE,
    "stdout": subprocess.PIPE,
    "stderr": subprocess.STDOUT,
}

START_SECONDS = 10.0
RUN_SECONDS = 60.0


@contextlib.contextmanager
def started(argv: list[str], **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A process that ends with the block; Ctrl-C while it is being started leaves none behind.

    ``options`` are those of :class:`subprocess.Popen`. For the main thread.
    """
    with contextlib.ExitStack() as ending:
        with signals.noted():
            process = subprocess.Popen(argv, **options)
            ending.callback(end, process)
        yield process


@contextlib.contextmanager
def serving(
    place: Place, *argv: str, ready: str = "ready", address: str = ""
) -> Iterator[subprocess.Popen[bytes]]:
    """A server that runs at ``place`` meanwhile. Raises Failed.

    It serves once it has printed ``ready``; or, if it says nothing, once something listens at ``address``.
    """
    with started(place.command(*argv), **TALKING) as process:
        if address:
            _await_listener(process, place, address)
        else:
            await_line(process, ready)
        yield process


def await_line(process: subprocess.Popen[bytes], text: str, seconds: float = START_SECONDS) -> None:
    """Read the output of ``process`` until it contains ``text``. Raises Failed."""
    stream = process.stdout
    assert stream is not None
    deadline = time.monotonic() + seconds
    said = b""
    while text.encode() not in said:
        chunk = _read(stream, deadline)
        if chunk is None:
            raise Failed(f"no {text!r} within {seconds:.0f} s: {_tail(said)}")
        if not chunk:
            raise Failed(f"ended before it said {text!r}: {_tail(said)}")
        said += chunk


def _await_listener(process: subprocess.Popen[bytes], place: Place, address: str) -> None:
    """Wait until something listens at an address of the place. Raises Failed."""
    proc, deadline = Path(f"/proc/{process.pid}"), time.monotonic() + START_SECONDS
    netns = (Path("/run/netns") / place.netns).stat().st_ino
    while time.monotonic() < deadline:
        if process.poll() is not None:
            assert process.stdout is not None
            raise Failed(f"ended before it listened at {address}: {_tail(process.stdout.read())}")
        # Until it has got there, the process sees the sockets of everybody.
        if (proc / "ns/net").stat().st_ino == netns and _listens(proc, address):
            return
        time.sleep(0.005)
    raise Failed(f"nothing listens at {address} within {START_SECONDS:.0f} s")


def _listens(proc: Path, address: str) -> bool:
    """Whether the network namespace of a process has such a listener: ``HOST:PORT`` or ``unix:PATH``."""
    kind, _, rest = address.rpartition(":")
    if kind == "unix":
        lines = map(str.split, (proc / "net/unix").read_text().splitlines())
        return any(words[-1] == rest and words[3] == "00010000" for words in lines)  # __SO_ACCEPTCON
    lines = map(str.split, (proc / "net/tcp").read_text().splitlines())
    return any(words[1].endswith(f":{int(rest):04X}") and words[3] == "0A" for words in lines)  # TCP_LISTEN


@dataclass(frozen=True)
class Answer:
    """What a client said, and what it and its server used meanwhile."""

    text: str
    usage: Usage

    def numbers(self) -> dict[str, Any]:
        """What one of our C programs has measured."""
        numbers = json.loads(self.text)
        assert isinstance(numbers, dict)
        return numbers


def ask(place: Place, *argv: str, server: Path | None = None) -> Answer:
    """Run a client to its end; ``server`` is the cgroup of its server, if it is another. Raises Failed."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
        meter = Meter([place.cgroup, server] if server else [place.cgroup])
        command = place.command(*argv)
        with started(command, stdin=subprocess.DEVNULL, stdout=out, stderr=errors) as process:
            usage = meter.read(_wait(process, argv[0]))
        for stream in (out, errors):
            stream.seek(0)
        if process.returncode:
            raise Failed(f"{argv[0]}: status {process.returncode}: {_tail(errors.read() or out.read())}")
        return Answer(out.read().decode(), usage)


@contextlib.contextmanager
def beside(place: Place, *argv: str) -> Iterator[None]:
    """A client that runs meanwhile, and of which nothing is asked."""
    with started(place.command(*argv), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as process:
        yield
        if process.poll():
            raise Failed(f"{argv[0]} ended beside what was measured: status {process.returncode}")


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process that we started: politely, then not."""
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            stream.close()


def _wait(process: subprocess.Popen[bytes], name: str) -> resource.struct_rusage:
    """Wait for the end of ``process``; return what it used. Raises Failed."""
    descriptor = os.pidfd_open(process.pid)
    try:
        if not select.select([descriptor], [], [], RUN_SECONDS)[0]:
            raise Failed(f"{name} did not end within {RUN_SECONDS:.0f} s")
        _, status, usage = os.wait4(process.pid, 0)
    finally:
        os.close(descriptor)
    process.returncode = os.waitstatus_to_exitcode(status)
    return usage


def _read(stream: IO[bytes], deadline: float) -> bytes | None:
    """What there is to read: nothing at the end of the output, None at the deadline."""
    with selectors.DefaultSelector() as selector:
        selector.register(stream, selectors.EVENT_READ)
        if not selector.select(max(0.0, deadline - time.monotonic())):
            return None
    return os.read(stream.fileno(), 65536)


def _tail(said: bytes) -> str:
    lines = said.decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else "(it printed nothing)"
