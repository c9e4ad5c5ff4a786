"""Runs one arm of a case in a fresh process, under a deadline, and owns the accelerator meanwhile."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import NoReturn

from sockhop.kernel import cgroups
from tests.conformance.context import Context
from tests.conformance.registry import HANG, Case, Json
from tests.waiting import PATIENCE

Control = Callable[[str], Json]


class CaseFailed(Exception):
    """The case itself failed in one arm (an exception or a crash), so there is nothing to compare."""


@dataclass(frozen=True)
class Arm:
    """What one arm saw and measured."""

    saw: Json
    measured: dict[str, float]


def run_arm(case: Case, enter: Callable[[], None] | None, control: Control | None) -> Arm:
    """Run the case in a child process: `enter` moves the child into the scope before it makes a socket.

    Args:
        enter: called in the child first; None for the plain arm.
        control: performs an action ("pause", "counters", …) for the child; None in an arm that cannot hop,
            where actions do nothing.

    Raises:
        CaseFailed: the child raised or died.
    """
    ours, theirs = socket.socketpair()
    child = os.fork()
    if child == 0:
        _be_the_child(case, theirs, enter, control is not None)
    os.setpgid(child, child)  # here too: whoever is first, the group exists before it is killed
    theirs.close()
    owner = _Owner(ours, control)
    try:
        return owner.serve_until(time.monotonic() + case.deadline * PATIENCE)
    finally:
        # The case may have forked: its process group goes with it.
        os.killpg(child, signal.SIGKILL)
        os.waitpid(child, 0)
        owner.close()


class _Owner:
    """The parent's side of the channel."""

    def __init__(self, channel: socket.socket, control: Control | None) -> None:
        self._channel = channel
        self._control = control
        self._acting: threading.Thread | None = None

    def serve_until(self, deadline: float) -> Arm:
        pending = b""
        while True:
            self._channel.settimeout(max(0.001, deadline - time.monotonic()))
            try:
                got = self._channel.recv(1 << 20)
            except TimeoutError:
                return Arm(HANG, {})
            if not got:
                raise CaseFailed("the child died without an answer")
            *lines, pending = (pending + got).split(b"\n")
            for line in lines:
                message = json.loads(line)
                if "saw" in message:
                    return Arm(message["saw"], message["measured"])
                if "failed" in message:
                    raise CaseFailed(message["failed"])
                self._begin(message["do"])

    def _begin(self, action: str) -> None:
        # In a thread: the deadline holds also while the accelerator is closing.
        self._acting = threading.Thread(target=self._act, args=(action,))
        self._acting.start()

    def _act(self, action: str) -> None:
        try:
            answer = {"done": self._control(action) if self._control else None}
        except Exception:  # noqa: BLE001  # whatever it is, the case has to hear of it
            answer = {"failed": traceback.format_exc()}
        with suppress(OSError):  # the child may have gone: killed at its deadline
            self._channel.sendall(json.dumps(answer).encode() + b"\n")

    def close(self) -> None:
        if self._acting:
            self._acting.join()
        self._channel.close()


def _be_the_child(case: Case, channel: socket.socket, enter: Callable[[], None] | None, hopped: bool) -> NoReturn:
    try:
        os.setpgid(0, 0)
        if enter:
            enter()
        # Only the owner holds the accelerator: our copies of its links and maps would keep it alive.
        end = channel.fileno()
        os.closerange(3, end)
        os.closerange(end + 1, 4096)
        context = Context(channel, hopped, cgroups.mount_point())
        answer = {"saw": case.run(context), "measured": context.measured}
    except BaseException:  # noqa: BLE001  # the child must not go on as a second pytest
        answer = {"failed": traceback.format_exc()}
    try:
        channel.sendall(json.dumps(answer).encode() + b"\n")
    finally:
        os._exit(0)
