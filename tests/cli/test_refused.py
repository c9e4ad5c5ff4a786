"""Places where sockhop cannot work: one clear message, the exit code, and nothing left behind."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sockhop.control import places
from sockhop.errors import Locked
from sockhop.kernel import cgroups, mounts
from tests.cli.sandbox import PROGRAM, SOCKHOP, Sandbox
from tests.conftest import ROOT

# By number: tools and distributions do not agree on the names of the newer ones.
NET_ADMIN, SYS_ADMIN, PERFMON, BPF = "cap_12", "cap_21", "cap_38", "cap_39"
VERBS = [
    ("up", "--all"),
    ("down",),
    ("status",),
    ("pause",),
    ("resume",),
    ("recheck",),
    ("trace",),
    ("run", "--", "echo", "it ran"),
]


def with_capabilities(*bounds: str) -> list[str]:
    """Return what runs a command with a smaller bounding set, and so with fewer capabilities."""
    return ["setpriv", "--inh-caps=-all", f"--bounding-set={','.join(bounds)}"]


def is_refused(sandbox: Sandbox, done: "subprocess.CompletedProcess[str]", words: str) -> None:
    """Check that a verb ended as one that the machine blocks."""
    assert (done.returncode, done.stdout) == (4, ""), done
    assert done.stderr.startswith("sockhop: ")
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert sandbox.leftovers() == set()


# -- capabilities ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb[0])
def test_without_privilege_every_verb_names_what_is_missing(sandbox: Sandbox, verb: tuple[str, ...]) -> None:
    done = sandbox.run(*with_capabilities("-all"), SOCKHOP, *verb)
    is_refused(sandbox, done, "lacks CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN (")
    assert "Run it as root" in done.stderr


@pytest.mark.parametrize(
    ("dropped", "named"),
    [
        ([f"-{NET_ADMIN}"], "lacks CAP_NET_ADMIN (CAP_NET_ADMIN to attach them to sockets)."),
        ([f"-{BPF}", f"-{SYS_ADMIN}"], "lacks CAP_BPF (CAP_BPF to load BPF programs and maps)."),
        ([f"-{PERFMON}", f"-{SYS_ADMIN}"], "lacks CAP_PERFMON (CAP_PERFMON to let them read"),
    ],
)
def test_only_what_is_missing_is_named(sandbox: Sandbox, dropped: list[str], named: str) -> None:
    is_refused(sandbox, sandbox.run(*with_capabilities(*dropped), SOCKHOP, "up", "--all"), named)


def test_the_three_that_it_names_are_enough(sandbox: Sandbox, tmp_path: Path) -> None:
    few = with_capabilities("-all", f"+{BPF}", f"+{PERFMON}", f"+{NET_ADMIN}")

    def works(*verb: str | Path) -> None:
        done = sandbox.run(*few, SOCKHOP, *verb)
        assert done.returncode == 0, done.stderr

    works("up", "--all")
    with sandbox.connection() as pair:
        pair.talk(5)
        works("status")
        works("recheck")
        assert sandbox.status().hop.messages == 10
        works("down")
        pair.talk(5)
    works("run", "--json", tmp_path / "counters", *PROGRAM, "talk", "5")
    assert json.loads((tmp_path / "counters").read_text())["hop"]["messages"] == 10
    works("check")
    sandbox.until_clean()


@pytest.mark.parametrize("verb", [("up", "--all"), ("run", "true")], ids=lambda verb: verb[0])
def test_root_of_a_user_namespace_only(sandbox: Sandbox, verb: tuple[str, ...]) -> None:
    """It seems to have every capability, as in a container without privilege; the kernel knows better."""
    done = sandbox.run("unshare", "--user", "--map-root-user", "--mount", SOCKHOP, *verb)
    is_refused(sandbox, done, "the kernel does not let this process load BPF programs")
    sandbox.until_clean()


# -- file systems ------------------------------------------------------------------------------------------------

_NO_BPFFS = "while grep -q ' /sys/fs/bpf .* - bpf ' /proc/self/mountinfo; do umount --lazy /sys/fs/bpf; done"


def test_bpffs_is_mounted_where_that_is_allowed(sandbox: Sandbox) -> None:
    script = '"$1" up --all && "$1" status --json && "$1" down'
    done = sandbox.after(_NO_BPFFS, "sh", "-ec", script, "sh", SOCKHOP)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["state"] == "up"


def test_status_does_not_need_bpffs(sandbox: Sandbox) -> None:
    assert sandbox.after(_NO_BPFFS, SOCKHOP, "status").returncode == 3


@pytest.mark.parametrize("verb", [("up", "--all"), ("run", "true")], ids=lambda verb: verb[0])
def test_bpffs_that_may_not_be_mounted(sandbox: Sandbox, verb: tuple[str, ...]) -> None:
    done = sandbox.after(_NO_BPFFS, *with_capabilities(f"-{SYS_ADMIN}"), SOCKHOP, *verb)
    is_refused(sandbox, done, "no bpffs at /sys/fs/bpf, and mounting one failed (Operation not permitted)")
    assert "mount -t bpf bpf /sys/fs/bpf" in done.stderr


def test_bpffs_that_something_is_mounted_over(sandbox: Sandbox) -> None:
    cover = "mount -t tmpfs tmpfs /sys/fs/bpf"
    done = sandbox.after(cover, *with_capabilities(f"-{SYS_ADMIN}"), SOCKHOP, "up", "--all")
    is_refused(sandbox, done, "no bpffs at /sys/fs/bpf")


@pytest.mark.parametrize("verb", [("up", "--all"), ("up", "--cgroup", "/sys"), ("run", "true")], ids=" ".join)
def test_cgroup_v1_only(sandbox: Sandbox, verb: tuple[str, ...]) -> None:
    done = sandbox.after(f"umount --lazy {cgroups.mount_point()}", SOCKHOP, *verb)
    is_refused(sandbox, done, "no cgroup v2 is mounted")
    assert "mount -t cgroup2" in done.stderr


def test_cgroups_that_cannot_be_written(sandbox: Sandbox) -> None:
    point = cgroups.mount_point()
    done = sandbox.after(f"mount -o remount,bind,ro {point}", SOCKHOP, "run", "true")
    assert (done.returncode, "Traceback" in done.stderr) == (4, False)
    assert "whether this kernel can be trusted could not be tried: " in done.stderr
    assert done.stderr.count("Read-only file system") == 1
    sandbox.until_clean()


# -- the object file ---------------------------------------------------------------------------------------------


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """Where Python finds a copy of the package first."""
    shutil.copytree(ROOT / "src" / "sockhop", tmp_path / "sockhop", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


@pytest.mark.parametrize("verb", [("up", "--all"), ("run", "true")], ids=lambda verb: verb[0])
def test_a_missing_object_file(sandbox: Sandbox, package: Path, verb: tuple[str, ...]) -> None:
    (package / "sockhop/dataplane/sockhop.bpf.o").unlink()
    done = sandbox.sockhop(*verb, env={**os.environ, "PYTHONPATH": str(package)})
    is_refused(sandbox, done, f"{package}/sockhop/dataplane/sockhop.bpf.o cannot be read (No such file")
    assert "reinstall sockhop" in done.stderr
    sandbox.until_clean()


@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.99])
@pytest.mark.parametrize("rest", [b"", b"garbage"], ids=["truncated", "overwritten"])
def test_a_damaged_object_file(sandbox: Sandbox, package: Path, share: float, rest: bytes) -> None:
    # There is a good one in the kernel: it stays.
    sandbox.ok("up", "--all")
    path = package / "sockhop/dataplane/sockhop.bpf.o"
    content = path.read_bytes()
    kept = content[: int(len(content) * share)]
    path.write_bytes(kept + (rest * len(content))[: len(content) - len(kept)])
    done = sandbox.sockhop("up", "--all", env={**os.environ, "PYTHONPATH": str(package)})
    assert (done.returncode, done.stdout) == (4, ""), done
    assert f"the data plane {path} is damaged" in done.stderr or "refuses the data plane" in done.stderr
    assert "Traceback" not in done.stderr
    with sandbox.connection() as pair:
        pair.talk()
        assert sandbox.status().hop.messages == 2
    assert sandbox.pins() == {"service"}


# -- the lock ----------------------------------------------------------------------------------------------------


def test_somebody_else_holds_the_lock(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mounts, "require_bpffs", lambda: sandbox.bpffs.parent)
    with sandbox.locked(), pytest.raises(Locked, match="another sockhop command"), places.lock(0.05):
        raise AssertionError
    with places.lock(0.05):
        pass
    assert not sandbox.bpffs.exists()


def test_a_block_of_the_library_ends_while_somebody_holds_it(sandbox: Sandbox) -> None:
    """What it could not remove is removed by whoever comes next."""
    script = "import sys, sockhop\nwith sockhop.Accelerator(sys.argv[1], mode='eager'):\n    print(), input()"
    place = sandbox.inside(sandbox.cgroup())
    with sandbox.popen(sys.executable, "-uc", script, place, stdin=subprocess.PIPE) as user:
        assert user.stdout is not None
        assert user.stdout.readline() == "\n"
        with sandbox.locked():
            _, err = user.communicate("\n", timeout=30)
    assert (user.returncode, err) == (0, "")
    sandbox.ok("run", "true")
    assert sandbox.leftovers() == set()


def test_who_waits_for_the_lock_gets_it(sandbox: Sandbox) -> None:
    with sandbox.locked():
        waiting = [sandbox.popen(SOCKHOP, "up", "--all") for _ in range(3)]
        # A look does not wait.
        assert sandbox.sockhop("status").returncode == 3
        assert [up.poll() for up in waiting] == [None, None, None]
    for up in waiting:
        with up:
            _, err = up.communicate(timeout=20)
            assert up.returncode == 0, err
    assert sandbox.pins() == {"service"}


def test_python_without_the_package_is_not_what_runs() -> None:
    """The tests above say something only if the command is the one of this environment."""
    assert SOCKHOP.read_text().splitlines()[0] == f"#!{sys.executable}"
