"""What is left of ``run`` when it ends before all that it started does."""

import json
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

import sockhop
from sockhop.kernel import cgroups
from tests.cli.connections import receive
from tests.cli.sandbox import PROGRAM, SOCKHOP, Sandbox
from tests.conformance.waiting import asleep_in, until


class User:
    """Somebody outside of the scope, whose bytes pass through a connection in it, and back."""

    def __init__(self, port: int) -> None:
        self.end = socket.create_connection(("127.0.0.1", port), timeout=10)

    def check(self, message: bytes = b"through") -> None:
        """Pass a message through."""
        self.end.sendall(message)
        assert receive(self.end, len(message)) == message

    def __enter__(self) -> "User":
        return self

    def __exit__(self, *error: object) -> None:
        self.end.close()


def runs(sandbox: Sandbox) -> list[Path]:
    """The cgroups of all runs."""
    return list(sandbox.root.glob("sockhop-run-*"))


def instance(sandbox: Sandbox) -> str:
    """Return the name of the one instance that is no service."""
    (name,) = (name for name in sandbox.pins() if name.startswith("run-") and "making" not in name)
    return name


def end_all(cgroup: Path, but: set[int]) -> None:
    """Kill what is in a cgroup."""
    for pid in set(cgroups.pids(cgroup)) - but:
        os.kill(pid, signal.SIGKILL)


def test_what_outlives_the_command_goes_on(sandbox: Sandbox) -> None:
    with sandbox.popen(SOCKHOP, "run", *PROGRAM, "daemon", stdin=subprocess.PIPE) as run:
        assert run.stdout is not None
        port = int(run.stdout.readline())
        with User(port) as user:
            user.check()
            assert sandbox.status(instance(sandbox)).hop.messages == 1
            _, err = run.communicate(timeout=10)
            assert (run.returncode, err[:9]) == (0, "sockhop: ")
            assert sandbox.leftovers() == set()
            user.check()
    (daemon,) = set(cgroups.pids(sandbox.root)) - sandbox.residents
    os.kill(daemon, signal.SIGKILL)
    sandbox.until_clean()


def test_what_sleeps_in_recv_drains_afterwards(sandbox: Sandbox) -> None:
    with sandbox.popen(SOCKHOP, "run", *PROGRAM, "reader", stdin=subprocess.PIPE) as run:
        assert run.stdout is not None
        port = int(run.stdout.readline())
        (home,) = runs(sandbox)
        until(lambda: any(asleep_in("recvfrom", pid) for pid in cgroups.pids(home)), "the reader asleep")
        _, err = run.communicate(timeout=10)
    assert run.returncode == 0
    assert "2 sockets of processes that go on are still draining" in err
    assert runs(sandbox) == []
    assert sandbox.status(instance(sandbox)).state == "draining"
    with User(port) as user:
        user.check()  # wakes it
        until(lambda: not sandbox.leftovers(), "the last socket out", 15)
        user.check()
    end_all(sandbox.root, sandbox.residents)
    sandbox.until_clean()


def test_what_forks_all_the_time_is_moved_out(sandbox: Sandbox) -> None:
    home = sandbox.cgroup("home")
    done = sandbox.sockhop("run", *PROGRAM, "forks", cgroup=home)
    assert done.returncode == 0, done.stderr
    assert sandbox.leftovers() == set()
    assert cgroups.is_populated(home)
    (home / "cgroup.kill").write_text("1")
    sandbox.until_clean()


def test_cgroups_that_the_command_made_go_too(sandbox: Sandbox) -> None:
    script = 'c=$(sed -n s/^0:://p /proc/self/cgroup); mkdir -p "$1$c/a/b"; echo 0 > "$1$c/a/b/cgroup.procs"'
    done = sandbox.sockhop("run", "sh", "-ec", script, "sh", cgroups.mount_point())
    assert done.returncode == 0, done.stderr
    assert sandbox.leftovers() == set()


def test_somebody_holds_the_lock_when_its_command_ends(sandbox: Sandbox) -> None:
    with sandbox.popen(SOCKHOP, "run", "sh", "-c", "echo; cat; exit 7", stdin=subprocess.PIPE) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == "\n"
        with sandbox.locked():
            _, err = run.communicate(timeout=30)
    assert (run.returncode, err) == (7, "sockhop: 0 of 0 messages and 0 B hopped\n")
    sandbox.until_clean()


def test_killed_its_command_goes_on_hopping(sandbox: Sandbox) -> None:
    with sandbox.popen(SOCKHOP, "run", *PROGRAM, "serve") as run:
        assert run.stdout is not None
        port = int(run.stdout.readline())
        with User(port) as user:
            user.check()
            run.kill()
            run.wait()
            before = sandbox.status(instance(sandbox)).hop.messages
            user.check()
            # Nor does anybody else's use of sockhop disturb it.
            sandbox.ok("run", "true")
            sandbox.ok("up", "--all")
            sandbox.ok("down")
            user.check()
            assert sandbox.status(instance(sandbox)).hop.messages == before + 2
            (home,) = runs(sandbox)
            end_all(home, set())
            sandbox.until_clean()


def test_killed_with_its_keeper(sandbox: Sandbox) -> None:
    """Nobody is left who could tidy up, so the next use of sockhop does."""
    with sandbox.popen(SOCKHOP, "run", *PROGRAM, "serve") as run:
        assert run.stdout is not None
        port = int(run.stdout.readline())
        (home,) = runs(sandbox)
        outside = set(cgroups.pids(sandbox.root)) - set(cgroups.pids(home)) - sandbox.residents
        assert len(outside) == 2
        for pid in outside:
            os.kill(pid, signal.SIGKILL)
        run.wait()
        with User(port) as user:
            user.check()
            sandbox.ok("run", "true")
            user.check()
            end_all(home, set())
            cgroups.wait_empty(home, 10)
        assert sandbox.leftovers() != set()
        sandbox.ok("run", "true")
    sandbox.until_clean()


def test_killed_with_its_namespace_of_processes(sandbox: Sandbox) -> None:
    """As with a container. Whoever sees all processes tidies up."""
    own = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]
    with sandbox.popen(*own, SOCKHOP, "run", *PROGRAM, "serve") as run:
        assert run.stdout is not None
        run.stdout.readline()
        (home,) = runs(sandbox)
        name = instance(sandbox)
        sandbox.ok("up", "--all")
        told = sandbox.sockhop("down").stderr
        assert told.endswith(f"but what others of its processes use, /sys/fs/bpf/sockhop/{name}\n")
        run.kill()
        run.wait()
        cgroups.wait_empty(home, 10)
    assert sandbox.pins() == {name}
    sandbox.ok("up", "--all")
    assert sandbox.sockhop("down").stderr == "sockhop: down: nothing of sockhop is left in the kernel\n"
    sandbox.until_clean()


def test_its_keeper_killed_alone(sandbox: Sandbox) -> None:
    with sandbox.popen(SOCKHOP, "run", *PROGRAM, "signals") as run:
        assert run.stdout is not None
        run.stdout.readline()
        (home,) = runs(sandbox)
        outside = set(cgroups.pids(sandbox.root)) - set(cgroups.pids(home)) - sandbox.residents
        (keeper,) = outside - {run.pid}
        os.kill(keeper, signal.SIGKILL)
        run.send_signal(signal.SIGTERM)
        assert run.wait(timeout=10) == 7
    sandbox.until_clean()


def cpu_seconds(pid: int) -> float:
    """How long a process has been on a CPU (proc_pid_stat(5))."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


def test_it_rests_between_walks_over_very_many_namespaces(sandbox: Sandbox) -> None:
    with sandbox.namespaces(40), sandbox.popen(SOCKHOP, "run", *PROGRAM, "signals") as run:
        assert run.stdout is not None
        run.stdout.readline()
        walked = time.process_time()
        sandbox.instance(instance(sandbox)).walk()
        a_walk = time.process_time() - walked
        begun, before = time.monotonic(), cpu_seconds(run.pid)
        until(
            lambda: cpu_seconds(run.pid) - before > 2 * a_walk or time.monotonic() - begun > 5,
            "a few walks, or so much rest that there were none",
        )
        assert cpu_seconds(run.pid) - before < (time.monotonic() - begun) / 7
        run.send_signal(signal.SIGTERM)
        assert run.wait(timeout=10) == 7


@pytest.mark.parametrize("first", ["up", "run"])
def test_together_with_the_service(sandbox: Sandbox, first: str, tmp_path: Path) -> None:
    """Each connection hops once, by the instance whose scope is the narrower one."""
    if first == "up":
        sandbox.ok("up", "--all")
    counters = tmp_path / "counters"
    with sandbox.popen(SOCKHOP, "run", "--json", counters, *PROGRAM, "serve") as run:
        assert run.stdout is not None
        port = int(run.stdout.readline())
        if first == "run":
            sandbox.ok("up", "--all")
        (home,) = runs(sandbox)
        with User(port) as user, sandbox.connection(home) as within, sandbox.connection() as outside:
            user.check()
            within.talk(5)
            assert sandbox.status().hop.messages == 0
            outside.talk(5)
            assert sandbox.status().hop.messages == 10
            assert sandbox.status(instance(sandbox)).hop.messages == 11
            assert sandbox.status().sockets.refused["busy"] > 0
        run.send_signal(signal.SIGTERM)
        assert run.wait(timeout=10) == 128 + signal.SIGTERM
    assert json.loads(counters.read_text())["hop"]["messages"] == 11
    assert sandbox.pins() == {"service"}
    sandbox.ok("down")
    sandbox.until_clean()


def test_run_within_run(sandbox: Sandbox, tmp_path: Path) -> None:
    counters = tmp_path / "counters"
    sandbox.ok("run", "--", SOCKHOP, "run", "--json", counters, "--", *PROGRAM, "talk", "5")
    assert json.loads(counters.read_text())["hop"]["messages"] == 10
    sandbox.until_clean()


def test_somebody_elses_program_holds_the_sockets(sandbox: Sandbox) -> None:
    """A socket belongs to one sockmap program only: the others leave it alone, and count it."""
    sandbox.ok("up", "--all")
    scope = sandbox.cgroup()
    with sockhop.Accelerator(scope, mode="eager") as theirs, sandbox.connection(scope) as pair:
        pair.talk(10)
        shown = sandbox.status()
        assert shown.sockets.refused["busy"] > 0
        assert (shown.hop.messages, shown.stack.messages, shown.sockets.tracked) == (0, 0, 0)
        assert theirs.status().hop.messages == 20
        assert "refused busy" in sandbox.ok("status")
        sandbox.ok("down")
        pair.talk(10)
