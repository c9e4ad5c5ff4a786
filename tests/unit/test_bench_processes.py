"""The programs that a benchmark starts."""

import os
import signal
import subprocess
import sys
from typing import Any

import pytest

from sockhop.bench import processes

WAITS = [sys.executable, "-c", "import sys; sys.stdin.read()"]


def test_being_interrupted_while_one_is_started_leaves_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """The signal comes when the process runs already, and nobody knows it yet."""
    made: list[subprocess.Popen[bytes]] = []

    def interrupted(argv: list[str], **options: Any) -> "subprocess.Popen[bytes]":
        made.append(start(argv, **options))
        os.kill(os.getpid(), signal.SIGINT)
        return made[0]

    start = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", interrupted)
    try:
        with pytest.raises(KeyboardInterrupt), processes.started(WAITS, **processes.TALKING):
            pytest.fail("the interruption came too late")
        assert made[0].poll() is not None
    finally:
        made[0].kill()
        made[0].wait()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_what_is_started_is_not_blocked() -> None:
    """Ctrl-C, which all processes of a terminal get, ends the program too."""
    with processes.started(WAITS, **processes.TALKING) as process:
        process.send_signal(signal.SIGINT)
        assert process.wait(10) in (1, -signal.SIGINT)
