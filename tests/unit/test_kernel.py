"""The boundary's small readers: processes, mounts, cgroups, capabilities."""

import os
import subprocess
from pathlib import Path

import pytest

from sockhop.errors import BadObject, BadScope, NotPermitted, Unsupported
from sockhop.kernel import cgroups, mounts, objects, privileges, processes


def pretend(monkeypatch: pytest.MonkeyPatch, files: dict[str, str]) -> None:
    """Let reading these files give these texts."""
    read = Path.read_text
    monkeypatch.setattr(
        Path,
        "read_text",
        lambda path, *rest, **named: files[str(path)] if str(path) in files else read(path, *rest, **named),
    )


# -- processes ---------------------------------------------------------------------------------------------------


def test_start_time_is_what_the_kernel_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    started = processes.start_time(os.getpid())
    assert started is not None
    # A command may be called anything, parentheses and spaces included.
    fields = ["S", *map(str, range(4, 53))]
    pretend(monkeypatch, {"/proc/7/stat": f"7 (a) b (S 1) ) {' '.join(fields)}"})
    assert processes.start_time(7) == 22  # the 22nd field of proc_pid_stat(5)


def test_a_process_that_has_ended_has_no_start_time() -> None:
    child = subprocess.Popen(["true"])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert processes.start_time(child.pid) is None  # a zombie
    child.wait()
    assert processes.start_time(child.pid) is None  # nobody


# -- mounts ------------------------------------------------------------------------------------------------------

MOUNTINFO = """\
22 27 0:21 / /proc rw,relatime - proc proc rw
42 27 0:4 net:[4026532287] /run/netns/blue rw shared:1 master:2 - nsfs nsfs rw
41 31 0:38 / /sys/fs/cgroup/with\\040space rw,relatime - cgroup2 cgroup2 rw
86 23 0:41 / /sys/fs/bpf rw,relatime shared:5 - bpf bpf rw,mode=700
"""


def test_mounts_are_parsed_with_any_number_of_optional_fields(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, {"/proc/self/mountinfo": MOUNTINFO})
    assert mounts.mounts() == [
        mounts.Mount("/", Path("/proc"), "proc"),
        mounts.Mount("net:[4026532287]", Path("/run/netns/blue"), "nsfs"),
        mounts.Mount("/", Path("/sys/fs/cgroup/with space"), "cgroup2"),
        mounts.Mount("/", Path("/sys/fs/bpf"), "bpf"),
    ]
    assert mounts.has_bpffs()
    assert mounts.cgroup2().point == Path("/sys/fs/cgroup/with space")


def test_without_cgroup_v2_the_message_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, {"/proc/self/mountinfo": "32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"})
    assert not mounts.has_bpffs()
    with pytest.raises(Unsupported, match="mount -t cgroup2"):
        mounts.cgroup2()


# -- cgroups -----------------------------------------------------------------------------------------------------


@pytest.fixture
def hierarchy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Directories that pass for cgroups."""
    for name in ("", "a", "a/b", "c"):
        (tmp_path / name).mkdir(exist_ok=True)
        (tmp_path / name / "cgroup.procs").write_text("")
    monkeypatch.setattr(mounts, "cgroup2", lambda: mounts.Mount("/", tmp_path, "cgroup2"))
    return tmp_path


def test_find_returns_what_is_there_and_leaves_out_what_is_gone(hierarchy: Path) -> None:
    a, b, c = (cgroups.identity(hierarchy / name) for name in ("a", "a/b", "c"))
    assert cgroups.find({b, cgroups.identity(hierarchy)}) == {
        b: hierarchy / "a/b",
        cgroups.identity(hierarchy): hierarchy,
    }
    (hierarchy / "c" / "cgroup.procs").unlink()
    (hierarchy / "c").rmdir()
    assert cgroups.find({a, c}) == {a: hierarchy / "a"}
    assert cgroups.find(set()) == {}


def test_check_takes_cgroups_by_any_path(hierarchy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (hierarchy.parent / "link").symlink_to(hierarchy / "a")
    monkeypatch.chdir(hierarchy / "c")
    for path in (hierarchy / "a", Path("../a"), hierarchy.parent / "link", hierarchy / "a/b/.."):
        assert cgroups.check(path) == hierarchy / "a"


def test_check_refuses_what_is_no_cgroup(hierarchy: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    with pytest.raises(BadScope, match="no such cgroup"):
        cgroups.check(hierarchy / "gone")
    with pytest.raises(BadScope, match="is not a cgroup"):
        cgroups.check(hierarchy / "a/cgroup.procs")
    # What looks like one outside of the hierarchy: cgroup v1 has the same files.
    elsewhere = tmp_path_factory.mktemp("v1")
    (elsewhere / "cgroup.procs").write_text("")
    with pytest.raises(BadScope, match="is not a cgroup"):
        cgroups.check(elsewhere)


@pytest.fixture
def units(hierarchy: Path) -> Path:
    """A hierarchy as systemd makes it, with a user's session and a container."""
    for name in (
        "system.slice/redis.service",
        "system.slice/_cpu.service",
        "a.slice/a-b.slice/web.service/redis.service",
        "user.slice/user-1.slice/user@1.service/app.slice/mine.service",
        "user.slice/user-2.slice/user@2.service/app.slice/mine.service",
        "user.slice/user-2.slice/user@2.service/app.slice/only.service",
    ):
        (hierarchy / name).mkdir(parents=True)
    return hierarchy


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("redis.service", "system.slice/redis.service"),
        ("web.service", "a.slice/a-b.slice/web.service"),
        ("a-b.slice", "a.slice/a-b.slice"),
        ("cpu.service", "system.slice/_cpu.service"),
        ("only.service", "user.slice/user-2.slice/user@2.service/app.slice/only.service"),
    ],
)
def test_a_unit_is_found_by_its_name(units: Path, name: str, path: str) -> None:
    assert cgroups.of_unit(name) == units / path


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("reddis.service", r"no cgroup of a unit reddis\.service: .*did you mean redis\.service\?"),
        ("something.else", r"it does not run.*systemctl status something\.else"),
        (
            "mine.service",
            r"2 units are called mine\.service: name the cgroup instead, one of /.*user-1.*, /.*user-2",
        ),
    ],
)
def test_a_unit_that_cannot_be_found_says_why(units: Path, name: str, words: str) -> None:
    with pytest.raises(BadScope, match=words):
        cgroups.of_unit(name)


@pytest.mark.parametrize(
    ("namespace", "shown", "root", "level"),
    [
        (cgroups.INITIAL_NAMESPACE, "/", "/", 0),
        (cgroups.INITIAL_NAMESPACE, "/", "/docker/abc", 2),  # a container that sees the host's namespace
        ("cgroup:[4026539999]", "/../..", "/", 2),
        ("cgroup:[4026539999]", "/../..", "/..", 1),  # mounted outside of the namespace
        ("cgroup:[4026539999]", "/../..", "/inner", 3),
    ],
)
def test_levels_count_from_the_real_root(
    hierarchy: Path, monkeypatch: pytest.MonkeyPatch, namespace: str, shown: str, root: str, level: int
) -> None:
    monkeypatch.setattr(mounts, "cgroup2", lambda: mounts.Mount(root, hierarchy, "cgroup2"))
    monkeypatch.setattr(Path, "readlink", lambda _path: Path(namespace))
    pretend(monkeypatch, {"/proc/2/comm": "kthreadd\n", "/proc/2/cgroup": f"1:cpu:/../../..\n0::{shown}\n"})
    assert cgroups.level(hierarchy) == level
    assert cgroups.level(hierarchy / "a/b") == level + 2
    pretend(monkeypatch, {"/proc/2/comm": "sh\n"})
    if namespace != cgroups.INITIAL_NAMESPACE:
        with pytest.raises(Unsupported, match="how deep its cgroups are"):
            cgroups.level(hierarchy)


def test_a_cgroup_that_is_gone_is_empty(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    assert not cgroups.is_populated(gone)
    assert cgroups.wait_empty(gone)
    assert cgroups.pids(gone) == []
    assert cgroups.remove(gone)


# -- privileges --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("effective", "lacking"),
    [
        (0, ["CAP_BPF", "CAP_PERFMON", "CAP_NET_ADMIN"]),
        (1 << 12, ["CAP_BPF", "CAP_PERFMON"]),
        (1 << 39 | 1 << 38, ["CAP_NET_ADMIN"]),
        (1 << 21, ["CAP_NET_ADMIN"]),  # CAP_SYS_ADMIN implies the other two
        (1 << 12 | 1 << 38 | 1 << 39, []),
        ((1 << 41) - 1, []),
    ],
)
def test_missing_capabilities_are_named(
    monkeypatch: pytest.MonkeyPatch, effective: int, lacking: list[str]
) -> None:
    pretend(monkeypatch, {"/proc/self/status": f"Name:\tx\nCapPrm:\t0\nCapEff:\t{effective:016x}\n"})
    assert privileges.missing() == lacking
    if lacking:
        with pytest.raises(NotPermitted, match=f"lacks {', '.join(lacking)}"):
            privileges.require()
    else:
        privileges.require()


# -- the object file ---------------------------------------------------------------------------------------------


def test_the_build_is_known_by_the_object_alone(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_bytes(b"\x7fELF one")
    two.write_bytes(b"\x7fELF two")
    assert objects.build_id(one) != objects.build_id(two)
    two.write_bytes(one.read_bytes())
    assert objects.build_id(one) == objects.build_id(two) < 1 << 64


def test_an_object_that_cannot_be_read_or_is_none_says_so(tmp_path: Path) -> None:
    with pytest.raises(BadObject, match=r"cannot be read \(No such file.*reinstall"):
        objects.build_id(tmp_path / "gone.o")
    (tmp_path / "text.o").write_text("not an object")
    with pytest.raises(BadObject, match="damaged: it is not an ELF object"):
        objects.build_id(tmp_path / "text.o")
