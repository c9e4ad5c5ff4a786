"""50,000 connections at once, in scope and plain: what they cost to set up and to hold. See crowd.c."""

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import sockhop
from tests.conftest import Scope
from tests.stress.harness import SEED, Popen, Totals
from tests.stress.memory import look
from tests.waiting import until

pytestmark = [pytest.mark.bpf, pytest.mark.timeout(180)]

CONNECTIONS = 50_000
SOCKETS = 2 * CONNECTIONS
PAIRS_OF_PROCESSES = 4  # RLIMIT_NOFILE may be 20,000 a process
CAPACITY = 131_072


@pytest.fixture(scope="session")
def crowd(c_tool: Callable[[str], Path]) -> Path:
    return c_tool("tests/stress/crowd.c")


class Crowd:
    """A running crowd.c."""

    def __init__(self, process: "subprocess.Popen[Any]") -> None:
        self._process = process
        assert self._answer()["command"] == "ready"

    def tell(self, command: str) -> Totals:
        """Give a command and wait until it is done."""
        assert self._process.stdin
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()
        answer = self._answer()
        assert (answer["command"], answer["connections"]) == (command, CONNECTIONS)
        return answer

    def _answer(self) -> Totals:
        assert self._process.stdout
        line = self._process.stdout.readline()
        assert line, f"ended with {self._process.wait(timeout=10)}"
        answer: Totals = json.loads(line)
        return answer


@contextmanager
def running(popen: Popen, crowd: Path) -> Iterator[Crowd]:
    argv = [crowd, "--connections", CONNECTIONS, "--processes", PAIRS_OF_PROCESSES, "--seed", SEED]
    with popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Crowd(process)
            process.communicate(timeout=60)
            assert process.returncode == 0
        finally:
            process.kill()


@dataclass(frozen=True)
class Cost:
    """Connections made, moved a message each way and closed a second, and the kernel bytes of each."""

    set_up: float
    exchange: float
    close: float
    memory: float

    def __str__(self) -> str:
        return (
            f"set up {self.set_up:,.0f}/s, a message each way {self.exchange:,.0f}/s, "
            f"close {self.close:,.0f}/s, {self.memory:,.0f} bytes of kernel memory a connection"
        )


def cost(popen: Popen, crowd: Path, held: Callable[[], None] = lambda: None) -> Cost:
    """Open, exchange, hold (calling `held`), exchange again, close."""
    with running(popen, crowd) as members:
        before = look()
        opened = members.tell("open")
        first = members.tell("exchange")
        memory = look().since(before, CONNECTIONS)
        held()
        second = members.tell("exchange")
        closed = members.tell("close")
    exchange = max(first["per_second"], second["per_second"])
    return Cost(opened["per_second"], exchange, closed["per_second"], memory)


def test_scale(crowd: Path, make_scope: Callable[..., Scope]) -> None:
    """All are tracked, nearly all messages hop, and an idle socket costs at most 2 KB more than TCP's own."""
    scope = make_scope(capacity=CAPACITY)
    seen: list[tuple[sockhop.Status, float]] = []

    def held() -> None:
        began = time.monotonic()
        seen.append((scope.hops.status(), time.monotonic() - began))

    plain = cost(scope.tcp_popen, crowd)
    hopped = cost(scope.popen, crowd, held)
    after = scope.hops.status()
    extra = (hopped.memory - plain.memory) / 2
    print(f"\nplain TCP: {plain}\nhopped:    {hopped}")
    [(status, seconds)] = seen
    print(f"set-up rate: {hopped.set_up / plain.set_up:.2f} of TCP's; {extra:,.0f} bytes more a socket;")
    print(f"status with {status.sockets.tracked:,} sockets in {seconds:.4f} s; {after.hop}, {after.stack}")
    assert status.sockets.tracked == SOCKETS
    assert not any(status.sockets.refused.values())
    assert after.hop.messages + after.stack.messages == 4 * CONNECTIONS
    assert after.hop.messages > 0.95 * 4 * CONNECTIONS
    assert extra < 2048
    until(lambda: scope.hops.status().sockets.tracked == 0, "the map to be empty", 10.0)


def test_more_than_the_map_holds(crowd: Path, make_scope: Callable[..., Scope]) -> None:
    """A full map: what does not fit stays on the stack, and every message arrives all the same."""
    scope = make_scope(capacity=CAPACITY // 4)
    with running(scope.popen, crowd) as members:
        members.tell("open")
        members.tell("exchange")
        status = scope.hops.status()
        print(status.sockets)
        # The count is looked at and raised in two steps, by each processor for itself, so it may end a pair a
        # processor higher.
        excess = 2 * (os.cpu_count() or 1)
        assert CAPACITY // 5 < status.sockets.tracked <= CAPACITY // 4 + excess
        assert status.sockets.refused["map_full"] > CONNECTIONS / 2
        members.tell("exchange")
        members.tell("close")
    status = scope.hops.status()
    assert status.hop.messages > 0.9 * 4 * CAPACITY // 10
    until(lambda: scope.hops.status().sockets.tracked == 0, "the map to be empty", 10.0)
