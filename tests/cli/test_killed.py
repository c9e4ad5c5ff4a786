"""``up``, ``down`` and ``run`` ended at any moment: what comes next works, and nothing is left in the end."""

import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.cli.connections import Connection, receive
from tests.cli.sandbox import PROGRAM, SOCKHOP, Process, Sandbox, eagerly

# At how many moments of each verb. SIGTERM is no different from SIGKILL, but where run passes it on.
MOMENTS = {signal.SIGKILL: 12, signal.SIGINT: 20, signal.SIGTERM: 10}


@dataclass(frozen=True)
class Stepper:
    """A process in the sandbox that runs verbs without starting Python anew: see stepper.py."""

    process: Process

    def run(self, *verb: str, **more: int | list[str]) -> dict[str, Any]:
        """Run a verb; ``signal`` comes to it at its ``step``."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        eager = eagerly([str(SOCKHOP), *verb])[1:]
        print(json.dumps({"verb": eager, **more}), file=self.process.stdin, flush=True)
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        for one in (answer, answer["meanwhile"]):
            assert "Traceback" not in (one["err"] if one else "")
        return answer

    def ok(self, *verb: str, **more: int | list[str]) -> int:
        """Run a verb that must succeed; return how many steps it had, if they were counted."""
        answer = self.run(*verb, **more)
        assert answer["code"] == 0, answer["err"]
        steps: int = answer["steps"]
        return steps


@pytest.fixture
def stepper(sandbox: Sandbox) -> Iterator[Stepper]:
    """A stepper in the sandbox."""
    script = Path(__file__).with_name("stepper.py")
    with sandbox.popen(sys.executable, script, stdin=-1, stderr=None) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        sandbox.residents.add(process.pid)
        yield Stepper(process)


SIGNALS = list(MOMENTS)


def moments(steps: int, number: signal.Signals) -> list[int]:
    """Which steps to end a verb at: evenly spread, and other ones for each signal."""
    stride = max(1, steps // MOMENTS[number])
    return list(range(1 + SIGNALS.index(number) * stride // len(SIGNALS), steps + 1, stride))


def codes(number: signal.Signals, *more: int) -> set[int]:
    """What a verb may end with: as it would have, by the signal, or as Ctrl-C is answered."""
    return {0, -number, *more} | ({130} if number is signal.SIGINT else set())


@pytest.mark.parametrize("number", SIGNALS)
def test_up(sandbox: Sandbox, stepper: Stepper, number: signal.Signals) -> None:
    steps = stepper.ok("up", "--all", step=0)
    stepper.ok("down")
    for step in moments(steps, number):
        answer = stepper.run("up", "--all", step=step, signal=number)
        assert answer["code"] in codes(number), answer
        if step % 2:  # down may come next, or another up
            assert stepper.run("down")["code"] in (0, 3)
            assert sandbox.leftovers() == set(), step
        stepper.ok("up", "--all")
        assert sandbox.pins() == {"service"}, step
        check_hops(sandbox)
        stepper.ok("down")
        assert sandbox.leftovers() == set(), step


@pytest.fixture
def rules(tmp_path: Path) -> Callable[..., list[str]]:
    """Return a function that writes a file with a rule against each of these ports; it gives the verb."""

    def up(*ports: str) -> list[str]:
        file = tmp_path / f"{len(ports)}.toml"
        file.write_text("".join(f'[[rule]]\naction = "never"\nport = "{each}"\n' for each in ports))
        return ["up", "--all", "--config", str(file)]

    return up


def test_what_rules_are_against_before_and_after_never_hops(
    sandbox: Sandbox, stepper: Stepper, rules: Callable[..., list[str]]
) -> None:
    """Here every connection."""
    before, after = rules("1-65535"), rules("1-30000", "30001-40000", "40001-65535")
    stepper.ok(*before)
    for step in range(1, stepper.ok(*after, step=0) + 1):
        stepper.ok(*before)
        assert stepper.run(*after, step=step, signal=signal.SIGKILL)["code"] == -signal.SIGKILL
        with sandbox.connection() as pair:
            pair.talk()
        assert sandbox.status().hop.messages == 0, step


def test_connections_hear_of_rules_whoever_was_killed(
    sandbox: Sandbox, stepper: Stepper, rules: Callable[..., list[str]]
) -> None:
    before, after = rules(), rules("1-30000", "30001-65535")
    stepper.ok(*before)
    for step in range(1, stepper.ok(*after, step=0) + 1):
        stepper.ok(*before)
        with sandbox.connection() as pair:
            pair.talk()
            stepper.run(*after, step=step, signal=signal.SIGKILL)
            stepper.ok(*after)
            hopped = sandbox.status().hop.messages
            assert hopped == 2 * step
            pair.talk()
            assert sandbox.status().hop.messages == hopped, step


@pytest.mark.parametrize("number", SIGNALS)
def test_down(sandbox: Sandbox, stepper: Stepper, number: signal.Signals) -> None:
    def bring_up() -> Connection:
        stepper.ok("up", "--all")
        return sandbox.connection()

    with bring_up() as pair:
        pair.talk()
        steps = stepper.ok("down", step=0)
    for step in moments(steps, number):
        with bring_up() as pair:
            pair.talk()
            answer = stepper.run("down", step=step, signal=number)
            assert answer["code"] in codes(number), answer
            pair.talk()
            if step % 2:
                stepper.ok("up", "--all")
                check_hops(sandbox)
            stepper.run("down")
            assert sandbox.leftovers() == set(), step
            pair.talk()


@pytest.mark.parametrize("number", SIGNALS)
def test_down_with_unread_bytes(sandbox: Sandbox, stepper: Stepper, number: signal.Signals) -> None:
    for step in range(1 + SIGNALS.index(number), 60, 7):  # until it waits
        stepper.ok("up", "--all")
        with sandbox.connection() as pair:
            pair.leave_unread(b"hopped,")
            answer = stepper.run("down", "--wait", "0.01", step=step, signal=number)
            assert answer["code"] in codes(number, 1), answer
            pair.client.sendall(b"more")
            assert receive(pair.server, 11) == b"hopped,more"
            stepper.ok("down")
            pair.talk()
        assert sandbox.leftovers() == set(), step


@pytest.mark.parametrize("number", SIGNALS)
def test_run(sandbox: Sandbox, stepper: Stepper, number: signal.Signals) -> None:
    steps = stepper.ok("run", "true", step=0)
    for step in moments(steps, number):
        answer = stepper.run("run", "true", step=step, signal=number)
        # The signal is the command's, from when there will be one.
        assert answer["code"] in codes(number, 128 + number), answer
        if step % 2:
            stepper.ok("run", "true")
        sandbox.until_clean()


@pytest.mark.parametrize("number", SIGNALS)
def test_check(sandbox: Sandbox, stepper: Stepper, number: signal.Signals) -> None:
    """It leaves nothing that the next one would not take away."""
    for step in moments(stepper.ok("check", step=0), number)[::3]:
        answer = stepper.run("check", step=step, signal=number)
        assert answer["code"] in codes(number), answer
        stepper.ok("check")
        assert sandbox.leftovers() == set(), step


def check_hops(sandbox: Sandbox) -> None:
    with sandbox.connection() as pair:
        before = sandbox.status().hop.messages
        pair.talk()
        assert sandbox.status().hop.messages == before + 2


@pytest.mark.parametrize("verb", [["up", "--all"], ["down"]], ids=lambda verb: verb[0])
def test_a_look_at_any_moment(sandbox: Sandbox, stepper: Stepper, verb: list[str]) -> None:
    """``status`` does not wait for others: what it finds half-made or half-gone is nothing to it."""
    counting = stepper.ok("up", "--all", step=0)
    if verb == ["down"]:
        counting = stepper.ok("down", step=0)
        stepper.ok("up", "--all")
    seen = set()
    for step in range(1, counting, counting // 40):
        if verb == ["down"]:
            stepper.ok("up", "--all")
        else:
            stepper.ok("down")
        answer = stepper.run(*verb, step=step, signal=signal.SIGSTOP, meanwhile=["status", "--json"])
        assert answer["code"] == 0, answer
        assert answer["meanwhile"]["code"] in (0, 3), answer
        seen.add(answer["meanwhile"]["code"])
    assert seen == {0, 3}


# -- the commands themselves, at moments by the clock ------------------------------------------------------------


def killed_by_the_clock(sandbox: Sandbox, *verb: str) -> Iterator[None]:
    """Kill a command 30 times, each time a little later than before; yield before each start and in the end."""
    yield
    begun = time.monotonic()
    assert sandbox.sockhop(*verb).returncode == 0
    duration = time.monotonic() - begun
    luck = random.Random(1)
    for attempt in range(30):
        yield
        with sandbox.popen(SOCKHOP, *verb) as process:
            try:
                process.wait(duration * (attempt + luck.random()) / 30)
            except subprocess.TimeoutExpired:
                process.kill()
    yield


def test_up_by_the_clock(sandbox: Sandbox, stepper: Stepper) -> None:
    for _ in killed_by_the_clock(sandbox, "up", "--all"):
        stepper.ok("up", "--all")
        check_hops(sandbox)
        stepper.ok("down")
        assert sandbox.leftovers() == set()


def test_down_by_the_clock(sandbox: Sandbox, stepper: Stepper) -> None:
    pairs: list[Connection] = []
    for _ in killed_by_the_clock(sandbox, "down"):
        # One that the last down may have been about to take out.
        for old in pairs:
            with old:
                old.talk()
        stepper.ok("up", "--all")
        check_hops(sandbox)
        pairs = [sandbox.connection()]
        pairs[0].talk()
    pairs[0].close()
    stepper.ok("down")
    assert sandbox.leftovers() == set()


def test_run_by_the_clock(sandbox: Sandbox, stepper: Stepper) -> None:
    for _ in killed_by_the_clock(sandbox, "run", "--", *PROGRAM, "talk", "3"):
        sandbox.until_clean()
        stepper.ok("run", "true")
        assert sandbox.leftovers() == set()
