"""What is printed, and where: data on stdout, messages on stderr, nothing but text off a terminal."""

import json
import os
import pty
from typing import Any

import pytest

import sockhop
from tests.cli.sandbox import SOCKHOP, Sandbox

ESCAPE = "\x1b"


@pytest.mark.parametrize("verb", [["check"], ["status"], ["--help"], ["up", "--help"], ["up", "--none"]])
def test_off_a_terminal_there_are_no_escape_codes(sandbox: Sandbox, verb: list[str]) -> None:
    sandbox.ok("up", "--all")
    done = sandbox.sockhop(*verb, env={**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor"})
    assert ESCAPE not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("changes", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)]
)
def test_on_a_terminal_no_color_is_honoured(sandbox: Sandbox, changes: dict[str, str], coloured: bool) -> None:
    sandbox.ok("up", "--all")
    for verb in ("check", "status"):
        master, slave = pty.openpty()
        environment: dict[str, Any] = {**os.environ, "TERM": "xterm-256color", **changes}
        with os.fdopen(master, "rb", buffering=0) as terminal:
            with os.fdopen(slave, "wb", buffering=0) as screen:
                status = sandbox.popen(SOCKHOP, verb, stdout=screen, stderr=screen, env=environment)
            shown = b""
            try:
                while more := terminal.read(4096):
                    shown += more
            except OSError:  # EIO: the last one on the other side has gone
                pass
            assert status.wait(timeout=10) == 0
        assert (ESCAPE.encode() in shown) == coloured, shown


def test_json_is_one_document(sandbox: Sandbox) -> None:
    for verb in (["check"], ["up", "--all"], ["status"], ["down"]):
        done = sandbox.sockhop(*verb, "--json")
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.count("\n") == 1
        assert json.loads(done.stdout)["schema"] == 1


@pytest.mark.parametrize("buffered", [True, False])
@pytest.mark.parametrize("verb", ["check", "check --json", "status", "status --json", "--help"])
def test_a_reader_that_has_gone_is_no_error_of_ours(sandbox: Sandbox, verb: str, buffered: bool) -> None:
    sandbox.ok("up", "--all")
    reader, writer = os.pipe()
    os.close(reader)
    environment = {**os.environ, "PYTHONUNBUFFERED": "" if buffered else "1"}
    with (
        os.fdopen(writer, "wb", buffering=0) as pipe,
        sandbox.popen(SOCKHOP, *verb.split(), stdout=pipe, env=environment) as done,
    ):
        _, err = done.communicate(timeout=20)
    assert done.returncode == 1
    assert err in ("", "sockhop: this machine can hop\n")


@pytest.mark.parametrize("buffered", [True, False])
@pytest.mark.parametrize("verb", ["check", "status", "status --json"])
def test_a_full_disk_is_said(sandbox: Sandbox, verb: str, buffered: bool) -> None:
    sandbox.ok("up", "--all")
    environment = {**os.environ, "PYTHONUNBUFFERED": "" if buffered else "1"}
    done = sandbox.run("sh", "-c", f'"$1" {verb} >/dev/full', "sh", SOCKHOP, env=environment)
    assert done.returncode == 1
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize("verb", ["check", "status", "status --json", "flows", "down"])
def test_standard_ones_may_be_closed(sandbox: Sandbox, verb: str, closed: str) -> None:
    sandbox.ok("up", "--all")
    done = sandbox.run("sh", "-c", f'"$1" {verb} {closed}', "sh", SOCKHOP)
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done


def test_the_version(sandbox: Sandbox) -> None:
    assert sockhop.__version__ in sandbox.ok("--version")
