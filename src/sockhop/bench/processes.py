"""Starting, waiting for and ending the measured programs, each with a deadline."""

import contextlib
import json
import os
import selectors
import subprocess
import time
from collections.abc import Iterator
from typing import IO

from sockhop.bench.machine import Failed, Place

START_SECONDS = 10.0
RUN_SECONDS = 60.0


@contextlib.contextmanager
def serving(place: Place, *argv: str, ready: str = "ready") -> Iterator[subprocess.Popen[bytes]]:
    """A server that runs at ``place`` meanwhile. It serves once it has printed ``ready``. Raises Failed."""
    process = subprocess.Popen(
        place.command(*argv), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    try:
        await_line(process, ready)
        yield process
    finally:
        end(process)


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


def ask(place: Place, *argv: str) -> str:
    """Run a client to its end and return its stdout. Raises Failed."""
    try:
        done = subprocess.run(
            place.command(*argv), capture_output=True, text=True, timeout=RUN_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise Failed(f"{argv[0]} did not end within {RUN_SECONDS:.0f} s") from error
    if done.returncode:
        raise Failed(f"{argv[0]}: status {done.returncode}: {_tail(done.stderr.encode())}")
    return done.stdout


def ask_numbers(place: Place, *argv: str) -> dict[str, float]:
    """Run one of our C clients and return what it measured."""
    numbers = json.loads(ask(place, *argv))
    assert isinstance(numbers, dict)
    return numbers


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
