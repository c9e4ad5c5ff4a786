"""Everything that tomllib finds in a text has a line, and the right one."""

import tomllib
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sockhop.control.toml_lines import Path, lines_of

TRICKY = r'''
top = 1 # [not.a.table]
"quoted # key" = "a \" # b = 2"
'literal.key' = '\'
a.b . "c" = 1979-05-27 07:32:00

[table]
text = """
[not_a_table]
\""" # three quotes, the first escaped, and two before the end"""""
other = QQQ'two'
[nor = "this"'QQQ
after = [ 1, [2, 3], # a comment ] with brackets
  "]",

  { x = 1, y = { z = [
    4 ] } },
]
empty = []
none = {}
[ table . "sub" ] # a header with blanks
k = true
[[list]]
n = 1
[list.under]
n = 1.5e3
[[list.inner]]
m = 0xff
[[list.inner]]
m = inf
[[list]]
[[list.inner]]
m = "last"
'''.replace("QQQ", "'''")


def paths(value: Any, path: Path = ()) -> set[Path]:
    """The paths of a value and of all in it."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return {path}.union(*(paths(part, (*path, key)) for key, part in inside))


def test_a_tricky_text() -> None:
    lines = lines_of(TRICKY)
    assert set(lines) == paths(tomllib.loads(TRICKY))
    at = dict(enumerate(TRICKY.splitlines(), 1))
    for path, begins in (
        (("top",), "top = 1"),
        (("quoted # key",), '"quoted'),
        (("a", "b", "c"), "a.b"),
        (("table",), "[table]"),
        (("table", "text"), "text"),
        (("table", "other"), "other"),
        (("table", "after", 1, 1), "after"),
        (("table", "after", 2), '  "]"'),
        (("table", "after", 3, "y", "z"), "  { x"),
        (("table", "after", 3, "y", "z", 0), "    4"),
        (("table", "sub", "k"), "k = true"),
        (("list",), "[[list]]"),
        (("list", 0, "under", "n"), "n = 1.5e3"),
        (("list", 0, "inner", 1), "[[list.inner]]"),
        (("list", 0, "inner", 1, "m"), "m = inf"),
        (("list", 1, "inner", 0, "m"), 'm = "last"'),
    ):
        assert at[lines[path]].startswith(begins), path


@pytest.mark.parametrize("ending", ["", "\n", "\r\n", "# end", "\n\n # end"])
def test_texts_may_end_anyhow(ending: str) -> None:
    assert lines_of(f"a = 1{ending}") == {(): 1, ("a",): 1}
    assert lines_of(f"[a]{ending}") == {(): 1, ("a",): 1}
    assert lines_of(ending) == {(): 1}


TEXTS = st.sampled_from(
    [
        "1",
        "-2.5",
        "true",
        "nan",
        "07:32:00",
        '"a#b"',
        "'[x]'",
        '"\\\\"',
        '"""\n=\n"""',
        "'''\n[a]\n'''",
        '""',
        "''",
    ]
)
GAPS = st.sampled_from(["", " ", "\n", " # ]},\n", "\r\n\t"])
KEYS = st.sampled_from(["a", "b-c", "1", '"d.e"', "'f g'"])
ARRAYS = st.recursive(
    TEXTS,
    lambda inner: (
        st.builds(
            lambda gap, parts: "[" + "".join(f"{gap}{part}{gap}," for part in parts) + f"{gap}]",
            GAPS,
            st.lists(inner, max_size=3),
        )
        | st.dictionaries(KEYS, inner, max_size=3).map(
            lambda table: "{ " + ", ".join(f"{key} = {value}" for key, value in table.items()) + " }"
        )
    ),
    max_leaves=12,
)


@given(st.lists(st.tuples(st.sampled_from(["[t{}]", "[[l]]", "[[l.m]]", "[u.v{}]"]), KEYS, ARRAYS), max_size=8))
def test_whatever_tomllib_finds(parts: list[tuple[str, str, str]]) -> None:
    text, want = "", {}
    for number, (header, key, value) in enumerate(parts):
        text += f"{header.format(number)}\n"
        want[text.count("\n") + 1] = key.strip("\"'")
        text += f"{key} = {value} # comment\n"
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        assume(False)  # a header that the one before forbids
        raise
    lines = lines_of(text)
    assert set(lines) == paths(data)
    for line, key in want.items():
        assert any(path and path[-1] == key and at == line for path, at in lines.items())
