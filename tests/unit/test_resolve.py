"""What a configuration becomes in the kernel."""

from pathlib import Path

import pytest

from sockhop.control.config import Config, parse
from sockhop.control.resolve import compile_rules, scope_paths
from sockhop.errors import BadConfig
from sockhop.kernel import abi, cgroups, mounts

FILE = Path("/etc/sockhop/config.toml")
NEVER = '[[rule]]\naction = "never"\n'


@pytest.fixture
def hierarchy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tree of directories that look like cgroups."""
    for name in (".", "system.slice", "system.slice/redis.service"):
        (tmp_path / name).mkdir(exist_ok=True)
        (tmp_path / name / "cgroup.procs").write_text("")
    monkeypatch.setattr(mounts, "cgroup2", lambda: mounts.Mount("/", tmp_path, "cgroup2"))
    monkeypatch.setattr(cgroups, "INITIAL_NAMESPACE", str(Path("/proc/self/ns/cgroup").readlink()))
    return tmp_path


def compiled(text: str) -> list[abi.Rule]:
    return compile_rules(parse(text, FILE))


def test_a_rule_without_matchers_matches_everything() -> None:
    (rule,) = compiled('[[rule]]\naction = "learned"')
    assert (rule.cgroup, rule.cgroup_level, rule.action) == (0, 0, abi.Action.LEARNED)
    assert (rule.first_port, rule.last_port, rule.roles) == (0, 65535, 0b11)
    assert (rule.prefix, bytes(rule.address)) == (0, bytes(16))


def test_rules_keep_their_order_and_lists_are_joined_to_ranges() -> None:
    found = compiled(
        '[[rule]]\naction = "always"\nport = [443, 80, 81, "82-90", "85-95"]\n'
        f'{NEVER}port = "70-100"\n[[rule]]\naction = "learned"'
    )
    assert [(rule.action, rule.first_port, rule.last_port) for rule in found] == [
        (abi.Action.ALWAYS, 80, 95),
        (abi.Action.ALWAYS, 443, 443),
        (abi.Action.NEVER, 70, 100),
        (abi.Action.LEARNED, 0, 65535),
    ]


@pytest.mark.parametrize(("role", "bits"), [("client", 1), ("server", 2)])
def test_roles_are_bits(role: str, bits: int) -> None:
    assert compiled(f'{NEVER}role = "{role}"')[0].roles == bits


@pytest.mark.parametrize(
    ("address", "prefix", "packed"),
    [
        ("10.0.0.0/8", 104, "00000000000000000000ffff0a000000"),
        ("127.0.0.1", 128, "00000000000000000000ffff7f000001"),
        ("0.0.0.0/0", 96, "00000000000000000000ffff00000000"),
        ("::ffff:10.0.0.0/104", 104, "00000000000000000000ffff0a000000"),
        ("fd00::/8", 8, "fd000000000000000000000000000000"),
        ("::1", 128, "00000000000000000000000000000001"),
    ],
)
def test_addresses_are_those_of_ipv6(address: str, prefix: int, packed: str) -> None:
    (rule,) = compiled(f'{NEVER}address = "{address}"')
    assert (rule.prefix, bytes(rule.address).hex()) == (prefix, packed)


def test_cgroups_are_known_by_id_and_level(hierarchy: Path) -> None:
    redis = hierarchy / "system.slice/redis.service"
    rules = compiled(
        f'{NEVER}unit = "redis.service"\nport = [1, 3]\n'
        f'{NEVER}cgroup = "{redis.parent}"\n{NEVER}cgroup = "{hierarchy}"'
    )
    assert [(rule.cgroup, rule.cgroup_level) for rule in rules] == [
        (cgroups.identity(redis), 2),
        (cgroups.identity(redis), 2),
        (cgroups.identity(redis.parent), 1),
        (cgroups.identity(hierarchy), 0),
    ]


def test_as_many_rules_as_the_kernel_takes() -> None:
    ports = [str(port) for port in range(1, 2 * abi.MAX_RULES, 2)]
    assert len(compiled(f"{NEVER}port = [{', '.join(ports)}]")) == abi.MAX_RULES
    with pytest.raises(BadConfig, match=":1: from here on there are more rules"):
        compiled(f"{NEVER}port = [{', '.join(ports)}, 1000]")


def test_what_is_no_cgroup_is_told_with_its_line(hierarchy: Path) -> None:
    with pytest.raises(BadConfig) as caught:
        compiled(f'{NEVER}port = 1\nunit = "reddis.service"\n{NEVER}cgroup = "{hierarchy}/gone"\n')
    title, first, second = str(caught.value).splitlines()
    assert title.startswith("2 mistakes in the configuration")
    assert first.startswith(f"{FILE}:4: no cgroup of a unit reddis.service")
    assert first.endswith("did you mean redis.service?")
    assert second.startswith(f"{FILE}:7: {hierarchy}/gone: no such cgroup")


def test_scopes_are_looked_up(hierarchy: Path) -> None:
    def scopes(text: str) -> list[Path]:
        return scope_paths(parse(f"[scopes]\n{text}", FILE))

    redis = hierarchy / "system.slice/redis.service"
    assert scope_paths(Config()) == []
    assert scopes("all = true") == [hierarchy]
    assert scopes('units = ["redis.service"]') == scopes(f'cgroups = ["{redis}"]') == [redis]
    for text, line, words in (
        (f'cgroups = ["{redis}"]\n\nunits = ["redis.service"]', 4, "are the same cgroup: leave one out"),
        ('units = ["redis.service", \n"system.slice"]', 3, "redis.service and system.slice overlap: "),
        (f'cgroups = ["{hierarchy}/system.slice",\n"{hierarchy}/gone"]', 3, "no such cgroup"),
    ):
        with pytest.raises(BadConfig, match=f":{line}: .*{words}"):
            scopes(text)
