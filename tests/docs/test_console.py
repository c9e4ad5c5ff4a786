"""The convention of the console blocks itself."""

from pathlib import Path

import pytest

from tests.docs.console import INTERRUPT, begins, blocks, matches

PAGE = """
Text, and `$ no command`.

```
$ not a console block
```

```console
$ one \\
    --two
1 …

2
$ three
```

```console terminal=2 needs=program
output that has come
^C
the rest
```
"""


def test_blocks(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    first, second = blocks(page)
    assert (first.terminal, first.needs, second.terminal, second.needs) == (1, None, 2, "program")
    assert [(step.command, step.output) for step in first.steps] == [
        ("one --two", ["1 …", "", "2"]),
        ("three", []),
    ]
    assert [(step.command, step.output) for step in second.steps] == [
        (None, ["output that has come"]),
        (INTERRUPT, ["the rest"]),
    ]


def test_a_fence_with_a_mistake_is_refused(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```console termnial=2\n```\n")
    with pytest.raises(ValueError, match=r"page\.md:1"):
        blocks(page)


@pytest.mark.parametrize(
    ("expected", "real"),
    [
        ([], []),
        ([], ["", "  "]),
        (["a  b"], ["", "a  b   ", ""]),
        (["port …"], ["port 5"]),
        (["… of …"], ["1 of 2"]),
        (["a", "…"], ["a"]),
        (["a", "…", "d"], ["a", "b", "c", "d"]),
        (["1.2 (…)"], ["1.2 (x)"]),
    ],
)
def test_what_matches(expected: list[str], real: list[str]) -> None:
    assert matches(expected, real)


@pytest.mark.parametrize(
    ("expected", "real"),
    [
        ([], ["a"]),
        (["a"], []),
        (["a"], ["a", "b"]),
        (["port …"], ["port 5", "port 6"]),
        (["a", "…", "d"], ["a", "b"]),
        (["1.2"], ["1x2"]),
        (["a", "b"], ["b", "a"]),
    ],
)
def test_what_does_not(expected: list[str], real: list[str]) -> None:
    assert not matches(expected, real)


def test_the_beginning_of_an_output() -> None:
    assert begins(["a", "…", "c"], ["a", "b", "c", "d", "c"]) == 3
    assert begins(["a"], ["b", "a"]) is None
    assert begins([], ["a"]) == 0
