"""What tests share: scopes of their own, and C programs compiled for them.

A test that needs BPF skips, with the reason, where sockhop may not load any; ``SOCKHOP_REQUIRE_BPF=1`` turns
that skip into a failure.
"""

import itertools
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import pytest

import sockhop
from sockhop.kernel import cgroups, mounts, privileges
from sockhop.kernel.abi import Action, Rule

ROOT = Path(__file__).parent.parent
_numbers = itertools.count()
# The rule by which every connection stays on the stack.
NEVER = Rule(action=Action.NEVER, first_port=0, last_port=65535, roles=3)


@pytest.fixture(scope="session")
def bpf() -> None:
    """Require a machine on which sockhop can be up."""
    try:
        privileges.require()
        mounts.require_bpffs()
        cgroups.mount_point()
    except sockhop.SockhopError as error:
        missing(str(error))


def missing(what: str) -> NoReturn:
    """Skip the test for what this machine lacks, or fail it where nothing may be skipped."""
    if os.environ.get("SOCKHOP_REQUIRE_BPF") == "1":
        pytest.fail(what)
    pytest.skip(what)


@dataclass(frozen=True)
class Scope:
    """A fresh cgroup with an accelerator over it."""

    cgroup: Path
    hops: sockhop.Accelerator

    def enter(self) -> None:
        """Move the calling process into the scope; what it had open stays outside."""
        cgroups.enter(self.cgroup)

    def popen(self, argv: list[Any], **options: Any) -> "subprocess.Popen[Any]":
        """Start a command that is in the scope from its first instruction."""
        return subprocess.Popen(list(map(str, argv)), preexec_fn=self.enter, **options)

    def run(self, argv: list[Any], **options: Any) -> "subprocess.CompletedProcess[Any]":
        """Run a command in the scope to its end."""
        check = options.pop("check", False)
        return subprocess.run(list(map(str, argv)), preexec_fn=self.enter, check=check, **options)

    def tcp_popen(self, argv: list[Any], **options: Any) -> "subprocess.Popen[Any]":
        """Start a command outside of the scope."""
        return subprocess.Popen(list(map(str, argv)), **options)


def end_processes(cgroup: Path) -> None:
    """Kill what lives in the cgroup, but for this process, which leaves it; wait until all are gone."""
    if os.getpid() in cgroups.pids(cgroup):
        cgroups.enter(cgroups.mount_point())
    while cgroups.is_populated(cgroup):
        for pid in cgroups.pids(cgroup):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        cgroups.wait_empty(cgroup, timeout=5.0)


@contextmanager
def fresh_cgroup() -> Iterator[Path]:
    """A cgroup of our own; what is left in it is killed."""
    cgroup = cgroups.mount_point() / f"sockhop-test-{os.getpid()}-{next(_numbers)}"
    cgroup.mkdir()
    try:
        yield cgroup
    finally:
        end_processes(cgroup)
        assert cgroups.remove(cgroup)


@pytest.fixture
def make_scope(bpf: None) -> Iterator[Callable[..., Scope]]:
    """Return a factory of scopes; its options are those of :class:`sockhop.Accelerator`."""
    with ExitStack() as stack:

        def make(**options: Any) -> Scope:
            cgroup = stack.enter_context(fresh_cgroup())
            # Whether this kernel can be trusted is what other tests ask, once: see tests/cli/test_check.py.
            options = {"mode": "eager", "accept_data_loss": True, **options}
            hops = stack.enter_context(sockhop.Accelerator(cgroup, **options))
            # Ended before the accelerator goes, so that no socket keeps it draining.
            stack.callback(end_processes, cgroup)
            return Scope(cgroup, hops)

        yield make


@pytest.fixture
def scope(make_scope: Callable[..., Scope]) -> Scope:
    """A scope with the default settings."""
    return make_scope()


@pytest.fixture(scope="session")
def c_tool(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return a function that compiles a C file of the tests, named from the root, once."""
    directory = tmp_path_factory.mktemp("c-tools")
    made: dict[str, Path] = {}

    def compile_tool(source: str) -> Path:
        if source not in made:
            output = directory / Path(source).stem
            flags = ["-O2", "-Wall", "-Wextra", "-Werror", "-pthread"]
            subprocess.run(["cc", *flags, "-o", output, ROOT / source], check=True)
            made[source] = output
        return made[source]

    return compile_tool
