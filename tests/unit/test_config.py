"""The configuration file: what it may say, and how that is read."""

import dataclasses
import re
from collections.abc import Callable
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockhop.control import config
from sockhop.control.config import LAYOUT, Config, Scopes, parse
from sockhop.control.matchers import Ports
from sockhop.control.rules import Rule
from sockhop.control.settings import LIMITS, MODES, Settings
from sockhop.errors import BadConfig
from sockhop.kernel.abi import Action, Role

FILE = Path("/etc/sockhop/config.toml")


# -- files -------------------------------------------------------------------------------------------------------


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda place: place / "gone.toml", r"gone\.toml: the configuration cannot be read \(No such file"),
        (lambda place: place, r": the configuration cannot be read \(Is a directory\): make it one that can"),
        (lambda place: write(place / "a", b"x") / "b", r"/a/b: .*\(Not a directory\)"),
        (lambda place: write(place / "c", b"[hops]\n# \xe4\n"), r"/c:2: byte 0xe4 is no UTF-8 .*save the file as"),
        (lambda place: write(place / "c", b"a = " + b"[" * 9999), r"/c(:\d+)?: .*nested too deeply"),
    ],
)
def test_files_that_cannot_be_read(tmp_path: Path, make: Callable[[Path], Path], words: str) -> None:
    with pytest.raises(BadConfig, match=words):
        config.load(make(tmp_path))


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_path: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(BadConfig, match=r"cannot be read \(Permission denied\)"):
        config.load(tmp_path / "file")


def test_the_default_file_may_be_missing_but_not_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "config.toml"
    monkeypatch.setattr(config, "DEFAULT_PATH", file)
    assert config.load(None) == Config()
    file.symlink_to(tmp_path / "nowhere")
    with pytest.raises(BadConfig, match="cannot be read"):
        config.load(None)
    file.unlink()
    file.write_text("[hops]\ncapacity = 16\n")
    assert config.load(None) == config.load(file) == Config(file, None, Settings(capacity=16))
    file.write_text("[hops]\ncapacity = 1\n")
    with pytest.raises(BadConfig, match=rf"{file}:2: "):
        config.load(None)


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    assert config.load(write(tmp_path / "file", b"\xef\xbb\xbf[hops]\ncapacity = 16\n")).settings.capacity == 16


# -- what is right -----------------------------------------------------------------------------------------------


def test_an_empty_file_is_all_defaults() -> None:
    assert parse("", FILE) == parse("[hops]\n[learning]\n", FILE) == Config(FILE, None, Settings(), ())


def test_a_whole_file() -> None:
    text = """
rule = [{ action = "never", unit = "haproxy.service" }]
[scopes]
cgroups = ["/sys/fs/cgroup/a b"]
units = ["web.slice", "getty@tty1.service"]
[hops]
mode = "eager"
recheck_seconds = 5
[learning]
connections = 10
"""
    found = parse(text, FILE)
    assert found.scopes == Scopes(False, (Path("/sys/fs/cgroup/a b"),), ("web.slice", "getty@tty1.service"))
    assert found.settings == Settings(mode="eager", recheck_seconds=5, learn_connections=10)
    assert found.rules == (Rule(Action.NEVER, unit="haproxy.service"),)
    assert found.lines["scopes", "units", 1] == 5
    assert found.lines["learning", "connections"] == 10
    assert found.rules[0].line == 2


@pytest.mark.parametrize(
    ("text", "ports"),
    [
        ("80", ((80, 80),)),
        ('"8000-8100"', ((8000, 8100),)),
        ('[443, "1-65535", 80]', ((443, 443), (1, 65535), (80, 80))),
    ],
)
def test_ports(text: str, ports: Ports) -> None:
    assert parse(f'[[rule]]\naction = "never"\nport = {text}', FILE).rules[0].port == ports


def test_rules_may_overlap_where_each_can_match() -> None:
    text = "".join(
        f'[[rule]]\naction = "{action}"\n{matcher}\n'
        for action, matcher in (
            ("always", "port = 80"),
            ("never", 'port = "80-90"'),
            ("never", 'cgroup = "/a/b"'),
            ("never", 'cgroup = "/a"'),
            ("never", 'address = "10.0.0.0/9"'),
            ("never", 'address = "10.0.0.0/8"'),
            ("never", 'address = "fd00::/8"'),
            ("never", 'unit = "a.slice"'),
            ("never", 'role = "client"'),
            ("learned", "port = 99"),
            ("never", ""),
        )
    )
    assert len(parse(text, FILE).rules) == 11


# -- round trip --------------------------------------------------------------------------------------------------


def written(value: Any) -> str:
    """A value as TOML has it."""
    match value:
        case bool():
            return str(value).lower()
        case str() | Path() | IPv4Network() | IPv6Network():
            return "'" + str(value) + "'"
        case tuple():
            return f"[{', '.join(map(written, value))}]"
        case _:
            return repr(value)


def file_of(found: Config) -> str:
    """A file that says what the configuration says."""
    lines = []
    for table, names in config.SETTINGS.items():
        lines += [f"[{table}]", *(f"{k} = {written(getattr(found.settings, v))}" for k, v in names.items())]
    if found.scopes:
        values = dataclasses.asdict(found.scopes)
        lines += ["[scopes]", *(f"{name} = {written(value)}" for name, value in values.items() if value)]
    for rule in found.rules:
        lines += ["[[rule]]", f"action = '{rule.action.name.lower()}'"]
        ports = tuple(first if first == last else f"{first}-{last}" for first, last in rule.port)
        lines += [f"port = {written(ports)}"] if ports else []
        for name in ("cgroup", "unit", "address"):
            value = getattr(rule, name)
            lines += [f"{name} = {written(value)}"] if value else []
        lines += [] if rule.role is None else [f"role = '{rule.role.name.lower()}'"]
    return "\n".join(lines)


UNITS = st.from_regex(r"[a-z0-9@_.-]{1,12}\.(service|slice|scope)", fullmatch=True)
PATHS = st.lists(st.from_regex(r"[a-zäöü @.-]{0,8}[a-z]", fullmatch=True), max_size=3).map(lambda p: Path("/", *p))
PORT = st.integers(1, 65535)
PORTS = st.lists(st.tuples(PORT, PORT).map(lambda p: (min(p), max(p))) | PORT.map(lambda p: (p, p)), max_size=4)
NETWORKS = st.builds(
    lambda host, prefix: ip_network((int(host), prefix), strict=False) if host.version == 4 else ip_network(host),
    st.ip_addresses(),
    st.integers(0, 32),
)


def setting(name: str) -> st.SearchStrategy[float]:
    limits, default = LIMITS[name], getattr(Settings, name)
    if isinstance(default, int):
        return st.integers(limits.least, limits.most)
    return st.floats(limits.least, limits.most, exclude_min=limits.above)


@st.composite
def rules(draw: st.DrawFn) -> Rule:
    place = draw(st.sampled_from(["cgroup", "unit", None]))
    return Rule(
        draw(st.sampled_from(Action)),
        tuple(draw(PORTS)),
        draw(PATHS) if place == "cgroup" else None,
        draw(UNITS) if place == "unit" else None,
        draw(st.none() | NETWORKS),
        draw(st.none() | st.sampled_from(Role)),
    )


def that_can_match(found: list[Rule]) -> tuple[Rule, ...]:
    kept: list[Rule] = []
    for rule in found:
        if not any(earlier.covers(rule) for earlier in kept):
            kept.append(rule)
    return tuple(kept)


CONFIGS = st.builds(
    Config,
    st.just(FILE),
    st.none()
    | st.just(Scopes(all=True))
    | st.builds(
        Scopes,
        st.just(value=False),
        st.lists(PATHS, min_size=1, max_size=3, unique=True).map(tuple),
        st.lists(UNITS, max_size=3, unique=True).map(tuple),
    ),
    st.builds(Settings, mode=st.sampled_from(MODES), **{name: setting(name) for name in LIMITS}),
    st.lists(rules(), max_size=10).map(that_can_match),
)


@given(CONFIGS)
def test_whatever_is_written_is_read_again(wanted: Config) -> None:
    assert parse(file_of(wanted), FILE) == wanted


# -- the example -------------------------------------------------------------------------------------------------


def in_force(text: str) -> str:
    """A text with everything in it that was commented out: no blank follows its #."""
    return re.sub(r"^#(?=[a-z[])", "", text, flags=re.MULTILINE)


def test_the_example_is_a_good_file_that_changes_nothing_but_the_scope() -> None:
    assert parse(config.example(), FILE) == Config(FILE, Scopes(all=True))


def test_the_example_has_every_setting_with_its_default() -> None:
    text = in_force(config.example())
    found = parse(text.replace("all = true\n", "").replace('unit = "haproxy.service"\n', ""), FILE)
    assert found.settings == Settings()
    for table, keys in LAYOUT.items():
        for key in keys:
            section = re.split(r"^\[", text, flags=re.MULTILINE)
            (part,) = [part for part in section if part.startswith((f"{table}]", f"[{table}]"))]
            assert re.search(rf"^{key} = ", part, re.MULTILINE), f"{table}.{key}"


def test_every_setting_is_in_the_file() -> None:
    names = [name for table in config.SETTINGS.values() for name in table.values()]
    assert sorted(names) == sorted(setting.name for setting in dataclasses.fields(Settings))
    assert {setting.name for setting in dataclasses.fields(Rule)} == {*LAYOUT["rule"], "line"}
