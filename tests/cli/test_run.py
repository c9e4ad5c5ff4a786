"""``run``: a command with hops on, which notices nothing else of it."""

import json
import os
import pty
import signal
import stat
import subprocess
import sys
import termios
from fcntl import ioctl
from pathlib import Path
from typing import Any

import pytest

from sockhop.kernel import cgroups
from tests.cli.sandbox import PROGRAM, SOCKHOP, Sandbox
from tests.conformance.waiting import until


def counters(path: Path) -> dict[str, Any]:
    shown: dict[str, Any] = json.loads(path.read_text())
    return shown


def line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return str(process.stdout.readline()).rstrip("\n")


def test_a_command_hops(sandbox: Sandbox, tmp_path: Path) -> None:
    done = sandbox.sockhop("run", "--json", tmp_path / "counters", "--", *PROGRAM, "talk", "50")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.startswith("sockhop: 100 of 100 messages (100.0 %) and ")
    assert done.stderr.count("\n") == 1
    shown = counters(tmp_path / "counters")
    assert (shown["schema"], shown["state"], shown["hops"]) == (1, "up", "on")
    assert (shown["hop"]["messages"], shown["stack"]["messages"]) == (100, 0)
    assert len(shown["scopes"]) == 1
    assert sandbox.leftovers() == set()


def test_options_of_the_command_are_its_own(sandbox: Sandbox, tmp_path: Path) -> None:
    done = sandbox.sockhop("run", "echo", "--json", "-h", "--", "--capacity=1")
    assert (done.returncode, done.stdout) == (0, "--json -h -- --capacity=1\n")
    done = sandbox.sockhop(
        "run", "--capacity", "1000", "--json", tmp_path / "counters", "--", "echo", "--capacity=1"
    )
    assert done.stdout == "--capacity=1\n"
    assert counters(tmp_path / "counters")["sockets"]["capacity"] == 1000


def test_what_it_starts_hops_too(sandbox: Sandbox, tmp_path: Path) -> None:
    script = 'for i in 1 2 3; do "$@" talk 5 & done; wait'
    sandbox.ok("run", "--json", tmp_path / "counters", "--", "sh", "-c", script, "sh", *PROGRAM)
    assert counters(tmp_path / "counters")["hop"]["messages"] == 30


@pytest.mark.parametrize(("script", "code"), [("exit 0", 0), ("exit 3", 3), ("exit 255", 255)])
def test_its_exit_code_is_the_commands(sandbox: Sandbox, script: str, code: int) -> None:
    assert sandbox.sockhop("run", "--", "sh", "-c", script).returncode == code
    assert sandbox.leftovers() == set()


def test_started_by_somebody_who_ignores_its_end(sandbox: Sandbox) -> None:
    """SIGCHLD that is ignored is so in what is executed too, and then no child can be waited for."""
    script = "import os, sys; from signal import *; signal(SIGCHLD, SIG_IGN); os.execv(sys.argv[1], sys.argv[1:])"
    ignoring = [sys.executable, "-c", script]
    assert sandbox.run(*ignoring, SOCKHOP, "run", "sh", "-c", "exit 3").returncode == 3
    done = sandbox.run(*ignoring, SOCKHOP, "up", "--all")
    assert done.returncode == 0, done.stderr
    sandbox.ok("down")
    sandbox.until_clean()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGSEGV])
def test_a_command_that_a_signal_ends(sandbox: Sandbox, number: signal.Signals) -> None:
    assert sandbox.sockhop("run", "sh", "-c", f"kill -{number.value} $$").returncode == 128 + number
    assert sandbox.leftovers() == set()


def test_standard_input_output_and_error_are_the_commands(sandbox: Sandbox) -> None:
    text = "".join(f"line {number}\n" for number in range(100_000))
    with sandbox.popen(SOCKHOP, "run", "sh", "-c", "cat; echo done >&2", stdin=subprocess.PIPE) as run:
        out, err = run.communicate(text, timeout=20)
    assert run.returncode == 0
    assert out == text
    assert err.splitlines()[0] == "done"
    assert err.splitlines()[1].startswith("sockhop: 0 of 0 messages")


def test_other_descriptors_directory_and_environment_are_passed_on(sandbox: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "in").write_text("from descriptor 3\n")
    script = 'cd "$1"; umask 027; WORD=here exec "$2" run -- sh -c "cat <&3; pwd; umask; echo \\$WORD" 3<in'
    done = sandbox.run("sh", "-ec", script, "sh", tmp_path, SOCKHOP)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["from descriptor 3", str(tmp_path), "0027", "here"]


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_standard_ones_may_be_closed(sandbox: Sandbox, closed: str, tmp_path: Path) -> None:
    file = tmp_path / "counters"
    script = f'"$@" {closed}'
    done = sandbox.run("sh", "-c", script, "sh", SOCKHOP, "run", "--json", file, "--", *PROGRAM, "talk", "5")
    assert done.returncode == 0, done
    assert counters(file)["hop"]["messages"] == 10
    sandbox.until_clean()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGQUIT])
def test_signals_are_passed_on(sandbox: Sandbox, number: signal.Signals) -> None:
    with sandbox.popen(SOCKHOP, "run", *PROGRAM, "signals") as run:
        assert line(run) == "ready"
        run.send_signal(number)
        assert line(run) == number.name
        run.send_signal(signal.SIGTERM)
        assert run.wait(timeout=10) == 7
    assert sandbox.leftovers() == set()


def terminal(sandbox: Sandbox, *argv: str | Path) -> tuple["subprocess.Popen[bytes]", int]:
    """Start a command on a terminal of its own; return it and the terminal's other side."""
    master, slave = pty.openpty()

    def prepare() -> None:
        ioctl(0, termios.TIOCSCTTY, 0)
        cgroups.enter(sandbox.root)

    try:
        process: Any = sandbox.popen(
            *argv,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            text=False,
            start_new_session=True,
            preexec_fn=prepare,
        )
    finally:
        os.close(slave)
    return process, master


def until_shown(master: int, word: bytes) -> bytes:
    """Read from a terminal until it has shown a word; return all of it."""
    shown = b""
    while word not in shown:
        shown += os.read(master, 1024)
    return shown


def test_ctrl_c_on_a_terminal_reaches_the_command_once(sandbox: Sandbox) -> None:
    run, master = terminal(sandbox, SOCKHOP, "run", *PROGRAM, "signals")
    with os.fdopen(master, "r+b", buffering=0), run:
        until_shown(master, b"ready")
        os.write(master, b"\x03")
        until_shown(master, b"SIGINT")
        os.write(master, b"\x1c")  # Ctrl-\
        shown = until_shown(master, b"SIGQUIT")
        run.send_signal(signal.SIGTERM)
        assert b"SIGINT" not in shown + until_shown(master, b"hopped")
        assert run.wait(timeout=10) == 7
    assert sandbox.leftovers() == set()


def test_ctrl_c_before_there_is_a_command_ends_it(sandbox: Sandbox) -> None:
    with sandbox.locked():
        run, master = terminal(sandbox, SOCKHOP, "run", "sleep", "60")
        until(lambda: holds_back(run.pid, signal.SIGINT), "run waits")
        os.write(master, b"\x03")
    with os.fdopen(master, "r+b", buffering=0), run:
        assert run.wait(timeout=10) == 128 + signal.SIGINT
    sandbox.until_clean()


def holds_back(pid: int, number: signal.Signals) -> bool:
    """Whether the process blocks the signal."""
    status = Path(f"/proc/{pid}/status").read_text()
    (blocked,) = (line.split()[1] for line in status.splitlines() if line.startswith("SigBlk"))
    return bool(int(blocked, 16) >> number - 1 & 1)


def make(path: Path, content: str, mode: int) -> Path:
    path.write_text(content)
    path.chmod(mode)
    return path


@pytest.mark.parametrize("prefix", [[], ["--"]])
def test_a_command_that_does_not_exist(sandbox: Sandbox, tmp_path: Path, prefix: list[str]) -> None:
    for name in ("no-such-command", str(tmp_path / "gone"), ""):
        done = sandbox.sockhop("run", *prefix, name)
        assert (done.returncode, done.stdout) == (127, "")
        assert f"sockhop: {name}: no such command" in done.stderr
        assert done.stderr.count("\n") == 1
    assert sandbox.leftovers() == set()


def test_a_command_that_cannot_be_executed(sandbox: Sandbox, tmp_path: Path) -> None:
    executable = stat.S_IRWXU
    for path in (
        tmp_path,
        make(tmp_path / "no-permission", "#!/bin/sh\n", stat.S_IRUSR),
        make(tmp_path / "no-program", "words", executable),
        make(tmp_path / "no-interpreter", "#!/no/such/interpreter\n", executable),
    ):
        done = sandbox.sockhop("run", path)
        assert (done.returncode, done.stdout) == (126, ""), path
        assert f"sockhop: {path}: cannot be executed" in done.stderr
        assert done.stderr.count("\n") == 1
        assert sandbox.leftovers() == set()
    sandbox.until_clean()


def test_counters_that_cannot_be_written(sandbox: Sandbox, tmp_path: Path) -> None:
    for place in (tmp_path / "gone" / "counters", tmp_path):
        done = sandbox.sockhop("run", "--json", place, "--", "touch", tmp_path / "ran")
        assert done.returncode == 1
        assert done.stderr.startswith(f"sockhop: the counters cannot be written to {place}: ")
        assert done.stderr.count("\n") == 1
        assert not (tmp_path / "ran").exists()
    # A full disk shows later, and does not hide what the command ended with.
    done = sandbox.sockhop("run", "--json", "/dev/full", "--", "sh", "-c", "exit 5")
    assert (done.returncode, "No space left" in done.stderr) == (5, True)
    assert sandbox.sockhop("run", "--json", "/dev/full", "--", "true").returncode == 1
    assert sandbox.leftovers() == set()


def test_counters_replace_what_was_there_when_there_are_any(sandbox: Sandbox, tmp_path: Path) -> None:
    file = make(tmp_path / "counters", "precious\n" * 1000, stat.S_IRUSR | stat.S_IWUSR)
    assert sandbox.sockhop("run", "--json", file, "--", "no-such-command").returncode == 127
    assert file.read_text() == "precious\n" * 1000
    sandbox.ok("run", "--json", file, "--", "true")
    assert counters(file)["schema"] == 1


def test_counters_for_whoever_reads_from_a_fifo(sandbox: Sandbox, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with sandbox.popen("cat", tmp_path / "fifo") as reader:
        sandbox.ok("run", "--json", tmp_path / "fifo", "--", "true")
        out, _ = reader.communicate(timeout=10)
    assert json.loads(out)["schema"] == 1


def test_nothing_to_run_or_a_mistyped_option(sandbox: Sandbox) -> None:
    for arguments in (
        [],
        ["--"],
        ["--json", "x"],
        ["--mod", "true"],
        ["--capacty=9", "true"],
        ["-x", "--", "true"],
    ):
        done = sandbox.sockhop("run", *arguments)
        assert (done.returncode, "Error: " in done.stderr) == (2, True)
