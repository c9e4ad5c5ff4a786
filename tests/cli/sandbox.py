"""A part of the machine of one's own: bpffs, /run, and a cgroup that is the root of all that can be seen.

Commands in it cannot meet a sockhop that is up outside, and even ``--all`` reaches no other process.
"""

import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from sockhop.control.instance import Instance
from sockhop.control.status import Status
from sockhop.kernel import cgroups
from tests.cli.connections import Connection, connected, visiting
from tests.conformance.waiting import until
from tests.conftest import end_processes, fresh_cgroup

SOCKHOP = Path(sys.executable).with_name("sockhop")
PROGRAM = [sys.executable, "-IS", str(Path(__file__).with_name("program.py"))]
SECONDS = 30  # more than any command takes: those that wait, wait for less

_SET_UP = """
mount --make-rprivate /
mount -t bpf bpf /sys/fs/bpf
mount -t tmpfs tmpfs /run
umount --lazy "$1"
mount -t cgroup2 cgroup2 "$1"
echo ready
exec cat
"""


def eagerly(argv: list[str]) -> list[str]:
    """These tests ask what becomes of connections that hop, not which do: let all hop at once."""
    eager: list[str] = []
    for word in argv:
        eager.append(word)
        if eager[-2:] in ([str(SOCKHOP), "up"], [str(SOCKHOP), "run"]) and "--mode" not in argv:
            eager += ["--mode", "eager"]
    return eager


class Process(subprocess.Popen[str]):
    """A command, which does not outlive a test that fails."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self.kill()
        super().__exit__(kind, error, trace)


@dataclass(frozen=True)
class Sandbox:
    """Where commands run.

    ``root`` is its cgroup as seen from outside; ``holder`` keeps its namespaces alive; ``residents`` are the
    processes that belong there.
    """

    root: Path
    holder: "subprocess.Popen[str]"
    residents: set[int]

    # -- running -----------------------------------------------------------------------------------------------

    def popen(self, *argv: str | Path, cgroup: Path | None = None, **options: Any) -> Process:
        """Start a command, in a cgroup of the sandbox (its root by default)."""
        home = cgroup or self.root
        enter = ["nsenter", f"--target={self.holder.pid}", "--mount", "--cgroup"]
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return Process(
            [*enter, *eagerly(list(map(str, argv)))],
            **{"text": True, "preexec_fn": lambda: cgroups.enter(home), **pipes, **options},
        )

    def run(self, *argv: str | Path, **options: Any) -> "subprocess.CompletedProcess[str]":
        """Run a command to its end."""
        with self.popen(*argv, **options) as process:
            out, err = process.communicate(timeout=SECONDS)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def sockhop(self, *arguments: str | Path, **options: Any) -> "subprocess.CompletedProcess[str]":
        """Run a verb to its end."""
        return self.run(SOCKHOP, *arguments, **options)

    def ok(self, *arguments: str | Path, **options: Any) -> str:
        """Run a verb that must succeed; return what it printed on stdout."""
        done = self.sockhop(*arguments, **options)
        assert done.returncode == 0, done
        return str(done.stdout)

    def after(self, script: str, *argv: str | Path, **options: Any) -> "subprocess.CompletedProcess[str]":
        """Run a command in a further mount namespace, in which a shell script has changed something first."""
        return self.run("unshare", "--mount", "sh", "-ec", f'{script}\nexec "$@"', "sh", *argv, **options)

    @contextmanager
    def namespaces(self, count: int) -> Iterator[None]:
        """Have so many network namespaces more, a process in each."""
        with ExitStack() as stack:
            held = []
            for _ in range(count):
                held.append(self.popen("unshare", "--net", "sh", "-c", "echo in; exec cat", stdin=subprocess.PIPE))
                stack.enter_context(held[-1])
                stack.callback(held[-1].kill)
            for holder in held:
                assert holder.stdout is not None
                assert holder.stdout.readline() == "in\n"
            yield

    # -- scopes and connections --------------------------------------------------------------------------------

    def cgroup(self, name: str = "scope") -> Path:
        """Make a cgroup; return its path as seen from outside."""
        made = self.root / name
        made.mkdir(parents=True)
        return made

    def inside(self, cgroup: Path) -> Path:
        """Return how commands in the sandbox call a cgroup."""
        return cgroups.mount_point() / cgroup.relative_to(self.root)

    def connection(self, cgroup: Path | None = None) -> Connection:
        """Make a connection both of whose ends belong to the cgroup."""
        with visiting(cgroup or self.root):
            return connected()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lock that sockhop's commands take, as another one of them."""
        self.bpffs.mkdir(exist_ok=True)
        descriptor = os.open(self.bpffs, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    # -- looking -----------------------------------------------------------------------------------------------

    @property
    def bpffs(self) -> Path:
        """Where instances are pinned, as seen from outside."""
        return Path(f"/proc/{self.holder.pid}/root/sys/fs/bpf/sockhop")

    def pins(self) -> set[str]:
        """Return the names of what is pinned."""
        try:
            return {entry.name for entry in self.bpffs.iterdir()}
        except FileNotFoundError:
            return set()

    def instance(self, name: str = "service") -> Instance:
        """Return an instance, without a command."""
        instance = Instance.open(self.bpffs / name)
        assert instance is not None
        return instance

    def status(self, name: str = "service") -> Status:
        """Return the status of an instance, without a command."""
        return self.instance(name).status()

    def leftovers(self) -> set[str]:
        """Return what sockhop has left behind: pins, and cgroups of its own."""
        below = {name for _, names, _ in os.walk(self.root) for name in names}
        return self.pins() | {name for name in below if name.startswith("sockhop-")}

    def until_clean(self) -> None:
        """Wait until nothing is left behind, and nobody."""
        until(lambda: not self.leftovers(), "nothing left", 10)
        until(lambda: set(cgroups.pids(self.root)) <= self.residents, "the last process gone", 10)


@contextmanager
def sandbox() -> Iterator[Sandbox]:
    """Make a sandbox; whatever happens in it, nothing of it is left in the end."""
    with fresh_cgroup() as root:
        point = cgroups.mount_point()
        holder = subprocess.Popen(
            ["unshare", "--mount", "--cgroup", "sh", "-ec", _SET_UP, "sh", str(point)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: cgroups.enter(root),
        )
        with holder:
            try:
                assert holder.stdout is not None
                assert holder.stdout.readline() == "ready\n"
                yield Sandbox(root, holder, {holder.pid})
            finally:
                end_processes(root)
