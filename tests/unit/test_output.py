"""Printing: data to stdout, messages to stderr, nothing but text off a terminal."""

import json

import pytest

from sockhop.cli import output


@pytest.mark.parametrize("parts", [[], [{"a": 1}], [{"a": 1}, {"b": ["]}"]}]])
def test_a_listing_is_one_object(parts: list[dict[str, object]], capsys: pytest.CaptureFixture[str]) -> None:
    output.listing({"schema": 1}, "flows", map(json.dumps, parts))
    out, err = capsys.readouterr()
    assert (json.loads(out), out.count("\n"), err) == ({"schema": 1, "flows": parts}, 1, "")


def test_lines_are_aligned_and_never_cut(capsys: pytest.CaptureFixture[str]) -> None:
    output.lines(["a", "count"], [["x" * 200, "1"], ["{y}", "22"]], numbers={1})
    assert capsys.readouterr().out == "\n".join(
        [f"{'a':200}  count", f"{'x' * 200}      1", f"{'{y}':200}     22", ""]
    )


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (1234, "1.2 kB"),
        (999_949, "999.9 kB"),
        (1_000_000, "1.0 MB"),
        (12_345_678, "12.3 MB"),
        (2_500_000_000, "2.5 GB"),
        (3_000_000_000_000, "3.0 TB"),
        (4_000_000_000_000_000, "4000.0 TB"),
    ],
)
def test_sizes_are_read_by_people(count: int, text: str) -> None:
    assert output.size(count) == text


def test_messages_go_to_stderr_and_say_who_speaks(capsys: pytest.CaptureFixture[str]) -> None:
    output.message("down")
    assert capsys.readouterr() == ("", "sockhop: down\n")


def test_data_is_one_line_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    output.data({"schema": 1, "name": "a\nb"})
    out, err = capsys.readouterr()
    assert out.count("\n") == 1
    assert json.loads(out) == {"schema": 1, "name": "a\nb"}
    assert err == ""


def test_a_table_shows_every_cell_as_plain_text(capsys: pytest.CaptureFixture[str]) -> None:
    cells = [["[bold]not markup[/bold]", "1"], ["x" * 300, "22"]]
    output.table(["name", "count"], cells, numbers={1})
    out, _ = capsys.readouterr()
    assert "\x1b" not in out
    assert "[bold]not markup[/bold]" in out
    assert out.count("x") == 300
    assert max(map(len, out.splitlines())) <= 120
