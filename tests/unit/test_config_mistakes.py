"""Each mistake in a configuration file gives the file, the line, what is wrong and what would be right."""

import re
from pathlib import Path

import pytest

from sockhop.control.config import parse
from sockhop.errors import BadConfig

FILE = Path("/etc/sockhop/config.toml")
NEVER = '[[rule]]\naction = "never"\n'
PORTS_65 = ", ".join(str(port) for port in range(1, 131, 2))


def mistakes(text: str) -> list[tuple[int, str]]:
    """The mistakes that a text has, each with its line, as they are reported."""
    with pytest.raises(BadConfig) as caught:
        parse(text, FILE)
    found = [re.fullmatch(rf"{FILE}:(\d+): (.+)", line) for line in str(caught.value).splitlines()]
    if len(found) > 1:
        assert str(caught.value).startswith(
            f"{len(found) - 1} mistakes in the configuration; nothing was changed:\n"
        )
        del found[0]
    assert all(found)
    return [(int(mistake[1]), mistake[2]) for mistake in found if mistake]


# Each text with the line of its mistake, and what the message must say: what is wrong, and what would be right.
MISTAKES = [
    # Not TOML.
    ("\n[[rule]]\naction = never", 3, 'no valid TOML (Invalid value): text takes quotes, as in "never"'),
    ("[hops]\nrecheck_seconds = 30 s\n", 2, "put nothing behind the value"),
    ("[hops]\ncapacity = 1000\n\ncapacity = 2000\n", 4, "leave one of the two out"),
    (NEVER + 'action = "always"', 3, "leave one of the two out"),
    ("[hops]\n[learning]\n[hops]\n", 3, "put both parts under one header"),
    ('[scopes]\ncgroups = ["/a"\nunits = []', 3, "close the list with ]"),
    ('[scopes]\n\ncgroups = "/sys', 3, "no valid TOML"),
    ("[hops\n", 1, "close the header as it was opened"),
    ("[hops]\n\ncapacity: 1\n", 3, "write name = value"),
    ("all\n", 1, "write name = value"),
    (f"[hops]\ncapacity = {'9' * 5000}\nmode = 'auto'", 2, "a number is too long"),
    # Keys that there are not.
    ("[hops]\ncapcity = 1000\n", 2, 'unknown key "capcity" in [hops]: did you mean "capacity"?'),
    ("\n[hopps]\n", 2, 'unknown key "hopps" in this file: did you mean "hops"?'),
    ("capacity = 5\n", 1, 'unknown key "capacity" in this file: "capacity" belongs under [hops]'),
    ("[hops]\nreads = 5\n", 2, '"reads" belongs under [learning]'),
    (
        "[hops]\nnonsense = 5\n",
        2,
        'unknown key "nonsense" in [hops]: there are mode, recheck_seconds, capacity, receive_buffer,',
    ),
    (
        '[scopes]\ncgroup = ["/a"]\nall = true\n',
        2,
        'did you mean "cgroups"? "cgroup" belongs under [[rule]]',
    ),
    ('[[rule]]\nacton = "never"\n', 2, 'unknown key "acton" in [[rule]]: did you mean "action"?'),
    ('[[rules]]\naction = "never"\n', 1, 'did you mean "rule"?'),
    ('[[rule]]\naction = "never"\n[rule.match]\nport = 1', 3, 'unknown key "match" in [[rule]]'),
    # Tables.
    ('[rule]\naction = "never"\n', 1, "rule is a table: begin each with [[rule]], in two brackets"),
    ("rule = 1\n", 1, "rule is the number 1: begin each with [[rule]]"),
    ("hops = 1\n", 1, "hops is the number 1: begin it with [hops], once"),
    ("[[hops]]\ncapacity = 8\n", 1, "hops stands there several times: write [hops], once"),
    # Scopes.
    ("# none\n[scopes]\n", 2, "[scopes] names nothing: give all = true, cgroups or units"),
    ("[scopes]\nall = false\ncgroups = []\n", 1, "[scopes] names nothing"),
    ('[scopes]\ncgroups = ["/a"]\nall = true\n', 3, "all = true takes in every cgroup and unit: leave it out"),
    ("[scopes]\nall = 1\n", 2, "all is the number 1: give true, or leave it out"),
    ('[scopes]\ncgroups = "/a"\n', 2, 'cgroups is the text "/a": give a list, ["/a"]'),
    ("[scopes]\nunits = 5\n", 2, 'units is the number 5: give a list, one, as in ["redis.service"]'),
    ('[scopes]\ncgroups = [\n  "/a",\n  "b",\n]\n', 4, '"b" is no whole path: give it from the root on'),
    ('[scopes]\ncgroups = ["/a/../b"]\n', 2, 'without ".."'),
    ('[scopes]\ncgroups = ["/a",\n7]\n', 3, "cgroups is the number 7: give text, as in"),
    ('[scopes]\ncgroups = ["/a", "/b",\n"/a"]\n', 3, '"/a" is named twice: leave one of the two out'),
    (
        '[scopes]\nunits = ["redis"]\n',
        2,
        '"redis" is no unit with processes: give a whole name, as "redis.service"',
    ),
    ('[scopes]\nunits = ["a.timer"]\n', 2, 'as "a.service", or a .slice or .scope'),
    ('[scopes]\nunits = ["/system.slice"]\n', 2, "is no unit with processes"),
    # Values.
    ('[hops]\nmode = "egaer"\n', 2, 'mode is the text "egaer": give "auto" or "eager"'),
    ("[hops]\nmode = true\n", 2, 'mode is true: give "auto" or "eager"'),
    ('[hops]\ncapacity = "many"\n', 2, 'capacity is the text "many": give a whole number, 2 to 4194304 sockets'),
    ("[hops]\n\ncapacity = 1\n", 3, "capacity is the number 1: give 2 to 4194304 sockets"),
    ("[hops]\ncapacity = 5000000\n", 2, "capacity is the number 5000000: give 2 to 4194304 sockets"),
    ("[hops]\ncapacity = 4096.0\n", 2, "capacity is the number 4096.0: give a whole number"),
    ("[hops]\ncapacity = true\n", 2, "capacity is true: give a whole number"),
    ("hops.recheck_seconds = 0\n", 1, "recheck_seconds is the number 0: give more than 0, at most 86400 seconds"),
    ("[hops]\nrecheck_seconds = nan\n", 2, "give more than 0, at most 86400 seconds"),
    ("[hops]\nrecheck_seconds = 00:00:30\n", 2, "recheck_seconds is a date or time: give a number, more than 0"),
    ("[hops]\nburst_bytes = -1\n", 2, "give 0 to 2147483647 bytes"),
    ("[learning]\nconnections = 0\n", 2, "connections is the number 0: give 1 to 2147483647 connections"),
    ("[learning]\nreads = []\n", 2, "reads is a list: give a whole number, 1 to 2147483647 reads"),
    ("learning = { review_seconds = -1.5 }", 1, "review_seconds is the number -1.5: give more than 0"),
    # Rules.
    ("[[rule]]\nport = 80\n", 1, 'this rule has no action: give "learned", "always" or "never"'),
    ('[[rule]]\naction = "alway"\n', 2, 'action is the text "alway": did you mean "always"?'),
    ('[[rule]]\naction = "Never"\n', 2, 'did you mean "never"?'),
    ('[[rule]]\naction = "deny"\n', 2, 'action is the text "deny": give "learned", "always" or "never"'),
    ('[[rule]]\naction = ["never", "always"]\n', 2, 'action is a list: give one, "learned", "always" or "never"'),
    (NEVER + "port = 0\n", 3, "port is the number 0: give 1 to 65535, a range such as"),
    (NEVER + "port = 65536\n", 3, "give 1 to 65535"),
    (NEVER + 'port = "http"\n', 3, 'port is the text "http": give 1 to 65535'),
    (NEVER + 'port = "80"\n', 3, "give the number without quotes, 80"),
    (NEVER + "port = true\n", 3, "port is true: give 1 to 65535"),
    (NEVER + "port = []\n", 3, "matches nothing: name a port, or leave port out"),
    (NEVER + 'port = "8100-8000"\n', 3, 'port "8100-8000" goes downwards: give "8000-8100"'),
    (NEVER + 'port = [\n80,\n"1-70000"]\n', 5, 'port is the text "1-70000": give 1 to 65535'),
    (NEVER + 'cgroup = "system.slice"\n', 3, '"system.slice" is no whole path'),
    (NEVER + "unit = 1\n", 3, 'unit is the number 1: give text, as in "redis.service"'),
    (
        '[[rule]]\naction = "never"\nunit = "a b"\n',
        3,
        '"a b" is no unit with processes: give a whole name, as "a.',
    ),
    (NEVER + 'cgroup = "/a"\nunit = "a.slice"\n', 4, "names a cgroup and a unit: leave one"),
    (NEVER + 'address = "10.0.0.5/8"\n', 3, 'give "10.0.0.0/8", or "10.0.0.5" for that alone'),
    (NEVER + 'address = "10.0.0.0/33"\n', 3, '"10.0.0.0/33" is no address or network'),
    (
        '[[rule]]\naction = "never"\naddress = "localhost"\n',
        3,
        'give one as "10.0.0.0/8", "127.0.0.1" or "fd00::/8"',
    ),
    (NEVER + 'address = "fe80::1%eth0"\n', 3, 'leave out what follows "fe80::1"'),
    (NEVER + 'address = "::/0"\n', 3, '"::/0" holds ::ffff:0:0/96 too, which is IPv4'),
    (NEVER + "address = 10\n", 3, 'address is the number 10: give text, as in "10.0.0.0/8"'),
    (NEVER + 'role = "sever"\n', 3, 'role is the text "sever": did you mean "server"?'),
    (
        '[[rule]]\naction = "never"\n\n[[rule]]\naction = "always"\nport = 80\n',
        4,
        "this rule can never match: the one at line 1 comes first and matches everything. Put this one before it",
    ),
    (
        f'{NEVER}port = "80-90"\n{NEVER}port = [81, "85-90"]\nrole = "client"',
        4,
        "the one at line 1 comes first and matches all that this one does",
    ),
    (
        f'{NEVER}address = "::ffff:10.0.0.0/104"\n{NEVER}address = "10.1.1.1"',
        4,
        "can never match",
    ),
    (
        f'{NEVER}port = 5000\n{NEVER}port = [{PORTS_65}]\n{NEVER}role = "client"',
        4,
        "more rules than the 64 that the kernel has room for; each port and range of a list is one there",
    ),
]


@pytest.mark.parametrize(("text", "line", "words"), MISTAKES)
def test_each_mistake_has_its_line_and_what_would_be_right(text: str, line: int, words: str) -> None:
    ((found, message),) = mistakes(text)
    assert (found, words in message) == (line, True), message


def test_all_mistakes_of_a_file_are_told_at_once_by_line() -> None:
    text = """
[[rule]]
action = "nver"
port = [0, 70000]
unknown = 1
[scopes]
[hops]
capacity = 0
[learning]
reads = "all"
"""
    assert [line for line, _ in mistakes(text)] == [3, 4, 4, 5, 6, 8, 10]


def test_lines_are_those_of_the_file_whatever_ends_them() -> None:
    assert mistakes("\r\n\r\n[hops]\r\ncapacity = 0\r\n")[0][0] == 4
