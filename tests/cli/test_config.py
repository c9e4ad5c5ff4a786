"""``config``, and what ``up`` and ``run`` take from the file."""

import json
from pathlib import Path
from typing import Any

import pytest

from sockhop.kernel import cgroups
from tests.cli.sandbox import SOCKHOP, Sandbox

BAD = "[hops]\ncapacity = 1\n\n[[rule]]\nacton = 'never'\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "config.toml"


def scopes(sandbox: Sandbox) -> list[str]:
    return [scope["cgroup"] for scope in json.loads(sandbox.ok("status", "--json"))["scopes"]]


def is_refused(sandbox: Sandbox, file: Path, *verb: str | Path) -> None:
    """Check that a verb tells the mistakes of ``BAD`` and does nothing."""
    file.write_text(BAD)
    done = sandbox.sockhop(*verb)
    assert (done.returncode, done.stdout) == (2, "")
    title, first, second = done.stderr.splitlines()
    assert title == "sockhop: 2 mistakes in the configuration; nothing was changed:"
    assert first == f"{file}:2: capacity is the number 1: give 2 to 4194304 sockets"
    assert second == f'{file}:5: unknown key "acton" in [[rule]]: did you mean "action"?'


# -- config ------------------------------------------------------------------------------------------------------


def test_every_setting_is_shown_with_where_it_comes_from(sandbox: Sandbox, file: Path) -> None:
    scope = sandbox.cgroup("a.slice/a [1].service")
    file.write_text(
        f'[scopes]\ncgroups = ["{sandbox.inside(scope)}"]\n[hops]\ncapacity = 16\n'
        '[[rule]]\naction = "never"\nport = [80, "90-99"]\nunit = "a.slice"\n[[rule]]\naction = "learned"\n'
    )
    done = sandbox.sockhop("config", "--config", file)
    assert (done.returncode, done.stderr) == (0, f"sockhop: {file} is good\n")
    lines = [line.split() for line in done.stdout.splitlines() if line.strip()]
    assert ["hops.capacity", "16", "65536", "line", "4"] in lines
    assert ["hops.mode", "auto", "auto", "default"] in lines
    assert ["1", "never", "port", "80,", "90-99", "line", "5"] in lines
    assert ["unit", "a.slice"] in lines
    assert ["2", "learned", "anything", "line", "9"] in lines
    assert lines[-1] == ["learned", "any", "other", "default"]
    assert str(sandbox.inside(scope)) in done.stdout

    shown: dict[str, Any] = json.loads(sandbox.ok("config", "--json", "--config", file))
    assert (shown["schema"], shown["file"]) == (1, str(file))
    assert shown["settings"]["hops.capacity"] == {"value": 16, "default": 65536, "line": 4}
    assert shown["settings"]["hops.recheck_seconds"] == {"value": 30.0, "default": 30.0, "line": None}
    assert shown["settings"]["scopes.cgroups"]["value"] == [str(sandbox.inside(scope))]
    nothing = dict.fromkeys(("cgroup", "unit", "address", "role"))
    assert shown["rules"] == [
        {**nothing, "action": "never", "port": [[80, 80], [90, 99]], "unit": "a.slice", "line": 5},
        {**nothing, "action": "learned", "port": [], "line": 9},
    ]
    assert sandbox.leftovers() == set()


def test_the_example_is_printed_and_is_good(sandbox: Sandbox, file: Path) -> None:
    file.write_text(sandbox.ok("config", "--example"))
    assert "recheck_seconds" in file.read_text()
    sandbox.ok("config", "--config", file)
    assert sandbox.sockhop("config", "--example", "--json").returncode == 2


def test_without_a_file_all_is_default(sandbox: Sandbox) -> None:
    done = sandbox.after("mount -t tmpfs tmpfs /etc", SOCKHOP, "config")
    assert done.returncode == 0
    assert done.stderr == "sockhop: there is no /etc/sockhop/config.toml: all is default\n"


def test_what_is_not_there_is_a_mistake(sandbox: Sandbox, file: Path) -> None:
    file.write_text('[[rule]]\naction = "never"\nunit = "gone.service"\n')
    done = sandbox.sockhop("config", "--config", file)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"sockhop: {file}:3: no cgroup of a unit gone.service")
    is_refused(sandbox, file, "config", "--config", file)


# -- up and run --------------------------------------------------------------------------------------------------


def test_up_takes_scopes_and_settings_from_the_file(sandbox: Sandbox, file: Path) -> None:
    one, two = sandbox.cgroup("one"), sandbox.cgroup("system.slice/two.service")
    file.write_text(
        f'[scopes]\ncgroups = ["{sandbox.inside(one)}"]\nunits = ["two.service"]\n'
        "[hops]\ncapacity = 16\nrecheck_seconds = 7\nqueue_messages = 9\n"
    )
    sandbox.ok("up", "--config", file, "--recheck-seconds", "30")
    assert scopes(sandbox) == [str(sandbox.inside(one)), str(sandbox.inside(two))]
    assert sandbox.status().sockets.capacity == 16
    used = sandbox.instance().config()
    # What is given wins, even if it is the default.
    assert (used.recheck_ns, used.queue_messages) == (30_000_000_000, 9)


def test_scopes_that_are_given_come_before_those_of_the_file(sandbox: Sandbox, file: Path) -> None:
    scope = sandbox.cgroup("system.slice/mine.service")
    file.write_text("[scopes]\nall = true\n")
    sandbox.ok("up", "--config", file, "--unit", "mine.service")
    assert scopes(sandbox) == [str(sandbox.inside(scope))]
    sandbox.ok("up", "--config", file)
    assert scopes(sandbox) == [str(cgroups.mount_point())]


def test_the_file_in_etc_is_used_by_itself(sandbox: Sandbox) -> None:
    script = (
        "mount -t tmpfs tmpfs /etc; mkdir /etc/sockhop; "
        "printf '[scopes]\\nall = true\\n[hops]\\ncapacity = 32\\n' >/etc/sockhop/config.toml"
    )
    done = sandbox.after(script, SOCKHOP, "up", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["sockets"]["capacity"] == 32


def test_a_bad_file_changes_nothing(sandbox: Sandbox, file: Path) -> None:
    is_refused(sandbox, file, "up", "--all", "--config", file)
    assert sandbox.leftovers() == set()
    scope = sandbox.cgroup()
    sandbox.ok("up", "--cgroup", sandbox.inside(scope))
    with sandbox.connection(scope) as pair:
        pair.talk()
        before = bytes(sandbox.instance().config())
        is_refused(sandbox, file, "up", "--all", "--config", file)
        assert bytes(sandbox.instance().config()) == before
        assert scopes(sandbox) == [str(sandbox.inside(scope))]
        pair.talk()
        assert sandbox.status().hop.messages == 4
    is_refused(sandbox, file, "run", "--config", file, "--", "touch", file.with_name("ran"))
    assert not file.with_name("ran").exists()
    assert sandbox.pins() == {"service"}


def test_run_takes_the_settings_and_not_the_scopes(sandbox: Sandbox, file: Path) -> None:
    counters = file.with_name("counters")
    file.write_text('[scopes]\ncgroups = ["/gone"]\n[hops]\ncapacity = 64\n')
    sandbox.ok("run", "--config", file, "--json", counters, "--", "true")
    assert json.loads(counters.read_text())["sockets"]["capacity"] == 64
    sandbox.until_clean()


def test_rules_stay_where_no_file_is_read(sandbox: Sandbox, file: Path) -> None:
    file.write_text('[[rule]]\naction = "never"\nport = "1-65535"\n')
    scope = sandbox.cgroup()
    sandbox.ok("up", "--cgroup", sandbox.inside(scope), "--config", file)
    sandbox.ok("up", "--cgroup", sandbox.inside(sandbox.cgroup("other")))
    sandbox.ok("up", "--capacity", "16")  # a new data plane
    with sandbox.connection(scope) as pair:
        pair.talk()
    assert sandbox.status().hop.messages == 0
    file.write_text("")
    sandbox.ok("up", "--config", file)
    with sandbox.connection(scope) as pair:
        pair.talk()
    assert sandbox.status().hop.messages == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--all", "--unit", "a.service"], "--all takes in everything"),
        (["--unit", "gone.service"], "no cgroup of a unit gone.service"),
        (["--config", "/dev/null"], "[scopes] in /dev/null"),
        (["--all", "--config", "/gone/config.toml"], "/gone/config.toml: the configuration cannot be read"),
    ],
)
def test_wrong_usage(sandbox: Sandbox, arguments: list[str], words: str) -> None:
    done = sandbox.sockhop("up", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr
    assert sandbox.pins() == set()
