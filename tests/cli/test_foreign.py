"""Pins that somebody else made are never touched; those of a crash are tidied up."""

from pathlib import Path

import pytest

from sockhop.kernel import libbpf, objects
from tests.cli.sandbox import PROGRAM, Sandbox

VERBS = [("up", "--all"), ("down",), ("status",), ("pause",), ("trace",)]


def pin(directory: Path, name: str = "config", of: str = "traffic") -> None:
    """Pin a map; it is not what a config of ours is."""
    directory.mkdir(parents=True)
    with objects.loaded({}) as loaded:
        libbpf.obj_pin(loaded.map_fd(of), str(directory / name).encode())


def identities(directory: Path) -> dict[str, int]:
    """Everything below the directory, with its inode numbers."""
    return {str(path.relative_to(directory)): path.lstat().st_ino for path in directory.rglob("*")}


# A map of another kind; one that looks like ours, but for its contents; and pins without a config.
@pytest.mark.parametrize(("name", "of"), [("config", "traffic"), ("config", ".data.config"), ("map", "sockets")])
def test_a_service_that_is_not_ours(sandbox: Sandbox, name: str, of: str) -> None:
    service = sandbox.bpffs / "service"
    pin(service, name, of)
    before = identities(sandbox.bpffs)
    for verb in VERBS:
        done = sandbox.sockhop(*verb)
        assert (done.returncode, done.stdout) == (1, ""), verb
        assert done.stderr.startswith("sockhop: /sys/fs/bpf/sockhop/service holds pins that this sockhop did not")
        assert done.stderr.count("\n") == 1
        assert identities(sandbox.bpffs) == before
    # What needs no service is not hindered.
    sandbox.ok("run", *PROGRAM, "talk", "3")
    assert identities(sandbox.bpffs) == before
    (service / name).unlink()
    service.rmdir()
    sandbox.ok("up", "--all")


def test_an_empty_directory_in_our_place(sandbox: Sandbox) -> None:
    (sandbox.bpffs / "service").mkdir(parents=True)
    assert sandbox.sockhop("up", "--all").returncode == 1
    assert sandbox.pins() == {"service"}


def test_other_names_are_left_alone(sandbox: Sandbox) -> None:
    names = [
        "other",
        "other-making",
        "service2",
        "service2-going",
        "run-",
        "run-1-2",
        "replaced-x",
        "sockhop",
        "run-1-2-3-4-5",
    ]
    for name in names:
        pin(sandbox.bpffs / name)
    # By their names these could be ours. By their contents they are not.
    for name in ("replaced-7", "run-4026531836-999999999-1-0"):
        pin(sandbox.bpffs / name)
    before = identities(sandbox.bpffs)
    sandbox.ok("up", "--all")
    sandbox.ok("run", "true")
    with sandbox.connection() as pair:
        pair.talk(5)
        assert sandbox.status().hop.messages == 10
    sandbox.ok("down")
    assert identities(sandbox.bpffs) == before


@pytest.mark.parametrize("verb", [("up", "--all"), ("run", "true")], ids=lambda verb: verb[0])
def test_what_a_crash_left_is_tidied_up(sandbox: Sandbox, verb: tuple[str, ...]) -> None:
    for name in ("service-making", "service-going", "replaced-3-going", "run-1-2-3-4-making"):
        pin(sandbox.bpffs / name, "sockets", "sockets")
    sandbox.ok(*verb)
    assert sandbox.pins() <= {"service"}
    if sandbox.pins():
        sandbox.ok("down")
    assert sandbox.leftovers() == set()


def test_down_tidies_up_even_where_nothing_is_up(sandbox: Sandbox) -> None:
    pin(sandbox.bpffs / "service-going", "sockets", "sockets")
    assert sandbox.sockhop("down").returncode == 3
    assert sandbox.leftovers() == set()
