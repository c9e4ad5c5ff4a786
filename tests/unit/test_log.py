"""Lines of the log: logfmt or JSON, and the journal's priorities."""

import json
import logging
import re

import pytest

from sockhop.cli.log import Lines


def line(formatter: logging.Formatter, level: int = logging.INFO, **fields: object) -> str:
    """How an event looks."""
    record = logging.LogRecord("sockhop", level, __file__, 1, "recheck", (), None)
    record.fields = fields
    return formatter.format(record)


def test_a_line_says_how_bad_and_when_it_is() -> None:
    text = line(Lines(as_json=False, journal=False), logging.WARNING, sockets=2)
    assert re.fullmatch(r"warning time=\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00 event=recheck sockets=2", text)


def test_the_journal_has_its_own_time_and_wants_a_priority() -> None:
    formatter = Lines(as_json=False, journal=True)
    assert line(formatter) == "<6>info event=recheck"
    assert line(formatter, logging.WARNING) == "<4>warning event=recheck"
    assert line(formatter, logging.ERROR) == "<3>error event=recheck"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("plain/path-1.2", "plain/path-1.2"),
        (["nftables", "tc"], "nftables,tc"),
        ("", '""'),
        ("two words", '"two words"'),
        ('a"b', '"a\\"b"'),
        ("a=b", '"a=b"'),
        ("a\nlevel=fake", '"a\\nlevel=fake"'),
        ("ünï", "ünï"),
        (1.5, "1.5"),
    ],
)
def test_values_that_are_no_word_are_quoted(value: object, shown: str) -> None:
    assert line(Lines(as_json=False, journal=True), why=value) == f"<6>info event=recheck why={shown}"


def test_an_empty_list_is_left_out() -> None:
    assert line(Lines(as_json=False, journal=True), namespace=[]) == "<6>info event=recheck"


@pytest.mark.parametrize("journal", [False, True])
def test_json_keeps_what_the_fields_are(journal: bool) -> None:
    text = line(Lines(as_json=True, journal=journal), why=["tc"], sockets=2, cgroup="a\nb")
    assert text.count("\n") == 0
    assert text.startswith("<6>{" if journal else "{")
    shown = json.loads(text.removeprefix("<6>"))
    assert shown.pop("time").endswith("+00:00")
    assert shown == {
        "schema": 1,
        "level": "info",
        "event": "recheck",
        "why": ["tc"],
        "sockets": 2,
        "cgroup": "a\nb",
    }
