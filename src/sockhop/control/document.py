"""A TOML file whose mistakes are collected: each with its line, what is wrong, and what would be right."""

import difflib
import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from sockhop.control import toml_lines
from sockhop.errors import BadConfig

_SYNTAX = (
    ("Cannot overwrite", "it stands above already: leave one of the two out"),
    ("Cannot declare", "this table stands above already: put both parts under one header"),
    ("Invalid value", 'text takes quotes, as in "never"; otherwise give a number, true, false or a [list]'),
    ("Expected newline", 'put nothing behind the value but a # comment; text takes quotes, as in "8000-8100"'),
    ("Expected '='", "write name = value, with the value in quotes if it is text, or [table]"),
    ("Invalid statement", "write name = value, with the value in quotes if it is text, or [table]"),
    ("Expected ']'", "close the header as it was opened: [table] or [[rule]]"),
    ("Unclosed array", "close the list with ], and put commas between its parts"),
    ("Unescaped", "write \\\\ for a backslash, or use single quotes"),
)


def complaint(file: Path | None, mistakes: Iterable[tuple[int, str]]) -> BadConfig:
    """Return the error that tells of these mistakes, each a line number (0: none) and a text, by line."""
    texts = [
        ":".join([str(file or "configuration"), *([str(line)] if line else []), f" {text}"])
        for line, text in sorted(mistakes)
    ]
    if len(texts) > 1:
        texts.insert(0, f"{len(texts)} mistakes in the configuration; nothing was changed:")
    return BadConfig("\n".join(texts))


def header(table: str) -> str:
    """Return a table's name as it stands in the file."""
    return "[[rule]]" if table == "rule" else f"[{table}]"


def shown(value: object) -> str:
    """Return a value in words, as a mistake quotes it."""
    match value:
        case bool():
            return str(value).lower()
        case int() | float():
            return f"the number {value}"
        case str():
            return f'the text "{value}"'
        case list():
            return "a list"
        case dict():
            return "a table"
    return "a date or time"


class Document:
    """What one file says, where, and what is wrong with it.

    :param file: where the text is from, for messages.
    :param text: raises :class:`~sockhop.errors.BadConfig` if it is no TOML.
    :param layout: the tables that there may be, with the keys of each.
    """

    def __init__(self, file: Path, text: str, layout: Mapping[str, tuple[str, ...]]) -> None:
        self.data = _parsed(file, text)
        self.lines = toml_lines.lines_of(text)
        self.mistakes: list[tuple[int, str]] = []
        self._file = file
        self._layout = layout
        for key in set(self.data) - set(layout):
            self._unknown(key, (key,), tuple(layout), "in this file")

    def line(self, path: toml_lines.Path) -> int:
        """Return the line of what stands at ``path``, or else of what it would be a part of."""
        while path not in self.lines:
            path = path[:-1]
        return self.lines[path]

    def wrong(self, path: toml_lines.Path, text: str) -> None:
        """Note a mistake in what stands at ``path``."""
        self.mistakes.append((self.line(path), text))

    def settle(self) -> None:
        """Raise :class:`~sockhop.errors.BadConfig` if there was any mistake."""
        if self.mistakes:
            raise complaint(self._file, self.mistakes)

    def table(self, name: str) -> dict[str, Any]:
        """Return what the file says in a table: nothing, if that is missing or no table."""
        value = self.data.get(name, {})
        if not isinstance(value, dict):
            found = (
                "stands there several times: write ["
                if _is_tables(value)
                else f"is {shown(value)}: begin it with ["
            )
            self.wrong((name,), f"{name} {found}{name}], once")
            return {}
        return self._known(name, (name,), value)

    def tables(self, name: str) -> list[dict[str, Any]]:
        """Return what the file says in each table of an array of tables, in order."""
        value = self.data.get(name, [])
        if not _is_tables(value):
            self.wrong((name,), f"{name} is {shown(value)}: begin each with [[{name}]], in two brackets")
            return []
        return [self._known(name, (name, number), table) for number, table in enumerate(value)]

    def _known(self, name: str, path: toml_lines.Path, table: dict[str, Any]) -> dict[str, Any]:
        keys = self._layout[name]
        for key in set(table) - set(keys):
            self._unknown(key, (*path, key), keys, f"in {header(name)}")
        return {key: value for key, value in table.items() if key in keys}

    def _unknown(self, key: str, path: toml_lines.Path, keys: tuple[str, ...], where: str) -> None:
        home = next((table for table, known in self._layout.items() if key in known), None)
        hints = [f'did you mean "{near}"?' for near in difflib.get_close_matches(key, keys, 1)]
        hints += [f'"{key}" belongs under {header(home)}'] if home else []
        self.wrong(path, f'unknown key "{key}" {where}: {" ".join(hints) or "there are " + ", ".join(keys)}')

    def text(self, path: toml_lines.Path, value: object, example: str) -> str | None:
        """Return a value that must be text, or None after noting that it is none."""
        if isinstance(value, str):
            return value
        name = next(part for part in reversed(path) if isinstance(part, str))
        self.wrong(path, f'{name} is {shown(value)}: give text, as in "{example}"')
        return None


def _is_tables(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(part, dict) for part in value)


def _parsed(file: Path, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise complaint(file, [(0, "lists or tables are nested too deeply: nothing here needs that")]) from None
    except tomllib.TOMLDecodeError as error:
        what = str(error).partition(" (at ")[0]
        at = re.search(r"\(at line (\d+)", str(error))
        line = int(at[1]) if at else text.rstrip().count("\n") + 1  # "at end of document"
        fix = next((fix for begin, fix in _SYNTAX if what.startswith(begin)), "see https://toml.io/en/v1.0.0")
        raise complaint(file, [(line, f"no valid TOML ({what}): {fix}")]) from None
    except ValueError as error:  # an integer of thousands of digits
        line = next((n for n, part in enumerate(text.split("\n"), 1) if re.search(r"\d{4000}", part)), 0)
        raise complaint(file, [(line, f"a number is too long ({error}): give a smaller one")]) from None
